// The score: a click plays from there, arrow keys move between marks, a line shows the moment.
const ask = (detail) => document.dispatchEvent(new CustomEvent("observer:play", { detail }));

for (const score of document.querySelectorAll("figure.score")) {
  const rows = [...score.querySelectorAll(".score-row")];
  const marks = [...score.querySelectorAll(".mark")].sort(
    (a, b) => Number(a.dataset.start) - Number(b.dataset.start));
  marks[0]?.setAttribute("tabindex", "0");

  score.addEventListener("click", (event) => {
    const row = event.target.closest(".score-row");
    if (!row || event.target.closest(".mark")) return;
    const place = row.getBoundingClientRect();
    const share = (event.clientX - place.left) / place.width;
    const start = Number(row.dataset.start) + share * Number(row.dataset.length);
    if (start <= Number(row.dataset.end)) ask({ start });
  });

  const move = (from, to) => {
    if (!to) return;
    from.setAttribute("tabindex", "-1");
    to.setAttribute("tabindex", "0");
    to.focus();
  };
  score.addEventListener("keydown", (event) => {
    const mark = event.target.closest(".mark");
    if (!mark) return;
    const at = marks.indexOf(mark);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: marks.length - 1 };
    if (event.key in next) move(mark, marks[next[event.key]]);
    else if (event.key === "Enter" || event.key === " ") {
      ask({
        start: Number(mark.dataset.start),
        end: Number(mark.dataset.end),
        label: mark.getAttribute("aria-label"),
      });
    } else return;
    event.preventDefault();
  });

  let lit = null;
  document.addEventListener("observer:time", ({ detail: { time } }) => {
    const row = rows.find((r) => {
      const start = Number(r.dataset.start);
      return time >= start && time < start + Number(r.dataset.length);
    });
    if (lit && lit !== row) lit.querySelector(".head").setAttribute("x1", "-9");
    if (lit && lit !== row) lit.querySelector(".head").setAttribute("x2", "-9");
    lit = row ?? null;
    if (!row) return;
    const share = (time - Number(row.dataset.start)) / Number(row.dataset.length);
    const head = row.querySelector(".head");
    head.setAttribute("x1", `${(100 * share).toFixed(3)}%`);
    head.setAttribute("x2", `${(100 * share).toFixed(3)}%`);
  });
}
