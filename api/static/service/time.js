// Moments in the reader's own time zone. Without this the server's text stays, which names its zone.
const language = document.documentElement.lang;
const date = { year: "numeric", month: "short", day: "numeric" };
const day = new Intl.DateTimeFormat(language, date);
const minute = new Intl.DateTimeFormat(language, {
  ...date,
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const whole = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" });
for (const shown of document.querySelectorAll("time[datetime*=T]")) {
  const moment = new Date(shown.dateTime);
  shown.textContent = (shown.hasAttribute("data-day") ? day : minute).format(moment);
  shown.title = whole.format(moment); // with the zone
}
// A form that begins with today means the reader's day, too.
for (const place of document.querySelectorAll("[data-today]")) {
  const field = place.querySelector(`[name=${place.dataset.today}]`);
  if (field.value !== field.defaultValue) continue; // the browser has put back what was typed
  const here = new Date();
  field.value = new Date(here - here.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}
