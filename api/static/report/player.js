// The recording: plays what is asked for, says where it is. Others talk to it through events:
// it hears "observer:play" {start, end?, label?} and tells "observer:time" {time}.
const words = JSON.parse(document.getElementById("words").textContent);
const player = document.getElementById("player");
const status = document.getElementById("status");
const fill = (key, gaps = {}) =>
  words[key].replace(/\{(\w+)\}/g, (_, name) => gaps[name] ?? "");
const clock = (t) => {
  const s = Math.floor(t), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
};

let stopAt = null; // a piece of evidence ends by itself
let wanted = null; // where to go once the recording is known

function turnOff(reason) {
  document.body.dataset.media = "none";
  for (const b of document.querySelectorAll("button.play, button.at")) {
    b.disabled = true;
    b.title = reason;
  }
  status.textContent = reason;
  const note = document.createElement("p");
  note.className = "warning";
  note.setAttribute("role", "note");
  note.textContent = reason;
  document.querySelector(".masthead .contents").before(note);
  document.getElementById("player-bar")?.remove();
}

function start({ start, end = null, label = "" }) {
  if (!player || document.body.dataset.media === "none") return;
  stopAt = end === null ? null : end + 0.35;
  wanted = Math.max(0, end === null ? start : start - 0.15);
  if (player.readyState >= 1) go();
  else player.load();
  status.textContent = `${fill("js.playing", { when: clock(start) })} ${label}`;
  document.dispatchEvent(new CustomEvent("observer:time", { detail: { time: start, asked: true } }));
}

function go() {
  if (wanted === null) return;
  player.currentTime = wanted;
  wanted = null;
  player.play().catch((error) => {
    if (error.name === "NotAllowedError") status.textContent = fill("js.refused");
  });
}

function wire() {
  const bar = document.getElementById("player-bar");
  const [toggle, seek, now] = ["toggle", "seek", "now"].map((id) => document.getElementById(id));
  player.controls = false;
  bar.querySelector(".controls").hidden = false;
  document.body.classList.add("has-player");
  const icon = toggle.querySelector("use");
  const shown = () => {
    icon.setAttribute("href", player.paused ? "#i-play" : "#i-pause");
    toggle.setAttribute("aria-label", fill(player.paused ? "js.play" : "js.pause"));
  };
  const tell = () => {
    const time = player.currentTime;
    if (stopAt !== null && time >= stopAt) {
      stopAt = null;
      player.pause();
    }
    now.textContent = clock(time);
    seek.value = time;
    seek.setAttribute("aria-valuetext", clock(time));
    document.dispatchEvent(new CustomEvent("observer:time", { detail: { time } }));
  };
  for (const name of ["play", "pause", "ended"]) player.addEventListener(name, shown);
  for (const name of ["timeupdate", "seeked"]) player.addEventListener(name, tell);
  player.addEventListener("loadedmetadata", go);
  // Between "timeupdate" events (four a second) the head would jump: follow every frame.
  const each = () => {
    if (!player.paused) tell();
    requestAnimationFrame(each);
  };
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) requestAnimationFrame(each);
  const free = () => { stopAt = null; };
  toggle.addEventListener("click", () => { free(); player.paused ? player.play() : player.pause(); });
  seek.addEventListener("input", () => { free(); player.currentTime = Number(seek.value); });
  document.getElementById("back").addEventListener("click", () => { free(); player.currentTime -= 5; });
  document.getElementById("forth").addEventListener("click", () => { free(); player.currentTime += 5; });
  document.getElementById("speed").addEventListener("change", (e) => {
    player.playbackRate = Number(e.target.value);
  });
  enlarge(bar, document.getElementById("larger"));
  const sources = player.querySelectorAll("source");
  sources[sources.length - 1].addEventListener("error", () =>
    turnOff(fill("js.missing", { name: player.dataset.name })));
}

// A large picture has the browser's own controls (whole screen, volume) and its captions on; on the
// small one words could not be read, and the sentence stands below the timeline anyway.
function enlarge(bar, button) {
  if (!button) return;
  const turn = (large) => {
    bar.classList.toggle("large", large);
    button.setAttribute("aria-pressed", large);
    player.controls = large;
    for (const track of player.textTracks) track.mode = large ? "showing" : "hidden";
  };
  button.addEventListener("click", () => turn(!bar.classList.contains("large")));
  player.addEventListener("click", () => { if (!bar.classList.contains("large")) turn(true); });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !bar.classList.contains("large")) return;
    turn(false);
    button.focus();
  });
}

function keys(event) {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (target.closest("input, select, textarea, [contenteditable]")) return;
  if (!document.getElementById("keys").checked) return;
  if (event.key === " " && !target.closest("button, summary, a, [role=button]")) {
    document.getElementById("toggle").click();
  } else if (event.key === "ArrowLeft" && !target.closest(".score")) {
    document.getElementById("back").click();
  } else if (event.key === "ArrowRight" && !target.closest(".score")) {
    document.getElementById("forth").click();
  } else return;
  event.preventDefault();
}

document.addEventListener("observer:play", (event) => start(event.detail));
document.addEventListener("click", (event) => {
  const piece = event.target.closest("[data-play], [data-go]");
  if (!piece || piece.disabled) return;
  const { start: from, end, go: onward } = piece.dataset;
  const detail = onward === undefined
    ? { start: Number(from), end: Number(end), label: piece.getAttribute("aria-label") ?? "" }
    : { start: Number(onward) };
  document.dispatchEvent(new CustomEvent("observer:play", { detail }));
});
if (player) {
  wire();
  document.addEventListener("keydown", keys);
}
addEventListener("beforeprint", () => {
  for (const d of document.querySelectorAll("details:not(.screen)")) d.open = true;
});
