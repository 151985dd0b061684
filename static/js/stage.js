// One photo: arrow keys and swipes turn, Escape closes, and the neighbours are fetched ahead.
const stage = document.querySelector("[data-viewer]");
const go = (selector) => stage.querySelector(selector)?.click();
const SWIPE = 50; // CSS pixels

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select")) return;
  const keys = { ArrowLeft: "[rel=prev]", ArrowRight: "[rel=next]", Escape: "[data-close]" };
  if (keys[event.key]) go(keys[event.key]);
});

let start = null;
stage.addEventListener("touchstart", (event) => {
  start = event.touches.length === 1 ? event.touches[0] : null;
}, { passive: true });
stage.addEventListener("touchend", (event) => {
  if (!start || window.visualViewport?.scale > 1.01) return;
  const { clientX, clientY } = event.changedTouches[0];
  const [across, down] = [clientX - start.clientX, clientY - start.clientY];
  if (Math.abs(across) > SWIPE && Math.abs(across) > 2 * Math.abs(down)) go(across > 0 ? "[rel=prev]" : "[rel=next]");
});

for (const link of stage.querySelectorAll("[data-preload]")) {
  new Image().src = link.dataset.preload;
  // Turning leaves no trail: Back leads to the photos, not through every one that was looked at.
  link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    location.replace(link.href);
  });
}

// Loaded anew at an address that the viewer had set, this page stands where the grid's did: Back must fetch that one.
window.addEventListener("popstate", () => location.reload());
