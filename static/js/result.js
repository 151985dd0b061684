// A guest's result: each photo's colour until it has arrived, their own face marked on request, choosing by a tap, and
// new photos that join by themselves.
const result = () => document.getElementById("result");
let marked = false;
let choosing = false;

// The tile shows its photo cut to the tile's shape, so the box is cut and scaled as the picture is.
const place = (mark, image, box) => {
  const [width, height] = [Number(image.getAttribute("width")), Number(image.getAttribute("height"))];
  const { clientWidth, clientHeight } = image;
  const scale = Math.max(clientWidth / width, clientHeight / height);
  const [left, top] = [(clientWidth - width * scale) / 2, (clientHeight - height * scale) / 2];
  const [x, y, across, down] = box.split(",").map(Number);
  const margin = 0.15;
  Object.assign(mark.style, {
    left: `${left + (x - across * margin) * width * scale}px`,
    top: `${top + (y - down * margin) * height * scale}px`,
    width: `${across * (1 + 2 * margin) * width * scale}px`,
    height: `${down * (1 + 2 * margin) * height * scale}px`,
  });
};

const drawMarks = () => {
  for (const old of document.querySelectorAll(".me")) old.remove();
  if (!marked) return;
  for (const link of document.querySelectorAll("#result a[data-box]")) {
    const mark = Object.assign(document.createElement("span"), { className: "me" });
    link.append(mark);
    place(mark, link.querySelector("img"), link.dataset.box);
  }
};

const form = () => document.querySelector("#result form[data-some]");

// In the megabytes that the page itself counts in.
const weight = (bytes) => {
  const megabytes = bytes / 2 ** 20;
  const digits = { style: "unit", unit: "megabyte", maximumFractionDigits: megabytes < 10 ? 1 : 0 };
  return megabytes.toLocaleString(document.documentElement.lang, digits);
};

const count = () => {
  const bar = form()?.querySelector("[data-bar]");
  if (!bar) return;
  const chosen = [...form().querySelectorAll("input[name=photo]:checked")];
  const bytes = chosen.reduce((sum, box) => sum + Number(box.dataset.bytes), 0);
  const output = bar.querySelector("output");
  output.textContent = `${chosen.length} ${output.dataset.words} · ${weight(bytes)}`;
  bar.hidden = !chosen.length;
};

const choose = (on) => {
  choosing = on;
  if (!form()) return;
  form().classList.toggle("choosing", on);
  form().classList.toggle("quiet", !on);
  if (on) document.querySelector(".undo")?.remove(); // it would lie over the bar
  else form().reset();
  form().querySelector("[data-choose]")?.setAttribute("aria-pressed", on);
  count();
};

const prepare = () => {
  if (!result()) return;
  for (const image of document.querySelectorAll("#result img[data-colour]")) {
    image.style.backgroundColor = image.dataset.colour;
  }
  for (const tools of document.querySelectorAll("[data-tools]")) tools.hidden = false;
  document.querySelector("[data-show-me]")?.setAttribute("aria-pressed", marked);
  if (!form()?.matches(".choosing")) choose(false);
  drawMarks();
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-show-me], [data-choose]");
  if (button?.matches("[data-choose]")) choose(!choosing);
  if (button?.matches("[data-show-me]")) {
    marked = !marked;
    button.setAttribute("aria-pressed", marked);
    drawMarks();
  }
});

// While choosing, the whole photo is the tick; before the viewer hears of the click.
document.addEventListener("click", (event) => {
  const link = event.target.closest("form.choosing .photos a");
  if (!link) return;
  event.preventDefault();
  link.parentElement.querySelector("input[name=photo]").click();
}, { capture: true });
document.addEventListener("change", (event) => event.target.name === "photo" && count());

// New ones are shown at once, unless that would pull the page away under a choice or the viewer.
const join = (fresh) => {
  if (!choosing && !document.querySelector(".pswp")) fresh.click();
};

const say = (title) => (document.getElementById("told").textContent = title);

document.addEventListener("htmx:load", (event) => {
  prepare();
  const fresh = event.detail.elt.querySelector?.("[data-fresh]");
  if (fresh) join(fresh);
  if (event.detail.elt.id === "result") {
    const title = result().querySelector("h1").textContent;
    say([result().querySelector(".undo p")?.textContent, title].filter(Boolean).join(" "));
    document.title = `${title} · Pixora`;
  }
});
addEventListener("resize", drawMarks);
prepare();
