// A grid of photos: each photo's colour until it has arrived, and choosing by tick, Shift for a range.
const paint = (root) => {
  for (const image of root.querySelectorAll("img[data-colour]")) {
    image.style.backgroundColor = image.dataset.colour;
  }
};

const boxes = (form) => [...form.querySelectorAll("input[name=photo]")];

const count = (form) => {
  const bar = form.querySelector("[data-bar]");
  if (!bar) return;
  const output = bar.querySelector("output");
  const chosen = boxes(form).filter((box) => box.checked).length;
  output.textContent = `${chosen} ${output.dataset.words}`;
  bar.hidden = !chosen;
  bar.querySelector("[data-with-script]").hidden = false;
};

let last = null;

document.addEventListener("click", (event) => {
  const box = event.target.closest("form[data-select] input[name=photo]");
  if (!box) return;
  const all = boxes(box.form);
  if (event.shiftKey && last && last.form === box.form) {
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    for (const between of all.slice(from, to + 1)) between.checked = box.checked;
  }
  last = box;
  count(box.form);
});

document.addEventListener("reset", (event) => setTimeout(() => count(event.target)));

const prepare = (root) => {
  paint(root);
  document.querySelectorAll("form[data-select]").forEach(count);
};

prepare(document);
document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
// A grid somebody is choosing from is not exchanged under their hands.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.id === "photos" && event.detail.elt.querySelector("input[name=photo]:checked")) event.preventDefault();
});
// Coming back from one photo, by cache or anew, ticks may have been kept by the browser.
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-select]").forEach(count));
