// Resumable transfer of one file by tus 1.0.0 (https://tus.io/protocols/resumable-upload): blocks
// of 8 MiB, each with a SHA-256 where the browser can make one; lost connections are waited out.
const BLOCK = 8 * 1024 * 1024;
const VERSION = { "Tus-Resumable": "1.0.0" };
const HOME = "/api/v1/uploads";
const LONGEST_PAUSE = 30;

/** The server will not take the file: `message` says why, `final` whether trying again is idle. */
export class Refused extends Error {
  constructor(message, { final = true, lesson = "" } = {}) {
    super(message);
    this.final = final;
    this.lesson = lesson;
  }
}

class Lost extends Error {}

/** My uploads that are not complete. */
export async function unfinished() {
  const response = await fetch(HOME, { headers: { Accept: "application/json" } });
  if (!response.ok) return [];
  const found = await response.json();
  return (found.items ?? found.uploads ?? found).filter((u) => u.offset < u.size && !Object.keys(u.outcome).length);
}

/** Cancel an upload; what was sent is removed. */
export async function forget(url) {
  await fetch(url, { method: "DELETE", headers: VERSION }).catch(() => {});
}

function base64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

const encode = (details) => Object.entries(details)
  .map(([key, value]) => `${key} ${base64(new TextEncoder().encode(String(value)))}`).join(",");

async function checksum(block) {
  if (!globalThis.crypto?.subtle) return {}; // plain http in a school's network
  const digest = await crypto.subtle.digest("SHA-256", await block.arrayBuffer());
  return { "Upload-Checksum": `sha256 ${base64(new Uint8Array(digest))}` };
}

export class Transfer {
  constructor(file, details, url = null) {
    this.file = file;
    this.details = details;
    this.url = url;
    this.stopped = false;
  }

  /** Pause; `run` then throws, and may be called again. */
  stop() {
    this.stopped = true;
    this.request?.abort();
    this.wake?.();
  }

  /** Send what is missing; what became of the file comes back: {lesson, recording, run}. */
  async run({ progress, lost }) {
    this.stopped = false;
    for (let tries = 0; ; tries += 1) {
      const before = this.sent ?? 0;
      try {
        return await this.attempt(progress);
      } catch (error) {
        if (!(error instanceof Lost) || this.stopped) throw error;
        if ((this.sent ?? 0) > before) tries = 0;
        const seconds = Math.min(LONGEST_PAUSE, 2 ** Math.min(tries, 5));
        lost(seconds);
        await new Promise((resolve) => { this.wake = resolve; setTimeout(resolve, 1000 * seconds); });
        if (this.stopped) throw error;
      }
    }
  }

  async attempt(progress) {
    if (!this.url) await this.create();
    let at = Number((await this.ask("HEAD", this.url)).getResponseHeader("Upload-Offset") ?? 0);
    progress(at);
    while (at < this.file.size) {
      const block = this.file.slice(at, at + BLOCK);
      const answer = await this.ask("PATCH", this.url, {
        "Content-Type": "application/offset+octet-stream", "Upload-Offset": at, ...await checksum(block),
      }, block, (sent) => progress(Math.min(this.file.size - 1, at + sent)));
      at = Number(answer.getResponseHeader("Upload-Offset"));
      this.sent = at;
      progress(at);
    }
    return this.outcome();
  }

  async create() {
    const answer = await this.ask("POST", HOME, {
      "Upload-Length": this.file.size, "Upload-Metadata": encode(this.details),
    });
    this.url = new URL(answer.getResponseHeader("Location"), location.href).pathname;
  }

  /** What the server made of the whole file. */
  async outcome() {
    const answer = await this.ask("GET", HOME);
    const found = JSON.parse(answer.responseText);
    const mine = (found.items ?? found.uploads ?? found).find((u) => u.url === this.url);
    if (!mine?.outcome?.lesson) throw new Lost("not taken in yet");
    return mine.outcome;
  }

  ask(method, url, headers = {}, body = null, sent = null) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      this.request = request;
      request.open(method, url);
      for (const [name, value] of Object.entries({ ...VERSION, Accept: "application/json", ...headers })) {
        request.setRequestHeader(name, value);
      }
      if (sent) request.upload.addEventListener("progress", (event) => sent(event.loaded));
      request.addEventListener("error", () => reject(new Lost("no connection")));
      request.addEventListener("abort", () => reject(new Lost("stopped")));
      request.addEventListener("load", () => {
        if (request.status < 400) resolve(request);
        else this.refuse(request).then(reject, reject);
      });
      if (this.stopped) return reject(new Lost("stopped"));
      return request.send(body);
    });
  }

  /** The error that an answer stands for: lost (try again by itself) or refused (tell). */
  async refuse(request) {
    const { status } = request;
    let problem = {};
    try {
      problem = JSON.parse(request.responseText || "{}");
    } catch { /* a proxy's page */ }
    const kind = String(problem.type ?? "").split(/[/#:]/).pop();
    const offset = status === 409 && kind === "transfer";
    if (offset || status === 423 || status === 460 || (status >= 500 && status !== 507) || status === 429) {
      return new Lost(problem.detail ?? `status ${status}`);
    }
    if (status === 404 || status === 410) this.url = null;
    let lesson = problem.lesson ?? problem.lesson_id ?? "";
    if (kind === "duplicate" && !lesson && this.url) lesson = await this.duplicated();
    if (kind === "duplicate" && this.url) { await forget(this.url); this.url = null; }
    // HEAD has no body: the reason stands in the list of uploads.
    const text = problem.detail ?? await this.reason();
    return new Refused(text, { final: ![401, 404, 410, 507].includes(status), lesson });
  }

  async mine() {
    const response = await fetch(HOME, { headers: { Accept: "application/json" } });
    if (!response.ok) return null;
    const found = await response.json();
    return (found.items ?? found.uploads ?? found).find((u) => u.url === this.url) ?? null;
  }

  async duplicated() {
    return (await this.mine())?.outcome?.error?.lesson ?? "";
  }

  async reason() {
    const error = this.url ? (await this.mine())?.outcome?.error : null;
    return error?.[document.documentElement.lang.startsWith("zh") ? "zh" : "en"] ?? "";
  }
}
