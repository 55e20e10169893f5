// Progress of runs as it happens: one event stream for all runs of the page. When one ends the
// page is loaded anew, because then everything else on it changes too.
const words = JSON.parse(document.getElementById("progress-words").textContent);
const ENDS = new Set(["done", "failed", "cancelled", "set_aside"]);
const boxes = new Map([...document.querySelectorAll("[data-run]")].map((b) => [b.dataset.run, b]));
const fill = (key, n) => words[key].replace("{n}", n);

function rest(seconds) {
  if (seconds < 90) return fill("seconds", Math.max(5, Math.round(seconds / 5) * 5));
  return fill("minutes", Math.round(seconds / 60));
}

function show(box, told) {
  box.querySelector("progress").value = told.share;
  const waits = told.state === "queued";
  const stage = waits
    ? told.place ? fill("place", told.place) : words.queued
    : words.stages[told.stage] ?? words.working;
  const said = box.querySelector("[data-stage]");
  if (said.textContent !== stage) said.textContent = stage;
  const parts = [`${Math.round(100 * told.share)}%`];
  if (told.seconds_left !== null) parts.push(rest(told.seconds_left));
  box.querySelector("[data-left]").textContent = waits ? "" : parts.join(" · ");
  const steps = [...box.querySelectorAll("[data-steps] li")];
  const at = steps.findIndex((step) => step.dataset.name === told.stage);
  steps.forEach((step, i) => {
    step.className = at < 0 || i > at ? "" : i === at ? "now" : "past";
    i === at ? step.setAttribute("aria-current", "step") : step.removeAttribute("aria-current");
  });
}

if (boxes.size) {
  const asked = [...boxes.keys()].map((id) => `run=${id}`).join("&");
  const source = new EventSource(`/api/v1/runs/events?${asked}`);
  source.addEventListener("progress", (event) => {
    const told = JSON.parse(event.data);
    if (ENDS.has(told.state)) {
      source.close();
      location.reload();
    } else show(boxes.get(told.run), told);
  });
  addEventListener("pagehide", () => source.close());
}
