// Says so while the parts of a page that ask the server again and again get no answer; they go on by themselves.
const note = document.querySelector("[data-lost]");
const show = (lost) => (note.hidden = !lost);

document.addEventListener("htmx:sendError", () => show(true));
document.addEventListener("htmx:responseError", (event) => show(event.detail.xhr.status >= 500));
document.addEventListener("htmx:afterOnLoad", () => show(false));
addEventListener("offline", () => show(true));
addEventListener("online", () => show(false));
