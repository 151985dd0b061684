// An upload without its page: what was chosen, what became of each file, and when the next one is sent.
//
// Every file is in exactly one state, so the numbers add up at every moment:
// chosen = waiting + sending + sent + here + refused + failed.
// A file waits unseen (not hashed yet), asked (its name is taken by other bytes), or to be sent.
import { Trouble } from "./server.js";

export const STATES = ["waiting", "sending", "sent", "here", "refused", "failed"];
const LANES = 3;
const MOST_FAULTS = 5;
const BATCH = { files: 200, milliseconds: 1000 };
const REST = { first: 500, longest: 30_000, signedOut: 5_000 };

const pause = (milliseconds, wakeable) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wakeable(() => {
      clearTimeout(timer);
      resolve();
    });
  });

// A file that was changed or taken away since it was chosen breaks its request as a lost network does.
const isReadable = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

export class Upload {
  #items = Object.fromEntries(STATES.map((state) => [state, new Set()]));
  // Those that wait, in the order of their turn. Whoever was let go meanwhile waits no longer.
  #unseen = [];
  #asked = [];
  #toSend = [];
  #looking = false;
  #trouble = null; // why nothing is sent: "lost", "signedOut", "gone", "full"; "resting" for a moment's rest
  #paused = false;
  #setbacks = 0;
  #waiting = []; // resolvers of those who wait until sending is allowed
  #wake = () => {};

  // `hash(file)` gives the SHA-256, null when the file cannot be read.
  // `refusal(file)` gives the name of a reason not to send it, or null.
  // `changed()` is called after every change, `settled(item)` when a file has come to its end, for now.
  constructor({ server, hash, refusal = () => null, changed = () => {}, settled = () => {}, wait = pause }) {
    Object.assign(this, { server, hash, refusal, changed, settled, wait });
  }

  get numbers() {
    const counts = Object.fromEntries(STATES.map((state) => [state, this.#items[state].size]));
    return { chosen: Object.values(counts).reduce((sum, count) => sum + count), ...counts };
  }

  // Of all that was chosen, the part that is dealt with, 0 to 1; files on their way count by their bytes.
  get part() {
    const { chosen, waiting, sending } = this.numbers;
    const flying = [...this.#items.sending].reduce((sum, item) => sum + item.part, 0);
    return chosen ? (chosen - waiting - sending + flying) / chosen : 0;
  }

  get isUnsent() {
    return this.#unsettled > 0;
  }

  get #unsettled() {
    return this.#items.waiting.size + this.#items.sending.size;
  }

  // How many names are taken. None while files are still looked at, so that it is asked once for all.
  get question() {
    return this.#looking || this.#unseen.length ? 0 : this.#asked.length;
  }

  get status() {
    if (!this.numbers.chosen) return "idle";
    if (!this.isUnsent) return this.#items.failed.size ? "some" : "done";
    if (this.#paused) return "paused";
    if (this.#trouble && this.#trouble !== "resting") return this.#trouble;
    return this.question && this.question === this.#unsettled ? "asking" : "sending";
  }

  // Somebody chooses anew: where all is well, the numbers begin at nought. Says whether they did.
  begin() {
    if (this.status !== "done") return false;
    for (const state of STATES) this.#items[state].clear();
    return true;
  }

  // Each `{ path, file, refused }`; with `refused`, a reason's name, it is counted and not sent.
  add(files) {
    this.#forgetFailed(new Set(files.map(({ path }) => path)));
    for (const { path, file, refused } of files) {
      const item = { path, file, state: "waiting", reason: null, part: 0 };
      Object.assign(item, { sha256: null, replaces: null, wasTried: false, faults: 0 });
      this.#items.waiting.add(item);
      if (refused) this.#move(item, "refused", refused);
      else if (!file) this.#move(item, "failed", "unreadable");
      else this.#unseen.push(item);
    }
    this.#look();
    this.changed();
  }

  retry() {
    for (const item of this.#items.failed) {
      item.faults = 0;
      this.#move(item, "waiting");
      (item.sha256 ? this.#toSend : this.#unseen).push(item);
    }
    this.#look();
    this.#pump();
  }

  // "replace", "both" or "skip", for all whose names are taken.
  answer(choice) {
    for (const item of this.#asked.splice(0)) {
      if (choice === "skip") {
        this.#move(item, "refused", "skipped");
        continue;
      }
      if (choice === "both") item.replaces = null;
      this.#toSend.push(item);
    }
    this.#pump();
  }

  pause() {
    this.#paused = true;
    this.changed();
  }

  goOn() {
    this.#paused = false;
    this.nudge();
    this.#allow();
  }

  // Send no more of it.
  leaveTheRest() {
    for (const item of this.#items.waiting) this.#move(item, "refused", "left");
    for (const queue of [this.#unseen, this.#asked, this.#toSend]) queue.length = 0;
    this.goOn();
  }

  // The world may be better now: try at once.
  nudge() {
    this.#wake();
  }

  // The network went away, or the session: known before a request has failed.
  doubt() {
    if (this.isUnsent) this.#stumble(new Trouble("lost"));
  }

  // Chosen again, a file that failed before is counted once.
  #forgetFailed(paths) {
    for (const item of this.#items.failed) {
      if (!paths.has(item.path)) continue;
      this.#items.failed.delete(item);
      item.reason = null;
      this.settled(item);
    }
  }

  #move(item, state, reason = null) {
    this.#items[item.state].delete(item);
    this.#items[state].add(item);
    Object.assign(item, { state, reason, part: 0 });
    if (["sent", "here", "refused"].includes(state)) item.file = null;
    if (!["waiting", "sending"].includes(state)) this.settled(item);
    this.changed();
  }

  // Hash, then ask which are missing; a second's worth at a time, so that sending starts soon.
  async #look() {
    if (this.#looking) return;
    this.#looking = true;
    while (this.#unseen.length) {
      const batch = await this.#hashed();
      if (batch.length) await this.#sort(batch);
      this.#pump();
    }
    this.#looking = false;
    this.changed();
  }

  async #hashed() {
    const batch = [];
    const end = performance.now() + BATCH.milliseconds;
    while (this.#unseen.length && batch.length < BATCH.files && performance.now() < end) {
      const item = this.#unseen.shift();
      const refused = item.file && (await this.refusal(item.file));
      if (item.state !== "waiting") continue;
      if (refused) {
        this.#move(item, "refused", refused);
        continue;
      }
      item.sha256 = await this.hash(item.file);
      if (item.state !== "waiting") continue;
      if (item.sha256) batch.push(item);
      else this.#move(item, "failed", "unreadable");
    }
    return batch;
  }

  async #sort(batch) {
    const found = await this.#patiently(() => this.server.look(batch));
    for (const item of batch.filter((each) => each.state === "waiting")) {
      if (found instanceof Trouble) this.#move(item, "failed", found.reason || "broken");
      else if (found.here.has(item.sha256)) this.#move(item, "here");
      else if (found.beyond.has(item.sha256)) this.#putAside(item, found.beyond.get(item.sha256));
      else if ((item.replaces = found.namesake(item))) this.#asked.push(item);
      else this.#toSend.push(item);
    }
  }

  // Tried again, it is asked about again: there may be room then.
  #putAside(item, reason) {
    item.sha256 = null;
    this.#move(item, "failed", reason);
  }

  // The answer; or the trouble, when waiting does not help.
  async #patiently(ask) {
    for (let faults = 0; ; ) {
      await this.#allowed();
      try {
        return await ask();
      } catch (trouble) {
        if (trouble.kind === "refused" || (faults += trouble.kind === "fault") === MOST_FAULTS) return trouble;
        await this.#stumble(trouble);
      }
    }
  }

  get #isOpen() {
    return !this.#trouble && !this.#paused;
  }

  #allowed() {
    return this.#isOpen ? null : new Promise((resolve) => this.#waiting.push(resolve));
  }

  #allow() {
    if (this.#isOpen) {
      for (const resolve of this.#waiting.splice(0)) resolve();
      this.#pump();
    }
    this.changed();
  }

  #pump() {
    while (this.#isOpen && this.#items.sending.size < LANES && this.#toSend.length) this.#send(this.#toSend.shift());
    this.changed();
  }

  async #send(item) {
    this.#move(item, "sending");
    try {
      const { state, reason } = await this.#deliver(item);
      this.#setbacks = 0;
      this.#move(item, state, reason);
    } catch (trouble) {
      await this.#putBack(item, trouble);
    }
    this.#pump();
  }

  // An answer that never came may have been a yes: then it is not sent a second time.
  async #deliver(item) {
    const again = item.wasTried;
    if (again && (await this.server.look([item])).here.has(item.sha256)) return { state: "sent" };
    item.wasTried = true;
    const answer = await this.server.send(item, (part) => {
      item.part = part;
      this.changed();
    });
    return again && answer.state === "here" ? { state: "sent" } : answer;
  }

  async #putBack(item, trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
    if (trouble.kind === "lost" && !(await isReadable(item.file))) return this.#move(item, "failed", "unreadable");
    if (trouble.kind === "refused") return this.#move(item, "failed", trouble.reason || "broken");
    this.#move(item, "waiting");
    const atOnce = await this.#stumble(trouble);
    if (item.state !== "waiting") return;
    item.faults += trouble.kind === "fault" || (trouble.kind === "lost" && atOnce);
    if (item.faults >= MOST_FAULTS) this.#move(item, "failed", trouble.reason || "broken");
    else this.#toSend.unshift(item);
  }

  // Stop sending, rest, and knock until the server lets us in again. True when it did so at once, which makes a broken
  // connection the file's own fault.
  async #stumble(trouble) {
    if (this.#trouble) return false;
    this.#trouble = trouble.kind === "full" ? "full" : "resting";
    this.changed();
    let found = await this.server.knock();
    const atOnce = found === "open";
    if (atOnce) await this.#rest(trouble.seconds * 1000);
    while (found !== "open") {
      this.#trouble = found;
      this.changed();
      await this.#rest(found === "lost" ? 0 : REST.signedOut);
      found = await this.server.knock();
    }
    this.#trouble = null;
    this.#allow();
    return atOnce;
  }

  // Longer each time, and never quite the same, so that many pages do not come back at one moment.
  #rest(least) {
    const backoff = Math.min(REST.first * 2 ** this.#setbacks, REST.longest);
    this.#setbacks += 1;
    const milliseconds = Math.max(least, least ? 0 : backoff) * (0.75 + Math.random() / 2);
    return this.wait(milliseconds, (wake) => (this.#wake = wake));
  }
}
