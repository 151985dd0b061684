// The selfie form: a live camera with an oval to fit the face in, the chosen picture shown, and sending that outlives a
// lost connection. Without script the form's file inputs and its button do the same.
const EDGE = 1280; // pixels; the engine needs no more
const QUALITY = 0.9;
const WAITS = [1, 2, 4, 8]; // seconds between tries; the last one again and again

const sleep = (seconds) => new Promise((resolve) => {
  setTimeout(resolve, seconds * 1000);
  addEventListener("online", resolve, { once: true });
});

// The camera in its dialog. Resolves to a JPEG, or to null when the guest turned back. Throws what getUserMedia throws.
const photograph = async (dialog) => {
  const [video, canvas, hint] = ["video", "canvas", "[data-hint]"].map((each) => dialog.querySelector(each));
  const wanted = { facingMode: "user", width: { ideal: EDGE }, height: { ideal: EDGE } };
  const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
  const show = (state) => {
    hint.textContent = hint.dataset[state];
    canvas.hidden = state !== "taken";
    for (const part of dialog.querySelectorAll("[data-while]")) part.hidden = part.dataset.while !== state;
    if (state === "taken") dialog.querySelector("[data-use]").focus();
  };
  const shutter = dialog.querySelector("[data-shoot]");
  const again = async () => {
    show("live");
    await video.play();
    shutter.disabled = false;
    shutter.focus();
  };
  // What the guest sees is what is sent: a neighbour beyond the edge of the view is no second face.
  const shoot = () => {
    const view = video.getBoundingClientRect();
    const [width, height] = [video.videoWidth, video.videoHeight];
    const cover = Math.max(view.width / width, view.height / height);
    const [seenWidth, seenHeight] = [view.width / cover, view.height / cover];
    const scale = Math.min(1, EDGE / Math.max(seenWidth, seenHeight));
    Object.assign(canvas, { width: Math.round(seenWidth * scale), height: Math.round(seenHeight * scale) });
    const from = [(width - seenWidth) / 2, (height - seenHeight) / 2, seenWidth, seenHeight];
    canvas.getContext("2d").drawImage(video, ...from, 0, 0, canvas.width, canvas.height);
    video.pause();
    show("taken");
  };
  video.srcObject = stream;
  shutter.disabled = true;
  dialog.showModal();
  try {
    await again();
    return await new Promise((resolve) => {
      shutter.onclick = shoot;
      dialog.querySelector("[data-again-button]").onclick = again;
      dialog.querySelector("[data-close]").onclick = () => dialog.close();
      dialog.querySelector("[data-use]").onclick = () => canvas.toBlob(resolve, "image/jpeg", QUALITY);
      dialog.addEventListener("close", () => resolve(null), { once: true });
    });
  } finally {
    stream.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
    if (dialog.open) dialog.close();
  }
};

// What an album that takes the live camera's pictures only wants beside one: asked for as the camera opens.
const ticket = async (form) => {
  const body = new FormData();
  body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  body.set("step", "camera");
  return (await fetch(form.action, { method: "POST", body })).text();
};

const REASONS = { NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "missing" };

const prepare = (form) => {
  const dialog = document.querySelector("dialog.camera");
  const inputs = [...form.querySelectorAll("input[type=file]")];
  const oval = form.querySelector("[data-preview]");
  const empty = [...oval.childNodes];
  const opener = form.querySelector("[data-open-camera]");
  const note = form.querySelector("[data-camera-note]");
  const told = form.querySelector("[data-sending]");
  const button = form.querySelector("[data-find]");
  let shot = null;

  const show = (picture, mirrored) => {
    const image = new Image();
    image.alt = "";
    image.src = URL.createObjectURL(picture);
    image.addEventListener("load", () => URL.revokeObjectURL(image.src));
    // A picture that this browser cannot draw (HEIC) is sent all the same.
    image.addEventListener("error", () => oval.replaceChildren(...empty));
    image.classList.toggle("mirrored", mirrored);
    oval.replaceChildren(image);
    oval.classList.add("filled");
    button.classList.add("primary");
  };

  const choose = (input) => {
    for (const other of inputs) if (other !== input) other.value = "";
    shot = null;
    show(input.files[0], false);
    form.querySelector("[data-file-name]").textContent = input.files[0].name;
  };

  const openCamera = async () => {
    // Nothing looks at a face before its owner has agreed.
    if (!form.elements.consent.reportValidity()) return;
    note.textContent = "";
    try {
      if (form.elements.ticket) form.elements.ticket.value = await ticket(form);
      shot = (await photograph(dialog)) ?? shot;
      if (!shot) return;
      for (const input of inputs) input.value = "";
      show(shot, true);
      form.requestSubmit();
    } catch (error) {
      note.textContent = dialog.dataset[REASONS[error.name] ?? "busy"];
      form.querySelector(".by-camera")?.classList.remove("replaced");
    }
  };

  // The answer's address once there is one; a refusal takes the place of this page, with its words.
  const deliver = async (body) => {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const answer = await fetch(form.action, { method: "POST", body });
        if (answer.redirected) return location.assign(answer.url);
        return replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } catch {
        told.textContent = told.dataset.lost;
        await sleep(WAITS[Math.min(attempt, WAITS.length - 1)]);
      }
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!inputs.length && !shot) return openCamera();
    const body = new FormData(form);
    if (shot) body.set("selfie", shot, "selfie.jpg");
    button.disabled = true;
    told.textContent = told.dataset.words;
    deliver(body);
  });

  for (const input of inputs) input.addEventListener("change", () => input.files.length && choose(input));
  // Back from the result, the page may come out of the browser's cache with the button still shut.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    button.disabled = false;
    told.textContent = "";
  });
  opener.addEventListener("click", openCamera);
  button.classList.remove("primary"); // one thing at a time: first a picture
  if (navigator.mediaDevices?.getUserMedia) {
    opener.hidden = false;
    form.querySelector(".by-camera")?.classList.add("replaced");
    openAgain(dialog, openCamera);
  } else note.textContent = isSecureContext ? dialog.dataset.missing : dialog.dataset.noHttps;
};

// After a selfie that would not do, the camera is ready for the next one; not where that would bring up a question.
const openAgain = async (dialog, open) => {
  if (!("again" in dialog.dataset)) return;
  const permission = await navigator.permissions?.query({ name: "camera" }).catch(() => null);
  if (permission?.state === "granted") open();
};

const replace = (page) => {
  document.title = page.title;
  document.querySelector("main").replaceWith(page.querySelector("main"));
  scrollTo(0, 0);
  document.querySelector("main").focus();
  const form = document.getElementById("selfie-form");
  if (form) prepare(form);
};

const form = document.getElementById("selfie-form");
if (form) prepare(form);
