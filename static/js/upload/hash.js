// A worker that hashes one file after another, so that the page stays smooth and no two files are in memory at once.
const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

self.addEventListener("message", async ({ data: file }) => {
  try {
    self.postMessage(hex(await crypto.subtle.digest("SHA-256", await file.arrayBuffer())));
  } catch {
    self.postMessage(null);
  }
});
