// A worker that hashes one file after another, so that the page stays smooth.
import { Sha256 } from "./sha256.js";

// Up to here the browser's own digest, several times as fast; beyond, or without https, piece by piece.
const WHOLE = 16_000_000;

const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const sum = async (file) => {
  if (self.crypto?.subtle && file.size <= WHOLE) {
    return hex(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  }
  const pieces = file.stream().getReader();
  const sha256 = new Sha256();
  for (;;) {
    const { done, value } = await pieces.read();
    if (done) return sha256.hex();
    sha256.update(value);
  }
};

// null: it cannot be read.
self.addEventListener("message", async ({ data: file }) => self.postMessage(await sum(file).catch(() => null)));
