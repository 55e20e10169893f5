// The transcript: the current sentence follows the player; search, filter, j and k.
const words = JSON.parse(document.getElementById("words").textContent);
const box = document.getElementById("lines-box");
const all = [...document.querySelectorAll("#lines > li")];
const timed = all.filter((li) => li.dataset.start !== undefined);
const starts = timed.map((li) => Number(li.dataset.start));
const follow = document.getElementById("follow");
const caption = document.getElementById("caption");
let current = -1;

// The last sentence that has begun: a binary search, for it runs on every frame.
function indexAt(time) {
  let low = 0, high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= time + 0.01) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function show(index) {
  if (index === current) return;
  timed[current]?.removeAttribute("aria-current");
  current = index;
  const line = timed[index];
  if (!line) return;
  line.setAttribute("aria-current", "true");
  if (caption) {
    caption.className = `caption ${line.classList.contains("of-teacher") ? "of-teacher" : "of-student"}`;
    caption.textContent = line.querySelector(".said").textContent;
  }
  if (follow.checked && !line.hidden && box.clientHeight > 0) bring(line, 6);
}

// Only the box scrolls: the reader's place on the page is left alone. Lines that were never drawn
// have guessed heights, so a long jump is corrected until it arrives.
function bring(line, tries) {
  const far = line.offsetTop - box.clientHeight / 3 - box.scrollTop;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (Math.abs(far) <= box.clientHeight && !still) box.scrollBy({ top: far, behavior: "smooth" });
  else if (Math.abs(far) > 2 && tries) {
    box.scrollTop += far;
    requestAnimationFrame(() => timed[current] === line && bring(line, tries - 1));
  }
}

function sift() {
  const words_ = document.getElementById("search").value.trim().toLowerCase();
  const role = document.getElementById("filter").value;
  let n = 0;
  for (const line of all) {
    const said = line.querySelector(".said");
    const fits =
      (!role || (role === "?" ? line.querySelector(".tag") : line.dataset.role === role)) &&
      (!words_ || said.textContent.toLowerCase().includes(words_));
    line.hidden = !fits;
    n += fits ? 1 : 0;
    mark(said, fits ? words_ : "");
  }
  const sifted = Boolean(words_ || role);
  box.classList.toggle("sifted", sifted);
  document.getElementById("found").textContent = sifted
    ? words["js.found"].replace("{n}", n) : "";
}

// Text nodes and <mark> elements are built by hand: words are never read as HTML.
function mark(said, sought) {
  const text = said.textContent;
  if (!sought && !said.querySelector("mark")) return;
  said.replaceChildren();
  const small = text.toLowerCase();
  let at = 0;
  for (let hit = sought ? small.indexOf(sought) : -1; hit >= 0; hit = small.indexOf(sought, at)) {
    const found = document.createElement("mark");
    found.textContent = text.slice(hit, hit + sought.length);
    said.append(text.slice(at, hit), found);
    at = hit + sought.length;
  }
  said.append(text.slice(at));
}

function step(by) {
  let next = current + by;
  while (timed[next]?.hidden) next += by;
  const line = timed[next];
  if (!line) return;
  const detail = { start: Number(line.dataset.start) };
  document.dispatchEvent(new CustomEvent("observer:play", { detail }));
}

if (box) {
  document.addEventListener("observer:time", (event) => show(indexAt(event.detail.time)));
  let pause = 0;
  document.getElementById("search").addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(sift, 120);
  });
  document.getElementById("filter").addEventListener("change", sift);
  document.querySelector("form.tools").addEventListener("submit", (event) => {
    event.preventDefault();
    sift();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea")) return;
    if (!document.getElementById("keys").checked) return;
    if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "/") {
      document.getElementById("search").focus();
      event.preventDefault();
    }
  });
  // A link to a sentence must not lead to one that the filter hides.
  addEventListener("hashchange", () => {
    const line = document.getElementById(location.hash.slice(1));
    if (line?.hidden) {
      document.getElementById("search").value = "";
      document.getElementById("filter").value = "";
      sift();
      line.scrollIntoView({ block: "center" });
    }
  });
}
