// Keeps the training page up to date, and presses without leaving it. Without this module the forms work as they are.

const byId = (id) => document.getElementById(id);
const last = new Map();

function replaced(id, html) {
  if (last.get(id) === html) return;
  last.set(id, html);
  const place = byId(id);
  const opened = [...place.querySelectorAll("details[open]")].map((it) => it.dataset.reader);
  const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
  const holder = document.createElement("template");
  holder.innerHTML = html; // written and escaped by our own server
  place.replaceChildren(holder.content);
  for (const it of place.querySelectorAll("details")) it.open = opened.includes(it.dataset.reader);
  if (focused) byId(focused)?.focus();
}

function shown({ unit, level, connected, shows }) {
  const button = document.querySelector(`[data-unit="${CSS.escape(unit)}"]`);
  if (!button) return;
  const words = connected ? shows : "not connected";
  button.className = `unit ${level}${connected ? "" : " away"}`;
  button.ariaLabel = `Press ${unit}: ${words}`;
  button.title = words;
}

async function look() {
  try {
    const answer = await fetch("/state");
    const { units, pieces } = await answer.json();
    units.forEach(shown);
    for (const [id, html] of Object.entries(pieces)) replaced(id, html);
  } catch {
    byId("trouble").textContent = "The demo has ended, or does not answer.";
    last.clear();
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.matches(".faults")) return;
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form, event.submitter));
  const unit = fields.get("unit");
  let said = unit ? `${unit} was pressed.` : "";
  try {
    const answer = await fetch(form.action, { method: "POST", body: fields, redirect: "manual" });
    if (answer.status >= 400) said = `Not done: ${await answer.text()}`;
  } catch {
    said = "Not done: the demo has ended, or does not answer.";
  }
  byId("shows").textContent = said;
  await look();
});

async function watch() {
  await look();
  setTimeout(watch, 700);
}

watch();
