// The charts: drawings stay until Vega is there. When the first chart comes near it is unpacked, or
// fetched where the page stands in the service.
const packed = document.getElementById("vega");
const specs = JSON.parse(document.getElementById("specs").textContent);
const figures = [...document.querySelectorAll("figure[data-chart]")];
let loading = null;

function load() {
  loading ??= packed.dataset.address ? import(packed.dataset.address) : (async () => {
    const bytes = Uint8Array.from(atob(packed.textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.type = "module";
    script.textContent = await new Response(stream).text(); // allowed by its hash in the policy
    const ready = new Promise((resolve, reject) => {
      const wait = (left) => {
        if (window.vegaEmbed) resolve();
        else if (left) setTimeout(wait, 25, left - 1);
        else reject(new Error("vega did not start"));
      };
      wait(200);
    });
    document.head.append(script);
    await ready;
  })();
  return loading;
}

async function enliven(figure) {
  const { spec, stretches } = specs[figure.dataset.chart];
  const live = figure.querySelector(".live");
  await load();
  const wide = stretches ? { ...spec, width: "container", autosize: { type: "fit-x", contains: "padding" } } : spec;
  const { view } = await window.vegaEmbed(live, wide, {
    mode: "vega-lite", renderer: "svg", actions: false, ast: true,
    defaultStyle: false, tooltip: { disableDefaultStyle: true, theme: "custom" },
  });
  figure.classList.add("alive");
  if (stretches) view.resize().runAsync();
  view.addEventListener("click", (_event, item) => {
    const datum = item?.datum;
    if (!datum) return;
    const mark = datum.play && document.querySelector(`[data-play="${CSS.escape(datum.play)}"]`);
    const from = mark ? Number(mark.dataset.start) : datum.seconds;
    if (mark) document.dispatchEvent(new CustomEvent("observer:play", {
      detail: { start: from, end: Number(mark.dataset.end) } }));
    else if (datum.i !== undefined && from !== undefined) document.dispatchEvent(
      new CustomEvent("observer:play", { detail: { start: from } }));
  });
}

if (packed?.dataset.address || (packed && "DecompressionStream" in window)) {
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      // Where Vega cannot run the drawing stays: nothing is lost but the pointing.
      enliven(entry.target).catch((error) => console.info("chart stays a drawing:", error.message));
    }
  }, { rootMargin: "300px" });
  figures.forEach((figure) => near.observe(figure));
}
