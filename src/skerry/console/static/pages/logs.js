// Logs: what everyone prints, as it is printed.

import { lines } from "../api.js";
import { h, render } from "../dom.js";
import { count, several } from "../format.js";
import { docs } from "../live.js";
import { Lines, logLine, plain, ROW } from "../logview.js";
import { amend, go, link, route } from "../router.js";
import { attempt, button, copy, empty, notice, search } from "../ui.js";
import { update } from "../update.js";

const FIRST = 2000;
const kept = new Lines();
let asked = null; // whose logs these are
let stop = null;
let failed = "";
let follow = true;
let frozen = null; // the lines that stay while it is paused
let port = null; // the element that scrolls
let filtered = "";

function begin(app) {
  if (asked === app && stop) return;
  end();
  asked = app;
  failed = "";
  kept.clear();
  stop = new AbortController();
  const mine = stop;
  let waiting = false;
  lines(`/api/logs?app=${encodeURIComponent(app)}&lines=${FIRST}&follow=true`, (line) => {
    if (mine !== stop) return;
    kept.add(line);
    if (!waiting) {
      waiting = true;
      requestAnimationFrame(() => { waiting = false; draw(); });
    }
  }, stop.signal).then(() => over("The fleet has ended.")).catch((error) => { if (error.name !== "AbortError") over(error.message); });
  function over(text) {
    if (mine !== stop) return;
    failed = text;
    stop = null;
    setTimeout(() => { if (asked === app && !stop && route.page === "logs") begin(app); }, 2000);
    update();
  }
}

function end() {
  stop?.abort();
  stop = null;
  asked = null;
  frozen = null;
}

function refilter(q, app) {
  const wanted = `${app}\n${q}`;
  if (wanted === filtered) return;
  filtered = wanted;
  let test = (text) => text.toLowerCase().includes(q.toLowerCase());
  if (q.length > 2 && q.startsWith("/") && q.endsWith("/")) {
    try {
      const pattern = new RegExp(q.slice(1, -1), "i");
      test = (text) => pattern.test(text);
    } catch { /* not one yet: it is being typed */ }
  }
  kept.filter((line) => !q || test(plain(line.text)) || test(line.source) || line.trace === q);
}

/** Only what is in sight, and as much above and below. */
function draw() {
  if (!port) return;
  const found = frozen || kept.found;
  const body = port.firstElementChild;
  body.style.height = `${found.length * ROW}px`;
  if (follow && !frozen) port.scrollTop = found.length * ROW;
  const first = Math.max(0, Math.floor(port.scrollTop / ROW) - 20);
  const shown = found.slice(first, first + Math.ceil(port.clientHeight / ROW) + 40);
  const window = body.firstElementChild;
  window.style.transform = `translateY(${first * ROW}px)`;
  render(window, shown.map(logLine));
  const said = document.getElementById("log-count");
  if (said) said.textContent = summary();
}

function summary() {
  const late = frozen ? kept.found.length - frozen.length : 0;
  const all = kept.all.length === kept.found.length ? several(kept.all.length, "line") : `${count(kept.found.length)} of ${several(kept.all.length, "line")}`;
  return late > 0 ? `${all}, ${count(late)} new` : all;
}

function mount(el) {
  port = el;
  const scrolled = () => {
    const bottom = el.scrollHeight - el.scrollTop - el.clientHeight < ROW * 1.5;
    if (bottom !== follow && !frozen) { follow = bottom; update(); }
    draw();
  };
  const watcher = new ResizeObserver(draw);
  el.addEventListener("scroll", scrolled, { passive: true });
  watcher.observe(el);
  draw();
  return () => { watcher.disconnect(); port = null; };
}

function pause() {
  frozen = frozen ? null : [...kept.found];
  if (!frozen) follow = true;
  update();
  draw();
}

function jump() {
  frozen = null;
  follow = true;
  update();
  draw();
}

function view() {
  const app = route.parts[0] || "";
  const { q = "" } = route.query;
  begin(app);
  refilter(q, app);
  requestAnimationFrame(draw);
  const status = docs.fleet;
  const names = status ? [...status.apps.filter((one) => one.kind !== "outside").map((one) => one.app), ...status.backings.map((row) => row.id), ...status.edges.map((row) => row.id), ...status.attendants.map((row) => row.id), "fleet"] : [];
  if (app && !names.includes(app)) names.unshift(app);
  return [
    h("div", { class: "headline", key: "headline" }, h("h1", null, "Logs"), h("p", { id: "log-count", own: true }),
      h("div", { class: "tools" },
        h("label", { class: "select" }, h("span", { class: "sr" }, "Of"), h("select", { value: app, onchange: (event) => go(link("logs", event.target.value ? [event.target.value] : [], route.query)) }, h("option", { value: "" }, "Everyone"), names.map((name) => h("option", { key: name, value: name, selected: name === app }, name)))),
        search(q, (text) => amend({ q: text }), { placeholder: "Filter, or /pattern/", wide: true }),
        button(frozen ? "Go on" : "Pause", pause, { name: frozen ? "play" : "pause", title: "Space", key: "pause" }),
        button("Follow", jump, { name: "down", kind: follow && !frozen ? "on" : "", key: "follow", title: "End" }),
        button("", () => attempt(() => copy(kept.found.map((line) => `${line.time} ${line.source} | ${plain(line.text)}`).join("\n"))), { name: "copy", title: "Copy what is shown", key: "copy" }))),
    failed && notice(failed),
    h("section", { class: "card flush logs", key: "logs" }, h("div", { class: "port", tabindex: "0", role: "log", "aria-live": "off", "aria-label": "Lines", mount, key: "port" }, h("div", { class: "sheet" }, h("div", { class: "window", own: true })))),
    !kept.all.length && !failed && empty("Nothing yet", "Nobody has printed anything.", "logs"),
  ];
}

export default {
  title: "Logs", icon: "logs", key: "l", order: 20, view, leave: end,
  commands: ({ fleet }) => (fleet?.apps || []).map((app) => ({ kind: "Logs", icon: "logs", label: `Logs of ${app.app}`, hash: link("logs", [app.app]) })),
  keys: { " ": pause, End: jump, G: jump, Home: () => { follow = false; if (port) port.scrollTop = 0; update(); } },
  help: [["Space", "Pause and go on"], ["End", "To the newest line, and follow"], ["Home", "To the first"]],
};

