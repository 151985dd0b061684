// The upload's queue against a server that breaks in every way it can, drawn by chance; run by test_upload_queue.py.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { isHidden, refusal, sizeRefusal } from "../static/js/upload/files.js";
import { Trouble } from "../static/js/upload/server.js";
import { Sha256 } from "../static/js/upload/sha256.js";
import { STATES, Upload } from "../static/js/upload/queue.js";

const random = (seed) => () => {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
  return seed / 2_147_483_648;
};

// Keeps what arrives; answers some requests with trouble, before or after it has kept the file.
class RoughServer {
  album = new Map();
  signedIn = true;
  reachable = true;
  constructor(chance, roughness) {
    Object.assign(this, { chance, roughness });
  }
  trouble() {
    if (!this.reachable) throw new Trouble("lost");
    if (!this.signedIn) throw new Trouble("signedOut");
    const kinds = ["lost", "busy", "fault", "signedOut", "full"];
    const kind = kinds[Math.floor(this.chance() * kinds.length)];
    if (this.chance() > this.roughness) return;
    if (kind === "signedOut") this.signedIn = false;
    if (kind === "lost") this.reachable = false;
    throw new Trouble(kind);
  }
  async look(items) {
    await null;
    this.trouble();
    return { here: new Set(items.map((item) => item.sha256).filter((sum) => this.album.has(sum))), beyond: new Map(), namesake: () => null };
  }
  async send(item) {
    await null;
    this.trouble();
    if (item.file.name.startsWith("poison")) throw new Trouble("fault", { reason: "Something went wrong." });
    const here = this.album.has(item.sha256);
    this.album.set(item.sha256, (this.album.get(item.sha256) ?? 0) + !here);
    // The answer may get lost after the file was kept.
    this.trouble();
    return { state: here ? "here" : "sent" };
  }
  async knock() {
    // Signing in, and a network that comes back: sooner or later.
    if (this.chance() < 0.3) this.signedIn = true;
    if (this.chance() < 0.3) this.reachable = true;
    return !this.reachable ? "lost" : this.signedIn ? "open" : "signedOut";
  }
}

const file = (name) => ({ name, size: 1, slice: () => ({ arrayBuffer: async () => new ArrayBuffer(1) }) });
const named = (...names) => names.map((name) => ({ path: name, file: file(name) }));

const adds = (upload) => {
  const { chosen, ...rest } = upload.numbers;
  assert.deepEqual(Object.keys(rest), STATES);
  assert.equal(chosen, Object.values(rest).reduce((sum, count) => sum + count));
};

const begin = (server, more = {}) => {
  let most = 0;
  const upload = new Upload({
    server,
    hash: async ({ name }) => `sum of ${name}`,
    wait: async (_, wakeable) => wakeable(() => {}),
    changed: () => {
      if (!upload) return;
      adds(upload);
      most = Math.max(most, upload.numbers.sending);
      assert.ok(most <= 3, "more than three at a time");
    },
    ...more,
  });
  return upload;
};

const finished = async (upload) => {
  for (let turns = 0; upload.isUnsent; turns += 1) {
    assert.ok(turns < 200_000, `stuck: ${JSON.stringify(upload.numbers)} ${upload.status}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
};

const tests = {
  async "everything arrives once, whatever breaks"() {
    for (let seed = 1; seed <= 40; seed += 1) {
      const server = new RoughServer(random(seed), 0.15);
      const upload = begin(server);
      upload.add(named(...Array.from({ length: 120 }, (_, number) => `${number}.jpg`)));
      await finished(upload);
      for (let round = 0; upload.numbers.failed && round < 20; round += 1) {
        upload.retry();
        await finished(upload);
      }
      assert.deepEqual([upload.numbers.sent, upload.numbers.failed, server.album.size], [120, 0, 120], `seed ${seed}`);
      assert.deepEqual(new Set(server.album.values()), new Set([1]));
    }
  },

  async "a poisoned file fails with its reason and its neighbours arrive"() {
    const server = new RoughServer(random(1), 0);
    const upload = begin(server);
    upload.add(named("a.jpg", "poison.jpg", "b.jpg"));
    const settled = [];
    upload.settled = (item) => settled.push([item.path, item.state, item.reason]);
    await finished(upload);
    assert.deepEqual([upload.numbers.sent, upload.numbers.failed, upload.status], [2, 1, "some"]);
    assert.deepEqual(settled.at(-1), ["poison.jpg", "failed", "Something went wrong."]);
  },

  async "a full disk is told of, costs no file a try, and is waited for"() {
    const server = new RoughServer(random(1), 0);
    let refusals = 0;
    const { send } = server;
    server.send = async (item) => {
      if (refusals < 50) {
        refusals += 1;
        throw new Trouble("full", { reason: "The server's disk is full.", seconds: 30 });
      }
      return send.call(server, item);
    };
    const seen = new Map();
    const waits = [];
    const wait = async (milliseconds, wakeable) => {
      waits.push(milliseconds);
      seen.set(upload.status, upload.numbers.sending);
      wakeable(() => {});
    };
    const upload = begin(server, { wait });
    upload.add(named("a.jpg", "b.jpg", "c.jpg", "d.jpg"));
    await finished(upload);
    assert.deepEqual([...seen.keys()], ["full"]);
    assert.ok(waits.every((milliseconds) => milliseconds >= 22_500), "it knocks too often");
    assert.deepEqual([upload.numbers.sent, upload.numbers.failed, upload.status], [4, 0, "done"]);
  },

  async "a file that cannot be read fails alone, and is looked at anew on retry"() {
    let readable = false;
    const server = new RoughServer(random(1), 0);
    const upload = begin(server, { hash: async ({ name }) => (name === "cloud.jpg" && !readable ? null : name) });
    upload.add(named("cloud.jpg", "a.jpg"));
    await finished(upload);
    assert.deepEqual([upload.numbers.sent, upload.numbers.failed], [1, 1]);
    readable = true;
    upload.retry();
    await finished(upload);
    assert.deepEqual([upload.numbers.sent, upload.numbers.failed, upload.status], [2, 0, "done"]);
  },

  async "what was left out is counted, and never sent"() {
    const server = new RoughServer(random(1), 0);
    const upload = begin(server, { refusal: ({ name }) => (name === "big.jpg" ? "large" : null) });
    upload.add([...named("a.jpg", "big.jpg"), { path: "film.mov", file: file("film.mov"), refused: "video" }]);
    await finished(upload);
    assert.deepEqual([upload.numbers.chosen, upload.numbers.sent, upload.numbers.refused], [3, 1, 2]);
    assert.equal(server.album.size, 1);
  },

  async "taken names are asked for once, and each answer does what it says"() {
    for (const [choice, sent, replaced] of [["replace", 3, 2], ["both", 3, 0], ["skip", 1, 0]]) {
      const server = new RoughServer(random(1), 0);
      let replacing = 0;
      const { look, send } = server;
      server.look = async (items) => ({
        ...(await look.call(server, items)),
        namesake: (item) => (item.path.startsWith("taken") ? "an id" : null),
      });
      server.send = async (item) => {
        replacing += item.replaces === "an id";
        return send.call(server, item);
      };
      const upload = begin(server);
      upload.add(named("taken-1.jpg", "new.jpg", "taken-2.jpg"));
      while (upload.status !== "asking") await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual([upload.question, upload.numbers.sent, upload.numbers.waiting], [2, 1, 2]);
      upload.answer(choice);
      await finished(upload);
      assert.deepEqual([upload.numbers.sent, replacing, upload.numbers.refused], [sent, replaced, 3 - sent], choice);
    }
  },

  "a sum of pieces is the sum of the whole"() {
    const chance = random(7);
    for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 4_000, 100_001]) {
      const bytes = randomBytes(length);
      const sha256 = new Sha256();
      for (let at = 0, step; at < length; at += step) {
        step = 1 + Math.floor(chance() * 300);
        sha256.update(bytes.subarray(at, at + step));
      }
      assert.equal(sha256.hex(), createHash("sha256").update(bytes).digest("hex"), `${length} bytes`);
    }
  },

  async "what is no photo is known by its name, and by its size"() {
    const kind = (name, type = "") => refusal({ name, type });
    for (const raw of ["a.CR2", "a.cr3", "a.NEF", "a.arw", "a.dng", "a.RAF", "a.orf", "a.rw2"]) assert.equal(kind(raw), "raw");
    for (const video of ["a.mp4", "a.MOV", "a.m4v"]) assert.equal(kind(video, "video/mp4"), "video");
    assert.equal(kind("a.tif", "image/tiff"), "picture");
    assert.deepEqual([kind("a.xmp"), kind("a.pdf", "application/pdf"), kind("a.gifv", "image/gif")], ["other", "other", "other"]);
    const sized = (size, read = async () => null) => sizeRefusal({ size, arrayBuffer: read }, 10);
    const gone = sized(0, () => Promise.reject(new Error("gone")));
    assert.deepEqual(await Promise.all([sized(0), sized(11), sized(10), gone]), ["empty", "large", null, null]);
    for (const photo of ["a.JPG", "a.jpeg", "a.png", "a.webp", "a.heic", "a.HIF", "photo"]) assert.equal(kind(photo), null);
    assert.equal(kind("image", "image/jpeg"), null);
    for (const hidden of [".DS_Store", "a/._b.jpg", "a/Thumbs.db", "__MACOSX/a.jpg", ".git/a.jpg"]) assert.ok(isHidden(hidden));
    assert.ok(!isHidden("a.b/c.jpg"));
  },

  async "chosen again, a file that failed is counted once, and a new upload begins at nought"() {
    let readable = false;
    const upload = begin(new RoughServer(random(1), 0), { hash: async ({ name }) => (readable ? name : null) });
    upload.add(named("a.jpg", "b.jpg"));
    await finished(upload);
    readable = true;
    upload.add(named("a.jpg", "b.jpg"));
    await finished(upload);
    assert.deepEqual([upload.numbers.chosen, upload.numbers.sent, upload.status], [2, 2, "done"]);
    assert.ok(upload.begin());
    upload.add(named("a.jpg"));
    await finished(upload);
    assert.deepEqual([upload.numbers.chosen, upload.numbers.here], [1, 1]);
  },

  async "what there is no room for is not sent, says why, and is asked about again"() {
    const server = new RoughServer(random(1), 0);
    const { look } = server;
    let beyond = new Map([["sum of b.jpg", "This account keeps 1 photos at most."]]);
    server.look = async (items) => ({ ...(await look.call(server, items)), beyond });
    const upload = begin(server);
    const settled = [];
    upload.settled = (item) => settled.push([item.path, item.state, item.reason]);
    upload.add(named("a.jpg", "b.jpg"));
    await finished(upload);
    assert.deepEqual([upload.numbers.sent, upload.numbers.failed, server.album.size], [1, 1, 1]);
    assert.deepEqual(settled[0], ["b.jpg", "failed", "This account keeps 1 photos at most."]);
    upload.retry();
    await finished(upload);
    assert.deepEqual([upload.numbers.failed, server.album.size], [1, 1]);
    beyond = new Map();
    upload.retry();
    await finished(upload);
    assert.deepEqual([upload.numbers.sent, upload.status, server.album.size], [2, "done", 2]);
  },

  async "paused, nothing goes; what is left out then is not sent later"() {
    const server = new RoughServer(random(1), 0);
    const upload = begin(server);
    upload.pause();
    upload.add(named("a.jpg", "b.jpg"));
    for (let turns = 0; turns < 50; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([upload.numbers.waiting, upload.status, server.album.size], [2, "paused", 0]);
    upload.leaveTheRest();
    upload.add(named("c.jpg"));
    await finished(upload);
    assert.deepEqual([...server.album.keys()], ["sum of c.jpg"]);
    assert.deepEqual([upload.numbers.refused, upload.numbers.sent], [2, 1]);
  },
};

for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
  } catch (error) {
    error.message = `${name}: ${error.message}`;
    throw error;
  }
}
console.log(`${Object.keys(tests).length} passed`);
