// The one place that talks to the server. Every failure becomes a Trouble, which says what kind of waiting helps.
const SILENCE = 60_000; // milliseconds without a byte moving before a request is given up
const KNOCK = 15_000;

export class Trouble extends Error {
  // "refused": trying again is of no use. "fault": perhaps this file's. "busy", "full", "lost", "signedOut", "gone": nobody's.
  constructor(kind, { reason = "", seconds = 0 } = {}) {
    super(kind);
    Object.assign(this, { kind, reason, seconds });
  }
}

const KINDS = { 0: "lost", 401: "signedOut", 403: "fault", 404: "gone", 429: "busy", 500: "fault", 507: "full" };

const trouble = (status, problem, retryAfter) => {
  const kind = KINDS[status] ?? (status > 500 ? "busy" : "refused");
  return new Trouble(kind, { reason: problem?.detail ?? "", seconds: Number(retryAfter) || 0 });
};

export class Server {
  #token;

  // Addresses: `photos` takes one file, `check` tells what is missing, `door` says whether we are signed in.
  constructor({ photos, check, door, token }) {
    Object.assign(this, { photos, check, door });
    this.#token = token;
  }

  // Which of the items' bytes the album has, and which of their names it has with other bytes.
  async look(items) {
    const files = items.map(({ file, path, sha256 }) => ({ name: file.name, path, size: file.size, sha256 }));
    const answer = await this.#post(this.check, JSON.stringify({ files }), "application/json");
    const namesakes = new Map(answer.same_name.map((each) => [`${each.sha256} ${each.path}`, each.id]));
    return {
      here: new Set(answer.duplicate),
      // By their hash, why there is no room for them.
      beyond: new Map(answer.over_quota.map((each) => [each.sha256, each.detail])),
      namesake: (item) => namesakes.get(`${item.sha256} ${item.path}`) ?? null,
    };
  }

  // What became of one file: { state: "sent" | "here" | "refused", reason }.
  async send(item, moved) {
    const body = new FormData();
    body.append("file", item.file, item.file.name);
    body.append("path", item.path);
    if (item.replaces) body.append("replaces", item.replaces);
    const { rejected, duplicates } = await this.#post(this.photos, body, null, moved);
    if (rejected.length) return { state: "refused", reason: rejected[0].detail };
    return { state: duplicates.length ? "here" : "sent" };
  }

  // "open" (and a fresh token is at hand), "signedOut", "gone", or "lost".
  async knock() {
    try {
      const options = { redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(KNOCK) };
      const answer = await fetch(this.door, options);
      if (answer.type === "opaqueredirect") return "signedOut";
      if (answer.status === 404) return "gone";
      if (!answer.ok) return "lost";
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      this.#token = page.querySelector("[name=csrfmiddlewaretoken]").value;
      return "open";
    } catch {
      return "lost";
    }
  }

  // XMLHttpRequest tells how far a body has got, which fetch cannot: so a dead connection is known from a slow one.
  #post(url, body, type, moved = () => {}) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      let silence;
      const alive = () => {
        clearTimeout(silence);
        silence = setTimeout(() => request.abort(), SILENCE);
      };
      request.upload.addEventListener("progress", ({ loaded, total }) => {
        alive();
        moved(loaded / (total || 1));
      });
      request.addEventListener("loadend", () => {
        clearTimeout(silence);
        if (request.status >= 200 && request.status < 300 && request.response) resolve(request.response);
        else reject(trouble(request.status, request.response, request.getResponseHeader("Retry-After")));
      });
      request.open("POST", url);
      request.responseType = "json";
      request.setRequestHeader("X-CSRFToken", this.#token);
      if (type) request.setRequestHeader("Content-Type", type);
      alive();
      request.send(body);
    });
  }
}
