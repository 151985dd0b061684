// A grid of any number of photos, of which only those near the viewport are in the page.
//
// <ul data-grid="address of the list">, with the first photos as the server drew them, and behind it a
// <template data-tile> to make others of. Without this script the first photos and a link to more are all there is.
// Rows are justified: each as high as makes its photos, uncropped, fill the width. Others hear of a tile by the event
// "grid:tile" ({ tile, photo, index }), find all photos in `list.grid.photos`, and have them read anew by
// "photos-changed" on the body.
const ANY = "00000000-0000-0000-0000-000000000000";
const TALLEST = 1.4; // times the usual height of a row, where too few photos are left to fill one
const AHEAD = 1; // viewports above and below that are drawn too
const QUICK = 0.7; // viewports a frame, beyond which thumbnails wait for the hand to rest
const REST = 120; // milliseconds
const READ_EVERY = 5000; // milliseconds

const uuid = (hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
// Of the page's own address: with a photo open over it (viewer.js), it shows the photo's.
const KEY = `grid ${location.pathname}${location.search}`;

// From the list's columns: [{ id, ratio, colour, name, mark }].
const photosOf = ({ ids, shapes, colours, names, marks }) =>
  names.map((name, index) => ({
    id: uuid(ids.slice(32 * index, 32 * index + 32)),
    ratio: shapes[index] / 1000,
    colour: `#${colours.slice(6 * index, 6 * index + 6)}`,
    name,
    mark: marks[index],
  }));

// [{ first, end, top, height }], so that each row but the last is exactly `width` wide.
const rowsOf = (photos, width, height, gap) => {
  const rows = [];
  let [first, top, ratios] = [0, 0, 0];
  const close = (end, tall) => {
    rows.push({ first, end, top, height: tall });
    top += tall + gap;
    [first, ratios] = [end, 0];
  };
  const tallOf = (count, sum) => (width - gap * (count - 1)) / sum;
  photos.forEach(({ ratio }, index) => {
    const [without, within] = [tallOf(index - first, ratios), tallOf(index - first + 1, ratios + ratio)];
    if (within > height) {
      ratios += ratio;
    } else if (index > first && without - height < height - within && without < height * TALLEST) {
      close(index, without);
      ratios = ratio;
      if (tallOf(1, ratio) <= height) close(index + 1, tallOf(1, ratio));
    } else {
      ratios += ratio;
      close(index + 1, within);
    }
  });
  if (first < photos.length) close(photos.length, Math.min(height, tallOf(photos.length - first, ratios)));
  return rows;
};

class Grid {
  constructor(list) {
    this.list = list;
    this.template = list.parentElement.querySelector("template[data-tile]");
    this.drawn = new Map(); // id -> { tile, index }
    this.rows = [];
    this.isRead = false;
    this.lastTop = 0;
    for (const tile of list.querySelectorAll("li[id]")) this.drawn.set(tile.id.slice(2), { tile });
    this.photos = [...this.drawn].map(([id, { tile }]) => this.photoOf(id, tile));
    list.grid = this;
    list.classList.add("laid");
    this.layOut();
    addEventListener("scroll", () => this.soon(), { passive: true });
    // At once: Tab may be pressed again before the next frame.
    list.addEventListener("focusin", () => this.draw());
    new ResizeObserver(() => list.clientWidth !== this.width && this.keepingPlace(() => this.layOut())).observe(list);
    document.body.addEventListener("photos-changed", () => this.readSoon());
    addEventListener("pagehide", () => sessionStorage.setItem(KEY, JSON.stringify(this.place())));
  }

  photoOf(id, tile) {
    const image = tile.querySelector("img");
    const ratio = image && image.getAttribute("width") / image.getAttribute("height");
    return { id, ratio: ratio || 1.5, mark: tile.dataset.mark };
  }

  // Reading

  async read() {
    this.readAt = performance.now();
    const response = await fetch(this.list.dataset.grid, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(`${response.status}`);
    const columns = await response.json();
    this.photos = photosOf(columns);
    this.isRead = true;
    for (const heading of document.querySelectorAll("[data-grid-title]")) heading.textContent = columns.title;
    for (const empty of document.querySelectorAll("[data-grid-empty]")) empty.hidden = this.photos.length > 0;
    this.list.querySelectorAll(":scope > :not([id])").forEach((rest) => rest.remove());
    this.keepingPlace(() => this.layOut());
    this.list.dispatchEvent(new CustomEvent("grid:read", { bubbles: true }));
  }

  readSoon() {
    if (this.reading) return;
    const wait = Math.max(0, READ_EVERY - (performance.now() - this.readAt));
    this.reading = setTimeout(() => {
      this.reading = null;
      // What is there stays; the next change asks again.
      this.read().catch(() => {});
    }, wait);
  }

  // Where everything is

  layOut() {
    const style = getComputedStyle(this.list);
    const height = parseFloat(style.getPropertyValue("--row")) * parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.gap = parseFloat(style.rowGap) || 0;
    this.width = this.list.clientWidth;
    this.rows = rowsOf(this.photos, this.width, height, this.gap);
    const last = this.rows.at(-1);
    this.list.style.height = `${last ? last.top + last.height : 0}px`;
    this.draw();
  }

  // The number of the row at a height, counted from the top of the list.
  rowAt(y) {
    let [low, high] = [0, this.rows.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.rows[middle].top <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  get top() {
    return -this.list.getBoundingClientRect().top;
  }

  // The first photo in view, and how far its row is above the edge; null above the grid.
  place() {
    const { top } = this;
    if (top <= 0 || !this.rows.length) return { y: scrollY };
    const row = this.rows[this.rowAt(top)];
    return { y: scrollY, id: this.photos[row.first].id, below: top - row.top };
  }

  goTo({ y, id, below }) {
    const row = id && this.rowOf(id);
    scrollTo({ top: row ? scrollY - this.top + row.top + below : y, behavior: "instant" });
    this.draw();
  }

  rowOf(id) {
    const index = this.photos.findIndex((photo) => photo.id === id);
    return index < 0 ? null : this.rows.find((row) => index < row.end);
  }

  keepingPlace(change) {
    const place = this.place();
    change();
    if (place.id) this.goTo(place);
  }

  // Back from a photo: to where one was, or to the photo, if it is another one by now.
  comeBack() {
    const back = /^#p-(.{36})$/.exec(location.hash);
    const place = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    const again = performance.getEntriesByType("navigation")[0]?.type ?? "navigate";
    if (place && (back || again !== "navigate")) this.goTo(place);
    if (back) this.show(back[1]);
  }

  show(id) {
    const row = this.rowOf(id);
    if (!row) return;
    const [above, under] = [row.top - this.top, row.top + row.height - this.top];
    if (above < 0 || under > innerHeight) this.goTo({ id, below: (row.height - innerHeight) / 2 });
    this.drawn.get(id)?.tile.querySelector("a").focus({ preventScroll: true, focusVisible: false });
  }

  // What is in the page

  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  // The rows to be drawn: those near the viewport, and those around the focus, for Tab to go on from.
  wanted() {
    const { top, rows } = this;
    // What the server drew cannot be drawn again before the list has been read.
    if (!this.isRead || !rows.length) return rows;
    const margin = AHEAD * innerHeight;
    const spans = [[this.rowAt(top - margin), this.rowAt(top + innerHeight + margin)]];
    const focused = this.drawn.get(document.activeElement?.closest("li")?.id.slice(2));
    const row = focused ? rows.findIndex(({ end }) => focused.index < end) : -1;
    if (row >= 0) spans.push([Math.max(0, row - 1), Math.min(rows.length - 1, row + 1)]);
    const numbers = new Set(spans.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, step) => from + step)));
    return [...numbers].sort((a, b) => a - b).map((number) => rows[number]);
  }

  draw() {
    const { top } = this;
    const isQuick = Math.abs(top - this.lastTop) > QUICK * innerHeight;
    this.lastTop = top;
    const rows = this.wanted();
    this.keepOnly(rows);
    let next = this.list.firstElementChild;
    for (const row of rows) {
      let left = 0;
      for (let index = row.first; index < row.end; index += 1) {
        const photo = this.photos[index];
        const tile = this.drawn.get(photo.id)?.tile ?? this.tileOf(photo);
        this.drawn.set(photo.id, { tile, index });
        // A tile that stays is never moved: it would lose the focus, or the click it is in the middle of.
        if (tile === next) next = next.nextElementSibling;
        else this.list.insertBefore(tile, next);
        left += this.put(tile, photo, row, left) + this.gap;
        this.list.dispatchEvent(new CustomEvent("grid:tile", { detail: { tile, photo, index } }));
      }
    }
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.fetchThumbs(), isQuick ? REST : 0);
  }

  // What has left these rows, or looks different by now, goes.
  keepOnly(rows) {
    const marks = new Map();
    for (const { first, end } of rows) for (const { id, mark } of this.photos.slice(first, end)) marks.set(id, mark);
    for (const [id, { tile }] of this.drawn) {
      if (marks.get(id) === tile.dataset.mark) continue;
      this.drop(tile);
      this.drawn.delete(id);
    }
  }

  put(tile, photo, row, left) {
    const width = row.height * photo.ratio;
    Object.assign(tile.style, { translate: `${left}px ${row.top}px`, width: `${width}px`, height: `${row.height}px` });
    return width;
  }

  tileOf(photo) {
    const tile = this.template.content.firstElementChild.cloneNode(true);
    for (const element of [tile, ...tile.querySelectorAll("*")]) {
      for (const { name, value } of element.attributes) {
        if (value.includes(ANY)) element.setAttribute(name === "src" ? "data-src" : name, value.replace(ANY, photo.id));
        else if (value.includes("□")) element.setAttribute(name, value.replace("□", () => photo.name)); // "$&" in a name is no pattern
      }
    }
    tile.dataset.mark = photo.mark;
    const image = tile.querySelector("img");
    image.removeAttribute("src");
    image.style.backgroundColor = photo.colour;
    if (photo.mark === "w" || photo.mark === "f") image.replaceWith(Object.assign(document.createElement("span"), { textContent: photo.name }));
    const note = this.template.dataset[photo.mark];
    if (note) tile.append(Object.assign(document.createElement("span"), { className: "note", textContent: note }));
    return tile;
  }

  fetchThumbs() {
    for (const image of this.list.querySelectorAll("img[data-src]")) {
      image.src = image.dataset.src;
      delete image.dataset.src;
    }
  }

  // A picture that is still on its way is no longer wanted.
  drop(tile) {
    const image = tile.querySelector("img");
    if (image && !image.complete) image.removeAttribute("src");
    tile.remove();
  }
}

for (const image of document.querySelectorAll("img[data-colour]")) image.style.backgroundColor = image.dataset.colour;
for (const list of document.querySelectorAll("ul[data-grid]")) {
  history.scrollRestoration = "manual";
  const grid = new Grid(list);
  list.ariaBusy = "true";
  grid
    .read()
    .then(() => grid.comeBack())
    .catch(() => list.classList.remove("laid"))
    .finally(() => (list.ariaBusy = "false"));
}
