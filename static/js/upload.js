// Upload: files are hashed, only those that the album lacks are sent, one a request, three at a time, again and again
// until they have arrived. A broken upload goes on by choosing the same folder again.
const LANES = 3;
const AHEAD = 50; // files hashed before the server is asked which of them it lacks
const TRIES = 8;
const LONGEST_WAIT = 30; // seconds
const NEVER_A_PHOTO = /^(\.|Thumbs\.db$|desktop\.ini$)/i;

const form = document.getElementById("upload");
const panel = document.getElementById("sending");
const words = panel.querySelector("[data-words]");
const numbers = { chosen: 0, sent: 0, duplicate: 0, rejected: 0, failed: 0 };
const queue = [];
const waiting = []; // lanes with nothing to do
const END = {}; // in the queue: this lane may go home
let running = null; // { left: work not yet settled, abort: AbortController }

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const say = (key) => (words.textContent = words.dataset[key]);

let drawn = false;
const draw = () => {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    const settled = numbers.sent + numbers.duplicate + numbers.rejected + numbers.failed;
    for (const [name, number] of Object.entries({ ...numbers, waiting: numbers.chosen - settled })) {
      panel.querySelector(`[data-number=${name}]`).textContent = number;
    }
    Object.assign(panel.querySelector("progress"), { max: Math.max(numbers.chosen, 1), value: settled });
  });
};

let told = -Infinity;
const tellPage = (now) => {
  if (!now && performance.now() - told < 2000) return;
  told = performance.now();
  document.body.dispatchEvent(new Event("files-sent"));
};

const settle = (kind, item, reason) => {
  numbers[kind] += 1;
  if (reason) {
    const row = document.createElement("li");
    const name = document.createElement("strong");
    name.textContent = item.path;
    row.append(name, Object.assign(document.createElement("span"), { textContent: reason }));
    panel.querySelector("[data-reasons]").append(row);
  }
  draw();
  tellPage(false);
};

// The one place that talks to the server. Answers with the parsed body; throws { final } when trying again is of no use.
const ask = async (url, options) => {
  for (let attempt = 1; ; attempt += 1) {
    let wait = Math.min(2 ** (attempt - 1), LONGEST_WAIT);
    try {
      const headers = { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value, ...options.headers };
      const response = await fetch(url, { ...options, method: "POST", headers, signal: running.abort.signal });
      if (response.ok) {
        say("sending");
        return await response.json();
      }
      if ([401, 403, 404].includes(response.status)) {
        stop("signedOut");
        throw { final: true, reason: words.dataset.signedOut };
      }
      if (response.status < 500 && response.status !== 429) {
        const problem = await response.json().catch(() => ({}));
        throw { final: true, reason: problem.detail ?? String(response.status) };
      }
      wait = Math.max(wait, Math.min(Number(response.headers.get("Retry-After")) || 0, LONGEST_WAIT));
    } catch (error) {
      if (error.final) throw error;
      if (running.abort.signal.aborted) throw { final: true, reason: words.dataset.notSent };
    }
    if (attempt === TRIES) throw { final: true, reason: words.dataset.notSent };
    say("waiting");
    await sleep(wait);
  }
};

const send = async (item) => {
  const body = new FormData();
  body.append("file", item.file, item.file.name);
  body.append("path", item.path);
  try {
    const answer = await ask(form.dataset.photos, { body });
    if (answer.rejected.length) settle("rejected", item, answer.rejected[0].detail);
    else settle(answer.duplicates.length ? "duplicate" : "sent", item);
  } catch (error) {
    settle("failed", item, error.reason);
  }
};

const lane = async () => {
  for (;;) {
    const item = queue.shift() ?? (await new Promise((resolve) => waiting.push(resolve)));
    if (item === END) return;
    await send(item);
  }
};

const enqueue = (item) => {
  const idle = waiting.shift();
  if (idle) idle(item);
  else queue.push(item);
};

const hash = async (file) => {
  const sum = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(sum)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
};

// Those of the items that the album lacks. Without https there is no crypto for pages: then everything is sent.
const lacking = async (items) => {
  if (!globalThis.crypto?.subtle) return items;
  for (const item of items) item.sha256 = await hash(item.file).catch(() => null);
  const known = items.filter((item) => item.sha256);
  const files = known.map((item) => ({ name: item.file.name || "?", size: item.file.size, sha256: item.sha256 }));
  if (!files.length) return items;
  const headers = { "Content-Type": "application/json" };
  const { missing } = await ask(form.dataset.check, { body: JSON.stringify({ files }), headers });
  return items.filter((item) => !item.sha256 || missing.includes(item.sha256));
};

const feed = async (items) => {
  for (let start = 0; start < items.length; start += AHEAD) {
    const batch = items.slice(start, start + AHEAD);
    try {
      const missing = new Set(await lacking(batch));
      for (const item of batch) {
        if (missing.has(item)) enqueue(item);
        else settle("duplicate", item);
      }
    } catch (error) {
      for (const item of batch) settle("failed", item, error.reason);
    }
  }
};

const leaving = (event) => event.preventDefault();

const stop = (key) => {
  running.stopped = key;
  running.abort.abort();
};

const upload = async (items) => {
  items = items.filter((item) => !NEVER_A_PHOTO.test(item.file.name));
  if (!items.length) return;
  panel.hidden = false;
  numbers.chosen += items.length;
  draw();
  say("sending");
  if (running) {
    running.feeding = running.feeding.then(() => feed(items));
    return;
  }
  running = { abort: new AbortController(), stopped: null };
  panel.querySelector("[data-stop]").hidden = false;
  window.addEventListener("beforeunload", leaving);
  const lanes = Array.from({ length: LANES }, lane);
  running.feeding = feed(items);
  // More may be dropped in while it runs; the last feed decides.
  for (let feeding; feeding !== running.feeding; ) await (feeding = running.feeding);
  for (let index = 0; index < LANES; index += 1) enqueue(END);
  await Promise.all(lanes);
  window.removeEventListener("beforeunload", leaving);
  panel.querySelector("[data-stop]").hidden = true;
  say(running.stopped ?? (numbers.failed ? "some" : "done"));
  running = null;
  tellPage(true);
};

// What was dropped, folders and all: a browser hands out a folder's entries a hundred at a time.
const filesOf = async (entry) => {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path: entry.fullPath.replace(/^\//, "") }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return found;
    for (const each of entries) found.push(...(await filesOf(each)));
  }
};

for (const input of form.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    const items = [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
    input.value = "";
    upload(items);
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
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  for (const entry of entries) upload(await filesOf(entry));
});

panel.querySelector("[data-stop]").addEventListener("click", () => stop("stopped"));
form.querySelectorAll("[data-with-script]").forEach((each) => (each.hidden = false));
form.querySelectorAll("[data-without-script]").forEach((each) => (each.hidden = true));
