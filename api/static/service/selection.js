// How many lessons are picked for the ZIP; without any the button rests.
const form = document.getElementById("selection");
if (form) {
  const button = form.querySelector("[data-zip]");
  const said = form.querySelector("[data-picked]");
  const all = [...document.querySelectorAll('input[name="lesson"][form="selection"]')];
  const open = all.filter((box) => !box.disabled); // only what has a report
  const every = form.querySelector("[data-all]");
  form.hidden = open.length === 0;
  every.addEventListener("change", () => {
    for (const box of open) box.checked = every.checked;
    tell();
  });
  const tell = () => {
    const n = all.filter((box) => box.checked).length;
    button.disabled = n === 0;
    every.checked = n > 0 && n === open.length;
    every.indeterminate = n > 0 && n < open.length;
    said.textContent = n ? form.dataset.words.replace("{n}", n) : "";
  };
  for (const box of all) box.addEventListener("change", tell);
  addEventListener("pageshow", tell);
  tell();
}
