// Keeps a page as the desk knows it. Without this module the page reloads itself and everything still works.

const SILENT = 25_000; // the desk gives a sign of life each 10 s
const AGAIN = 4_000;

const { topic, after, now } = document.body.dataset;
const byId = (id) => document.getElementById(id);
const reduced = matchMedia("(prefers-reduced-motion: reduce)");
let heard = performance.now();
let reloading = false;

function parsed(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html; // written and escaped by our own server
  return holder.content;
}

function replaced(element, html) {
  if (element) element.replaceChildren(parsed(html));
}

function step({ key, before, html }) {
  const list = byId("steps");
  if (!list) return;
  const fresh = parsed(html).querySelector("li");
  const find = (wanted) => [...list.children].find((item) => item.dataset.key === wanted);
  const known = find(key);
  if (known) {
    known.replaceWith(fresh);
    return;
  }
  const following = scrollY > 0 && innerHeight + scrollY >= document.documentElement.scrollHeight - 160;
  fresh.classList.add("fresh");
  list.insertBefore(fresh, find(before) ?? null);
  if (following) fresh.scrollIntoView({ block: "nearest", behavior: reduced.matches ? "auto" : "smooth" });
}

function firstRead(part) {
  return [...part.querySelectorAll(".big, .later")].map((line) => line.textContent).join();
}

function head({ html }) {
  const place = byId("head");
  if (!place) return;
  const before = firstRead(place);
  const content = parsed(html);
  // Said aloud only when the line itself changes.
  place.setAttribute("aria-live", firstRead(content) === before ? "off" : "assertive");
  byId("where").textContent = content.querySelector("[data-where]").textContent;
  place.replaceChildren(content);
  document.querySelector(".orders").hidden = Boolean(place.querySelector(".headline.closed"));
}

let wanted = "";

function filtered() {
  const section = byId("rollcall");
  if (!section) return;
  const said = byId("room-filter").value.trim().toLowerCase();
  let seen = 0;
  for (const room of section.querySelectorAll(".room")) {
    const fits = room.dataset.name.includes(said) && (!wanted || room.dataset.kinds.split(" ").includes(wanted));
    room.hidden = !fits;
    if (fits) seen += 1;
  }
  for (const tile of section.querySelectorAll(".tile")) tile.setAttribute("aria-pressed", tile.dataset.kind === wanted);
  const nobody = section.querySelector(".nobody");
  if (nobody) nobody.hidden = seen > 0;
}

function rooms({ html }) {
  const section = byId("rollcall");
  if (!section) return;
  const focused = document.activeElement?.dataset?.kind;
  replaced(byId("rooms"), html);
  section.hidden = !html;
  filtered();
  if (focused) section.querySelector(`.tile[data-kind="${focused}"]`)?.focus();
}

function filter() {
  const section = byId("rollcall");
  if (!section) return;
  section.querySelector(".filter").hidden = false;
  byId("room-filter").addEventListener("input", filtered);
  section.addEventListener("click", (event) => {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    wanted = wanted === tile.dataset.kind ? "" : tile.dataset.kind;
    filtered();
  });
}

function list({ open, closed }) {
  if (!byId("open")) {
    reload();
    return;
  }
  replaced(byId("open"), open);
  replaced(byId("closed"), closed);
}

function ledger({ html }) {
  const place = byId("ledger");
  if (!place) return;
  if (byId("unplanned")) {
    reload(); // its texts are there now
    return;
  }
  // What somebody has opened stays open.
  const open = Boolean(place.querySelector("details[open]"));
  replaced(place, html);
  replaced(byId("sums"), "");
  const names = place.querySelector("details");
  if (open && names) names.open = true;
}

function reload() {
  if (reloading) return;
  if (document.querySelector("details[open]")) {
    // Somebody is about to order something: their page stays, and says that it is old.
    byId("stale").hidden = false;
    setTimeout(reload, AGAIN);
    return;
  }
  reloading = true;
  location.reload();
}

function listen() {
  const source = new EventSource(`/events?${new URLSearchParams({ topic, after })}`);
  const alive = () => {
    heard = performance.now();
    byId("stale").hidden = true;
  };
  const acts = {
    beat: () => {},
    step,
    head,
    list,
    rooms,
    texts: ({ html }) => replaced(byId("texts"), html),
    notices: ({ html }) => replaced(byId("notices"), html),
    banner: ({ html }) => replaced(byId("banner"), html),
    console: ({ html }) => replaced(byId("console"), html),
    alerts: ({ html }) => replaced(byId("alerts"), html),
    calling: ({ html }) => replaced(byId("calling"), html),
    ledger,
    sums: ({ html }) => replaced(byId("sums"), html),
    again: reload,
  };
  source.onopen = alive;
  for (const [kind, act] of Object.entries(acts)) {
    source.addEventListener(kind, (event) => {
      alive();
      act(event.data ? JSON.parse(event.data) : {});
    });
  }
  source.addEventListener("resync", () => {
    source.close();
    setTimeout(reload, 300 + Math.random() * 700); // not all screens in the same instant
  });
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(reload, AGAIN);
  };
}

function watch() {
  if (performance.now() - heard > SILENT) byId("stale").hidden = false;
}

function clock() {
  const place = document.querySelector("[data-since]");
  if (!place) return;
  const began = performance.now();
  const offset = (Number(now) - Number(place.dataset.since)) / 1e6;
  const padded = (value) => String(value).padStart(2, "0");
  const show = () => {
    place.hidden = Boolean(document.querySelector(".headline.closed"));
    const seconds = Math.max(0, Math.floor(offset + (performance.now() - began) / 1000));
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    place.textContent = `${hours ? `${hours}:` : ""}${padded(minutes)}:${padded(seconds % 60)} since the press`;
  };
  show();
  setInterval(show, 1000);
}

function once() {
  // A form is sent once; its verb is done once even if a browser sends it again.
  document.addEventListener("submit", (event) => {
    for (const button of event.target.querySelectorAll("button")) button.disabled = true;
  });
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("form button")) button.disabled = false;
  });
}

once();
filter();
clock();
listen();
setInterval(watch, 1000);
