// Photos one at a time over their grid: swipe, pinch, keys, by PhotoSwipe, which is fetched when the first one is opened.
//
// An item is { id, page, thumb, preview, width, height, alt, original, tier }: addresses of the photo's own page, its
// renditions and its original ("" where it may not be downloaded), its size in pixels, and "sure", "maybe" or "" for a
// photo that is no match of a search. A click on a link with data-preview within `.photos` or `.maybes` opens the list
// it stands in; where a grid (grid.js) keeps most of its photos out of the page, all that it knows of.
const PREVIEW_EDGE = 2048;
const AHEAD = 8; // photos left when more of a paged grid are asked for
const template = document.getElementById("viewer");
const words = template.dataset;

const LINKS = ":is(.photos, .maybes) a[data-preview]:has(img)";

const itemOf = (link) => {
  const image = link.querySelector("img");
  return {
    id: link.closest("li").id.slice(2),
    page: link.href,
    thumb: image.getAttribute("src") ?? image.dataset.src, // a grid fetches its thumbs late
    preview: link.dataset.preview,
    width: Number(image.getAttribute("width")),
    height: Number(image.getAttribute("height")),
    alt: image.alt,
    original: link.dataset.original ?? "",
    tier: link.dataset.tier ?? "",
  };
};

const itemsOnPage = () => [...document.querySelectorAll(LINKS)].map(itemOf);

// The grid's photos that have a picture; their addresses are those of the one at hand with another id in them.
const itemsOfGrid = (grid, own) => {
  const other = (address, id) => address.replace(own.id, id);
  const shown = grid.photos.filter(({ mark }) => mark !== "w" && mark !== "f");
  return shown.map(({ id, ratio, name }) => ({
    ...own,
    id,
    page: other(own.page, id),
    thumb: other(own.thumb, id),
    preview: other(own.preview, id),
    original: other(own.original, id),
    width: PREVIEW_EDGE * Math.min(1, ratio),
    height: PREVIEW_EDGE / Math.max(1, ratio),
    alt: name ?? "",
  }));
};

const itemsAround = (link) => {
  const { grid } = link.closest("ul");
  return grid ? itemsOfGrid(grid, itemOf(link)) : itemsOnPage();
};

// What PhotoSwipe reads of an item: the preview, in the size it has.
const slideOf = (item) => {
  const scale = Math.min(1, PREVIEW_EDGE / Math.max(item.width, item.height, 1));
  const [width, height] = [Math.round(item.width * scale), Math.round(item.height * scale)];
  return { item, src: item.preview, msrc: item.thumb, width, height, alt: item.alt, thumbCropped: true };
};

let library = null;
const photoSwipe = () => {
  library ??= new Promise((resolve, reject) => {
    const styles = Object.assign(document.createElement("link"), { rel: "stylesheet", href: words.styles });
    styles.onload = () => import(words.library).then((module) => resolve(module.default), reject);
    styles.onerror = reject;
    document.head.append(styles);
  });
  library.catch(() => (library = null));
  return library;
};

const tell = (item, verdict) => {
  const values = { photo: item.id, verdict };
  for (const { value } of document.querySelectorAll("#result [name=shown]")) values.shown = value;
  const csrf = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const { feedback } = document.getElementById("result").dataset;
  const headers = { "X-CSRFToken": csrf };
  return window.htmx.ajax("POST", feedback, { target: "#result", swap: "outerHTML", values, headers });
};

// The picture itself where the phone's share sheet takes files, else the photo's address.
const share = async (item) => {
  const title = item.alt;
  const picture = await fetch(item.preview).then((answer) => (answer.ok ? answer.blob() : null)).catch(() => null);
  const files = picture ? [new File([picture], `${item.id}.jpg`, { type: picture.type })] : [];
  const said = files.length && navigator.canShare?.({ files }) ? { files } : { url: item.page, title };
  return navigator.share(said).catch(() => {});
};

// The buttons below a photo. Which of them there are, the photo shown says.
const bar = (pswp) => {
  const element = template.content.firstElementChild.cloneNode(true);
  const download = element.querySelector("[data-download]");
  const sharing = element.querySelector("[data-share-photo]");
  const item = () => pswp.currSlide.data.item;
  const draw = () => {
    const { original, tier, verdict } = item();
    for (const button of element.querySelectorAll("[data-verdict]")) {
      const wanted = { me: tier === "maybe" && !verdict, not_me: tier && !verdict, "": verdict };
      button.hidden = !wanted[button.dataset.verdict];
    }
    download.hidden = !original || verdict === "not_me";
    download.href = original || "#";
    sharing.hidden = !navigator.share || verdict === "not_me";
    pswp.element.classList.toggle("taken-away", verdict === "not_me");
  };
  for (const button of element.querySelectorAll("[data-verdict]")) {
    button.addEventListener("click", async () => {
      const judged = item();
      await tell(judged, button.dataset.verdict);
      judged.verdict = button.dataset.verdict;
      draw();
    });
  }
  sharing.addEventListener("click", () => share(item()));
  pswp.on("change", draw);
  return element;
};

const more = async (pswp, slides) => {
  const link = document.querySelector(".photos li.more a[hx-get]");
  if (!link || slides.length - pswp.currIndex > AHEAD) return;
  await new Promise((resolve) => {
    document.addEventListener("htmx:afterSettle", resolve, { once: true });
    link.click();
  });
  const known = new Set(slides.map((slide) => slide.item.id));
  slides.push(...itemsOnPage().filter((item) => !known.has(item.id)).map(slideOf));
};

let shown = null;

// Opens the viewer. Its address is the photo's own, so that it can be reloaded, and Back closes it.
export const openViewer = async (items, index) => {
  const PhotoSwipe = await photoSwipe();
  const slides = items.map(slideOf);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const pswp = new PhotoSwipe({
    dataSource: slides,
    index,
    loop: false,
    preload: [1, 2],
    bgOpacity: 1,
    closeTitle: words.close,
    zoomTitle: words.zoom,
    arrowPrevTitle: words.before,
    arrowNextTitle: words.after,
    errorMsg: words.error,
    showHideAnimationType: still ? "none" : "zoom",
    zoomAnimationDuration: still ? 0 : 250,
    paddingFn: (size) => ({ top: 0, bottom: Math.min(88, size.y / 6), left: 0, right: 0 }),
  });
  pswp.addFilter("thumbEl", (_, { item }) => document.querySelector(`#p-${item.id} img`));
  pswp.addFilter("placeholderSrc", (_, content) => content.data.msrc);
  pswp.on("uiRegister", () => {
    const element = bar(pswp);
    pswp.ui.registerElement({ name: "bar-of-ours", appendTo: "root", order: 9, onInit: (place) => place.append(element) });
  });
  pswp.on("change", () => {
    const { page } = pswp.currSlide.data.item;
    if (shown === pswp) history.replaceState({ viewer: true }, "", page);
    more(pswp, slides);
  });
  pswp.on("close", () => {
    const closing = shown === pswp && history.state?.viewer;
    shown = null;
    if (closing) history.back();
    document.querySelector("[data-grid]")?.grid?.show(pswp.currSlide.data.item.id);
  });
  pswp.init();
  pswp.element.setAttribute("aria-label", words.label);
  // PhotoSwipe's own words for screen readers are English whatever the page is.
  for (const each of pswp.element.querySelectorAll("[aria-roledescription]")) each.removeAttribute("aria-roledescription");
  history.pushState({ viewer: true }, "", items[index].page);
  shown = pswp;
};

document.addEventListener("click", (event) => {
  const link = event.target.closest(LINKS);
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const items = itemsAround(link);
  const index = items.findIndex((item) => item.page === link.href);
  // Without the library (no connection, say) the photo's own page does.
  openViewer(items, index).catch(() => location.assign(link.href));
});

// PhotoSwipe does not close while it is opening: a quick Back waits for it.
const closeOnceOpen = (viewer) => {
  if (viewer.opener.isOpen) viewer.close();
  else viewer.on("openingAnimationEnd", () => viewer.close());
};

window.addEventListener("popstate", (event) => {
  if (shown) {
    const viewer = shown;
    shown = null;
    closeOnceOpen(viewer);
  } else if (event.state?.viewer) location.reload();
});
