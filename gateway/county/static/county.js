// The telecommunicator's screen: what the county hears arrives by server-sent events, what a person does goes out by POST.

const calls = new Map();
const drawn = new Map();
const $ = (id) => document.getElementById(id);

const STATES = {
  new: "Waiting: no person has this call",
  acknowledged: "A person has this call",
  rejected: "Rejected",
  cancelled: "Cancelled, read back",
};
const STATUSES = [["assigned", "Assigned"], ["enroute", "En route"], ["onscene", "On scene"], ["closed", "Closed"]];

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });

async function post(path, body = {}) {
  try {
    const answer = await fetch(path, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) say(await answer.text(), true);
  } catch {
    say("The simulator does not answer", true);
  }
}

function say(text, lost = false) {
  $("line").textContent = text;
  $("line").classList.toggle("lost", lost);
}

const presses = (call) => call.presses.reduce((sum, [first, last]) => sum + last - first + 1, 0);

function headline(call) {
  const kind = call.kind ? call.kind.toUpperCase() : "CALL";
  const where = [call.place, call.building && !call.place.includes(call.building) ? `building ${call.building}` : ""];
  return [kind, where.filter(Boolean).join(", ") || "place not told yet"].join(" · ");
}

function asked(call) {
  if (call.asked === "cancel") return `The school cancels this call (${call.asked_on.join(", ")}). Read it back.`;
  if (call.asked === "correct") return `New place: ${call.place}. It was ${call.was || "not told"}. Read it back.`;
  return "";
}

function chips(call) {
  const first = Math.min(...Object.values(call.roads));
  return Object.entries(call.roads).sort((a, b) => a[1] - b[1]).map(([road, at]) => {
    const late = at - first;
    const after = late < 0.0005 ? time(at) : `+${late.toFixed(late < 10 ? 2 : 0)} s`;
    const told = call.told_on.includes(road) ? ", school knows" : "";
    return make("li", {}, make("b", {}, road), ` ${after}${told}`);
  });
}

function buttons(call) {
  const at = `/calls/${call.number}`;
  const row = [];
  if (call.asked) row.push(make("button", { class: "big", "data-do": "read-back", onclick: () => post(`${at}/read-back`) }, "Read back"));
  if (call.state === "new") {
    row.push(make("button", { class: "big", "data-do": "acknowledge", onclick: () => post(`${at}/acknowledge`) }, "Acknowledge"));
    row.push(make("button", { "data-do": "reject", onclick: () => post(`${at}/reject`) }, "Reject"));
  }
  if (call.state === "acknowledged") {
    for (const [status, words] of STATUSES) {
      const pressed = String(call.status === status);
      row.push(make("button", { "data-do": status, "aria-pressed": pressed, onclick: () => post(`${at}/status`, { status }) }, words));
    }
  }
  return row;
}

function draw(call) {
  const count = presses(call);
  const known = [`Call ${call.number}`, call.incident ? `incident ${call.incident}` : "", count === 1 ? "1 press" : `${count} presses`, `heard ${time(call.heard_at)}`];
  const title = make("h3", {}, call.exercise ? make("span", { class: "exercise" }, "EXERCISE") : "", headline(call));
  const states = STATES[call.state] + (call.by ? ` (${call.by})` : "");
  const item = make("li", { class: `call ${call.state} ${call.status}`, tabindex: "-1", "data-number": call.number },
    title,
    make("p", { class: "says" }, states),
    asked(call) ? make("p", { class: "asked" }, asked(call)) : "",
    make("ul", { class: "chips", "aria-label": "Roads it came on" }, ...chips(call)),
    make("p", { class: "facts" }, known.filter(Boolean).join(" · ")),
    make("div", { class: "buttons" }, ...buttons(call)));
  return item;
}

function show(call) {
  const before = calls.get(call.number);
  calls.set(call.number, call);
  const old = drawn.get(call.number);
  const held = old?.contains(document.activeElement);
  const doing = document.activeElement?.dataset?.do;
  const item = draw(call);
  drawn.set(call.number, item);
  const list = call.state === "new" || call.asked ? $("waiting") : $("taken");
  if (old?.parentElement === list) old.replaceWith(item);
  else {
    old?.remove();
    list.prepend(item);
  }
  if (held) (item.querySelector(`[data-do="${doing}"]`) ?? item.querySelector("button") ?? item).focus();
  if (!before || (call.asked && !before.asked)) $("loud").textContent = `${headline(call)}. ${asked(call) || STATES[call.state]}`;
}

function count() {
  const waiting = $("waiting").children.length;
  $("waiting-count").textContent = waiting || "";
  $("taken-count").textContent = $("taken").children.length || "";
  $("none").hidden = waiting > 0;
  document.title = waiting ? `(${waiting}) County screen` : "County screen";
}

let roads = "";
function around({ ends, tests }) {
  const seen = JSON.stringify(ends);
  if (seen !== roads) {
    roads = seen;
    $("roads").replaceChildren(...Object.entries(ends).map(([name, end]) => {
      const choose = make("select", { "aria-label": `What ${name} does wrong`, onchange: (event) => post("/fault", { end: name, fault: event.target.value }) },
        make("option", { value: "" }, "in order"),
        ...end.faults.map((fault) => make("option", { value: fault, selected: fault === end.fault }, fault)));
      return make("li", {}, make("b", {}, name), make("code", {}, end.address), make("span", { class: end.fault ? "bad" : "" }, end.open ? "" : "not open yet"), choose);
    }));
  }
  $("tests").replaceChildren(...(tests.length ? tests.slice().reverse().map((test) => make("li", {}, `${time(test.at)} test ${test.number} on ${test.end}`)) : [make("li", { class: "quiet" }, "None heard yet.")]));
}

const stream = new EventSource("/events");
stream.addEventListener("all", (event) => {
  const told = JSON.parse(event.data);
  calls.clear();
  drawn.clear();
  $("waiting").replaceChildren();
  $("taken").replaceChildren();
  told.calls.forEach(show);
  around(told);
  count();
  say("Live");
});
stream.addEventListener("some", (event) => {
  const told = JSON.parse(event.data);
  told.calls.forEach(show);
  around(told);
  count();
});
stream.addEventListener("error", () => say("Connection lost, trying again", true));

function step(by) {
  const items = [...document.querySelectorAll(".call")];
  const at = items.findIndex((item) => item.contains(document.activeElement));
  items[Math.max(0, Math.min(items.length - 1, at < 0 ? 0 : at + by))]?.focus();
}

const KEYS = { a: "acknowledge", b: "read-back", 1: "assigned", 2: "enroute", 3: "onscene", 4: "closed" };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, input")) return;
  const key = event.key.toLowerCase();
  if (key === "j") step(1);
  else if (key === "k") step(-1);
  else if (KEYS[key]) {
    const call = document.activeElement.closest?.(".call");
    call?.querySelector(`[data-do="${KEYS[key]}"]`)?.click();
  }
});
