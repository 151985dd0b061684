// The upload's page: takes files in by choice or drop, and draws what the queue says. What is sent when is queue.js's.
import { isHidden, refusal, sizeRefusal, walk } from "./upload/files.js";
import { Upload } from "./upload/queue.js";
import { Server } from "./upload/server.js";

const NAMES_SHOWN = 100;
const WORKER_REST = 1000; // milliseconds
const TELL_EVERY = 2000; // milliseconds between two calls for the page's other numbers

const form = document.getElementById("upload");
const panel = document.getElementById("sending");
const find = (name) => panel.querySelector(`[data-${name}]`);
const all = (name, root = document) => root.querySelectorAll(`[data-${name}]`);
const words = find("words");
const reasons = find("reasons");

// Hashing, in a worker of its own

let worker = null;

// One file at a time: the queue waits for each. A worker whose script did not come, as without network, is started anew.
const hash = (file) =>
  new Promise((resolve) => {
    worker ??= new Worker(form.dataset.hash, { type: "module" });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = () => {
      worker = null;
      setTimeout(() => hash(file).then(resolve), WORKER_REST);
    };
    worker.postMessage(file);
  });

// Drawing

let isDrawn = true;
const draw = () => {
  if (!isDrawn) return;
  isDrawn = false;
  requestAnimationFrame(() => {
    isDrawn = true;
    drawNumbers();
    drawStatus();
    drawQuestion();
    for (const key of stale) drawReason(key);
    stale.clear();
  });
};

const drawNumbers = () => {
  for (const [name, number] of Object.entries(upload.numbers)) find(`number=${name}`).textContent = number;
  panel.querySelector("progress").value = upload.part;
};

const drawStatus = () => {
  const { status } = upload;
  panel.hidden = status === "idle";
  if (panel.dataset.status !== status) {
    panel.dataset.status = status;
    words.textContent = words.dataset[status] ?? "";
    stayAwake(status === "sending");
  }
  find("pause").hidden = !["sending", "lost", "signedOut", "full"].includes(status);
  find("go-on").hidden = find("rest").hidden = status !== "paused";
  find("sign-in").hidden = !["signedOut", "gone"].includes(status);
  find("now").hidden = !["lost", "signedOut", "gone", "full"].includes(status);
  find("retry").hidden = !upload.numbers.failed;
};

const drawQuestion = () => {
  const question = find("question");
  const count = upload.question;
  question.hidden = !count;
  const text = question.querySelector("[data-one]");
  const said = count === 1 ? text.dataset.one : text.dataset.many.replace("{n}", count);
  if (count && text.textContent !== said) text.textContent = said;
};

// Reasons: one group of names for each; only what changed is drawn again, and of thousands of names the first hundred.

const groups = new Map(); // reason -> Set of items
const stale = new Set();

const note = (item) => {
  for (const [key, items] of groups) if (key !== item.reason && items.delete(item)) stale.add(key);
  if (item.reason) {
    if (!groups.has(item.reason)) groups.set(item.reason, new Set());
    groups.get(item.reason).add(item);
    stale.add(item.reason);
  }
  tellPage();
};

const make = (tag, text = "") => Object.assign(document.createElement(tag), { textContent: text });

const drawReason = (key) => {
  const items = groups.get(key);
  let group = [...reasons.children].find((each) => each.reason === key);
  if (!items.size) return group?.remove();
  if (!group) {
    group = Object.assign(make("details"), { reason: key });
    group.append(make("summary"), make("ul"));
    reasons.append(group);
  }
  const [summary, list] = group.children;
  summary.replaceChildren(make("strong", items.size), make("span", reasons.dataset[key] ?? key));
  if (list.childElementCount > NAMES_SHOWN && items.size > NAMES_SHOWN) {
    list.lastChild.textContent = reasons.dataset.more.replace("{n}", items.size - NAMES_SHOWN);
    return;
  }
  const names = [...items].slice(0, NAMES_SHOWN).map((item) => make("li", item.path));
  if (items.size > NAMES_SHOWN) names.push(make("li", reasons.dataset.more.replace("{n}", items.size - NAMES_SHOWN)));
  list.replaceChildren(...names);
};

// The page's other numbers ask the server when they hear of it.

let told = -Infinity;
const tellPage = () => {
  if (upload.isUnsent && performance.now() - told < TELL_EVERY) return;
  told = performance.now();
  document.body.dispatchEvent(new Event("files-sent"));
};

// A phone that falls asleep sends nothing.

let lock = null; // a promise while it is asked for and held; the browser takes it back when the page is left
const stayAwake = async (wanted) => {
  if (wanted && !lock) {
    lock = navigator.wakeLock?.request("screen").catch(() => null) ?? null;
    (await lock)?.addEventListener("release", () => (lock = null));
  }
  if (!wanted) (await lock)?.release();
};

const mostBytes = Number(form.dataset.mostBytes);
const upload = new Upload({
  server: new Server({ ...form.dataset, token: form.elements.csrfmiddlewaretoken.value }),
  hash,
  refusal: (file) => sizeRefusal(file, mostBytes),
  changed: draw,
  settled: note,
});

// Files come in

const begin = () => {
  if (!upload.begin()) return;
  groups.clear();
  reasons.replaceChildren();
};
const take = (files) => {
  const visible = files.filter(({ path }) => !isHidden(path));
  upload.add(visible.map(({ path, file }) => ({ path, file, refused: file && refusal(file) })));
  if (!navigator.onLine) upload.doubt();
};

for (const input of form.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    const files = [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
    input.value = "";
    begin();
    take(files);
  });
}

for (const name of ["dragover", "dragleave", "drop"]) {
  form.addEventListener(name, (event) => {
    event.preventDefault();
    form.classList.toggle("over", name === "dragover");
  });
}

form.addEventListener("drop", async (event) => {
  // The entries are to be taken before the first await: afterwards the browser has forgotten them.
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  begin();
  for (const entry of entries) for await (const files of walk(entry)) take(files);
});

// What people and the world do to it

find("pause").addEventListener("click", () => upload.pause());
find("go-on").addEventListener("click", () => upload.goOn());
find("rest").addEventListener("click", () => upload.leaveTheRest());
find("retry").addEventListener("click", () => upload.retry());
find("now").addEventListener("click", () => upload.nudge());
for (const button of all("answer", panel)) {
  button.addEventListener("click", () => upload.answer(button.dataset.answer));
}

window.addEventListener("online", () => upload.nudge());
window.addEventListener("offline", () => upload.doubt());
window.addEventListener("focus", () => upload.nudge());
new BroadcastChannel("pixora-signed-in").addEventListener("message", () => upload.nudge());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") stayAwake(upload.status === "sending");
});
window.addEventListener("beforeunload", (event) => {
  if (upload.isUnsent) event.preventDefault();
});
// A part of the page that asks for itself after the session has ended would have the whole page loaded anew, and with
// it the list of what is still to be sent.
document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (upload.isUnsent && event.detail.xhr.getResponseHeader("HX-Refresh")) {
    event.preventDefault();
    upload.doubt();
  }
});

all("with-script", form).forEach((each) => (each.hidden = false));
all("without-script", form).forEach((each) => (each.hidden = true));
