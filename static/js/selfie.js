// The selfie form: shows the chosen picture, keeps one of its two inputs, and cannot be sent twice.
const form = document.getElementById("selfie-form");

if (form) {
  const inputs = [...form.querySelectorAll("input[type=file]")];
  const oval = form.querySelector("[data-preview]");
  const empty = [...oval.childNodes];

  const show = (file) => {
    const image = new Image();
    image.alt = "";
    image.src = URL.createObjectURL(file);
    image.addEventListener("load", () => URL.revokeObjectURL(image.src));
    // A picture that this browser cannot draw (HEIC) is sent all the same.
    image.addEventListener("error", () => oval.replaceChildren(...empty));
    oval.replaceChildren(image);
    oval.classList.add("filled");
    form.querySelector("[data-file-name]").textContent = file.name;
  };

  for (const input of inputs) {
    input.addEventListener("change", () => {
      if (!input.files.length) return;
      for (const other of inputs) if (other !== input) other.value = "";
      show(input.files[0]);
    });
  }

  const button = form.querySelector("button");
  form.addEventListener("submit", () => setTimeout(() => (button.disabled = true)));
  // Back from the result, the page may come out of the browser's cache with the button still shut.
  window.addEventListener("pageshow", () => (button.disabled = false));
}
