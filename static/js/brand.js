// What guests will see, while it is typed. The colour is shown as chosen; the server makes it readable when it is saved.
const preview = document.querySelector("[data-brand-preview]");
const field = (name) => document.querySelector(`[name="${name}"]`);

function show() {
  for (const place of preview.querySelectorAll("[data-shows]")) place.textContent = field(place.dataset.shows).value;
  const accent = field("own_accent").checked ? field("accent").value : "";
  preview.style.setProperty("--accent", accent);
  preview.style.setProperty("--on-accent", accent && (isLight(accent) ? "#141210" : "#ffffff"));
  if (!accent) for (const name of ["--accent", "--on-accent"]) preview.style.removeProperty(name);
}

function isLight(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return red * 0.3 + green * 0.59 + blue * 0.11 > 150;
}

field("accent").addEventListener("input", () => (field("own_accent").checked = true));
document.addEventListener("input", show);
preview.hidden = false;
show();
