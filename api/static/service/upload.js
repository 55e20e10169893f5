// The upload page: files are listed, said of, then sent by tus (see tus.js), three lessons at a
// time. Subtitles or a transcript with a recording's name become part of its lesson.
import { Transfer, Refused, unfinished, forget } from "./tus.js";

const page = document.getElementById("uploads");
const words = JSON.parse(document.getElementById("upload-words")?.textContent ?? "{}");
const say = (key, gaps = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => gaps[name] ?? "");
const AT_ONCE = 3;
const TEXTS = /\.(srt|vtt|ass|ssa|txt|csv|tsv|json|docx|xlsx|textgrid|eaf|cha|rttm|stm|ctm)$/i;
const stem = (name) => name.replace(/\.[^.]*$/, "");
const items = [];
let known = [];

function size(bytes) {
  const units = ["B", "KB", "MB", "GB"];
  let at = 0;
  for (; bytes >= 1024 && at < 3; at += 1) bytes /= 1024;
  return `${bytes.toFixed(at === 3 ? 1 : 0)} ${units[at]}`;
}

const rest = (seconds) => seconds < 90
  ? say("seconds", { n: Math.max(1, Math.round(seconds)) })
  : say("minutes", { n: Math.round(seconds / 60) });

class Item {
  constructor(files) {
    this.files = files;
    this.at = 0; // which file is being sent
    this.state = "waiting";
    this.lesson = null;
    this.run = "";
    this.metadata = null;
    this.box = document.getElementById("item").content.firstElementChild.cloneNode(true);
    this.part("name").textContent = files[0].name;
    this.part("size").textContent = [size(files.reduce((n, f) => n + f.size, 0)),
      ...files.slice(1).map((f) => say("with", { name: f.name }))].join(" · ");
    this.part("title").value = stem(files[0].name);
    this.bar = this.box.querySelector("progress");
    this.bar.setAttribute("aria-label", files[0].name);
    for (const [name, action] of Object.entries({
      pause: () => this.pause(), resume: () => this.wait(), remove: () => this.remove(),
      anyway: () => { this.metadata.again = "yes"; this.wait(); },
    })) this.part(name).addEventListener("click", action);
    const earlier = known.find((u) => !u.outcome?.lesson && u.name === files[0].name && u.size === files[0].size);
    if (earlier) this.resumed = earlier;
    if (this.resumed) this.part("title").closest(".field").hidden = true;
    const wrong = files.find((f) => f.size === 0) ? say("empty")
      : files.find((f) => f.size > Number(page.dataset.largest)) ? say("too_large") : "";
    if (wrong) this.fail(wrong);
  }

  part(name) { return this.box.querySelector(`[data-${name}]`); }

  tell(text, state = this.state) {
    this.state = state;
    this.part("told").textContent = text;
    this.box.className = `item ${state}`;
    this.part("pause").hidden = state !== "sending";
    this.part("resume").hidden = !["paused", "failed"].includes(state) || this.final;
    this.part("resume").textContent = state === "failed" ? say("retry") : say("resume");
    this.part("remove").hidden = state === "arrived" || state === "checking";
    this.part("anyway").hidden = !this.duplicate || state !== "failed";
    document.getElementById("starter").hidden = !items.some((i) => i.state === "waiting");
  }

  fail(text, { final = true, duplicate = "" } = {}) {
    this.final = final;
    this.duplicate = duplicate;
    this.open(duplicate);
    this.tell(text, "failed");
    document.getElementById("said").textContent = `${this.files[0].name}: ${text}`;
  }

  open(lesson) {
    const link = this.part("open");
    link.hidden = !lesson;
    if (lesson) link.href = `/lessons/${lesson}`;
  }

  wait() {
    this.tell(say("waiting"), "ready");
    next();
  }

  pause() {
    this.transfer?.stop();
    this.tell(say("paused", { share: Math.round(100 * this.bar.value) }), "paused");
  }

  async remove() {
    this.state = "removed";
    const { transfer } = this;
    transfer?.stop();
    items.splice(items.indexOf(this), 1);
    this.box.remove();
    document.getElementById("starter").hidden = !items.some((i) => i.state === "waiting");
    if (transfer?.url) await forget(transfer.url);
    next();
  }

  details() {
    const file = this.files[this.at];
    if (this.at > 0) return { filename: file.name, lesson: this.lesson };
    const said = { filename: file.name, ...this.metadata };
    if (this.files.length > 1) said.more = "yes";
    return said;
  }

  async send() {
    this.tell(say("waiting"), "sending");
    this.bar.hidden = false;
    this.part("title").closest(".field").hidden = true;
    try {
      for (; this.at < this.files.length; this.at += 1) await this.sendOne();
      if (!this.run) await fetch(`/lessons/${this.lesson}/runs`, { method: "POST", redirect: "manual" });
      this.bar.value = 1;
      this.bar.hidden = true;
      this.open(this.lesson);
      this.tell(say("arrived"), "arrived");
      document.getElementById("said").textContent = `${this.files[0].name}: ${say("arrived")}`;
    } catch (error) {
      if (this.state !== "sending" && this.state !== "checking") return; // paused or removed
      if (!(error instanceof Refused)) throw error;
      this.fail(error.message || say("refused"), { final: error.final, duplicate: error.lesson });
    } finally {
      next();
    }
  }

  async sendOne() {
    const file = this.files[this.at];
    const first = this.at === 0 && this.resumed ? this.resumed.url : null;
    this.transfer = this.transfer?.file === file && this.transfer.url && !this.final
      ? this.transfer : new Transfer(file, this.details(), first);
    const begun = performance.now();
    let from = null;
    const outcome = await this.transfer.run({
      progress: (sent) => {
        from ??= sent;
        if (this.state === "removed" || this.state === "paused") return;
        this.bar.value = sent / file.size;
        const seconds = (performance.now() - begun) / 1000;
        const rate = (sent - from) / Math.max(0.3, seconds);
        const share = Math.floor(100 * sent / file.size);
        if (sent >= file.size) this.tell(say("checking"), "checking");
        else if (rate > 0 && seconds > 1) this.tell(say("sending", { share, rate: size(rate), left: rest((file.size - sent) / rate) }), "sending");
        else this.tell(`${share}%`, "sending");
      },
      lost: (seconds) => this.tell(say("lost", { n: seconds }), "sending"),
    });
    this.lesson = outcome.lesson;
    this.run = outcome.run ?? "";
  }
}

function next() {
  const busy = items.filter((i) => ["sending", "checking"].includes(i.state)).length;
  for (const item of items.filter((i) => i.state === "ready").slice(0, AT_ONCE - busy)) item.send();
}

function add(list) {
  const files = [...list];
  const texts = files.filter((f) => TEXTS.test(f.name));
  const recordings = files.filter((f) => !TEXTS.test(f.name));
  const taken = new Set();
  const groups = recordings.map((recording) => {
    const text = texts.find((f) => !taken.has(f) && stem(f.name) === stem(recording.name));
    if (text) taken.add(text);
    return text ? [recording, text] : [recording];
  });
  groups.push(...texts.filter((f) => !taken.has(f)).map((f) => [f]));
  for (const group of groups) {
    if (items.some((i) => i.files[0].name === group[0].name && i.files[0].size === group[0].size)) continue;
    const item = new Item(group);
    items.push(item);
    document.getElementById("queue").append(item.box);
    if (item.state === "waiting") item.resumed ? item.wait() : item.tell("");
  }
  document.getElementById("starter").hidden = !items.some((i) => i.state === "waiting");
}

function start() {
  const form = document.getElementById("about");
  const wrong = document.getElementById("wrong");
  wrong.hidden = form.checkValidity();
  if (!form.checkValidity()) {
    wrong.textContent = say("fill");
    return form.reportValidity();
  }
  const said = Object.fromEntries([...new FormData(form)].filter(([, value]) => value.trim() !== ""));
  for (const item of items.filter((i) => i.state === "waiting")) {
    item.metadata = { ...said, title: item.part("title").value.trim() || stem(item.files[0].name) };
    item.tell(say("waiting"), "ready");
  }
  // On a phone the button is below the list, which now has something to show.
  const queue = document.getElementById("queue");
  if (queue.getBoundingClientRect().bottom < 120) queue.scrollIntoView();
  return next();
}

async function showUnfinished() {
  known = await unfinished();
  const box = document.getElementById("unfinished");
  const list = box.querySelector("ul");
  list.replaceChildren(...known.map((upload) => {
    const line = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = `${upload.name} · ${Math.floor(100 * upload.offset / upload.size)}% / ${size(upload.size)}`;
    const button = document.createElement("button");
    button.className = "quiet";
    button.type = "button";
    button.textContent = say("forget");
    button.addEventListener("click", async () => {
      await forget(upload.url);
      await showUnfinished();
    });
    line.append(name, button);
    return line;
  }));
  box.hidden = known.length === 0;
}

if (page) {
  const drop = document.getElementById("drop");
  const files = document.getElementById("files");
  files.addEventListener("change", () => { add(files.files); files.value = ""; });
  for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); add(event.dataTransfer.files); });
  document.getElementById("about").addEventListener("submit", (event) => { event.preventDefault(); start(); });
  addEventListener("beforeunload", (event) => {
    if (items.some((i) => ["sending", "ready"].includes(i.state))) event.preventDefault();
  });
  const school = document.querySelector("select[name=school]");
  const teachers = document.querySelectorAll("#f-teacher optgroup");
  const only = () => teachers.forEach((g) => { g.hidden = g.disabled = g.dataset.school !== school.value; });
  if (school) { school.addEventListener("change", only); only(); }
  showUnfinished().catch(() => {}); // without the list everything else still works
}
