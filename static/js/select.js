// Choosing photos of a grid: by tick, with Shift or by a long press and a drag for a range. What is chosen is a set of
// ids, so that it outlives tiles that come and go, and is sent as one field, for Django takes no more than 1,000.
const LONG = 450; // milliseconds
const STRAY = 10; // CSS pixels a finger may move in a long press
const EDGE = 80; // CSS pixels from the edge of the viewport in which a drag scrolls

const form = document.querySelector("form[data-select]");
const list = form.querySelector("[data-grid]");
const bar = form.querySelector("[data-bar]");
const chosen = new Set();
let last = null; // the place of the photo that was ticked last

const photos = () => list.grid.photos;
const boxOf = (tile) => tile.querySelector("input[name=photo]");
const idOf = (tile) => tile.id.slice(2);
const placeOf = (id) => photos().findIndex((photo) => photo.id === id);

const count = () => {
  const output = bar.querySelector("output");
  output.textContent = `${chosen.size} ${output.dataset.words}`;
  bar.hidden = !chosen.size;
  bar.querySelector("[data-one]").hidden = chosen.size !== 1;
};

const redraw = () => {
  for (const tile of list.querySelectorAll("li[id]")) boxOf(tile).checked = chosen.has(idOf(tile));
  count();
};

const set = (id, on) => (on ? chosen.add(id) : chosen.delete(id));

const setRange = (from, to, on) => {
  for (const photo of photos().slice(Math.min(from, to), Math.max(from, to) + 1)) set(photo.id, on);
};

list.addEventListener("grid:tile", ({ detail: { tile, photo } }) => {
  boxOf(tile).checked = chosen.has(photo.id);
});

list.addEventListener("click", (event) => {
  const box = event.target.closest("input[name=photo]");
  if (!box) return;
  const place = placeOf(box.value);
  if (event.shiftKey && last !== null) setRange(last, place, box.checked);
  else set(box.value, box.checked);
  last = place;
  redraw();
});

// What is gone, or no longer shown here, is no longer chosen.
list.addEventListener("grid:read", () => {
  const there = new Set(photos().map((photo) => photo.id));
  for (const id of chosen) if (!there.has(id)) chosen.delete(id);
  last = null;
  redraw();
});

form.addEventListener("formdata", ({ formData }) => {
  formData.delete("photo");
  if (chosen.size) formData.append("photo", [...chosen].join(" "));
});

form.addEventListener("reset", () => {
  chosen.clear();
  setTimeout(redraw);
});

bar.querySelector("[data-all]").addEventListener("click", () => {
  setRange(0, photos().length, true);
  redraw();
});

// A long press begins a range, dragging on extends it.

let press = null; // { place, x, y, timer, before } and, once it is long enough, { on }

const begin = () => {
  const on = !chosen.has(photos()[press.place].id);
  Object.assign(press, { on, before: new Set(chosen) });
  navigator.vibrate?.(10);
  extend(press.place);
};

const extend = (place) => {
  chosen.clear();
  for (const id of press.before) chosen.add(id);
  setRange(press.place, place, press.on);
  last = place;
  redraw();
};

list.addEventListener("touchstart", (event) => {
  const tile = event.target.closest("li[id]");
  if (!tile || event.touches.length > 1) return cancel();
  const { clientX, clientY } = event.touches[0];
  press = { place: placeOf(idOf(tile)), x: clientX, y: clientY, timer: setTimeout(begin, LONG) };
}, { passive: true });

list.addEventListener("touchmove", (event) => {
  if (!press) return;
  const { clientX, clientY } = event.touches[0];
  if (press.before) {
    event.preventDefault();
    if (clientY < EDGE || clientY > innerHeight - EDGE) scrollBy(0, clientY < EDGE ? -EDGE / 4 : EDGE / 4);
    const tile = document.elementFromPoint(clientX, clientY)?.closest("[data-grid] > li[id]");
    if (tile) extend(placeOf(idOf(tile)));
  } else if (Math.hypot(clientX - press.x, clientY - press.y) > STRAY) {
    cancel();
  }
}, { passive: false });

const cancel = () => {
  clearTimeout(press?.timer);
  press = null;
};

list.addEventListener("touchend", (event) => {
  // The click that would open the photo.
  if (press?.before && event.cancelable) event.preventDefault();
  cancel();
});
list.addEventListener("touchcancel", cancel);
list.addEventListener("contextmenu", (event) => press && event.preventDefault());

bar.querySelectorAll("[data-with-script], [data-all]").forEach((button) => (button.hidden = false));
redraw();
