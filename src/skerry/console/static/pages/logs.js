// Logs: what everyone prints, as it is printed.

import { lines } from "../api.js";
import { h, render } from "../dom.js";
import { stackView } from "../exception.js";
import { count, several } from "../format.js";
import { docs } from "../live.js";
import { fieldsOf, level as kind, Lines, logLine, plain, ROW, stackOf } from "../logview.js";
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
let chosen = null; // the line whose fields are shown
let unfolded = false; // its stack, with the frames of libraries

const LEVELS = { "": "All levels", info: "Info and worse", warning: "Warnings and worse", error: "Errors" };

/** Whose logs, of which trace and level: what the fleet is asked for. */
function wish() {
  const { q = "", trace = "", level = "" } = route.query;
  const id = /^[0-9a-f]{32}$/i.test(q) ? q : trace; // an id that was pasted
  return { app: route.parts[0] || "", trace: id.toLowerCase(), level, q: id === q ? "" : q };
}

function begin(wanted) {
  const { app, trace, level } = wanted;
  const query = new URLSearchParams({ app, trace, level, lines: FIRST, follow: "true" }).toString();
  if (asked === query && stop) return;
  end();
  asked = query;
  failed = "";
  kept.clear();
  stop = new AbortController();
  const mine = stop;
  let waiting = false;
  lines(`/api/logs?${query}`, (line) => {
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
    setTimeout(() => { if (asked === query && !stop && route.page === "logs") begin(wanted); }, 2000);
    update();
  }
}

function end() {
  stop?.abort();
  stop = null;
  asked = null;
  frozen = null;
  chosen = null;
}

function refilter(q) {
  const wanted = `${asked}\n${q}`;
  if (wanted === filtered) return;
  filtered = wanted;
  let test = (text) => text.toLowerCase().includes(q.toLowerCase());
  if (q.length > 2 && q.startsWith("/") && q.endsWith("/")) {
    try {
      const pattern = new RegExp(q.slice(1, -1), "i");
      test = (text) => pattern.test(text);
    } catch { /* not one yet: it is being typed */ }
  }
  const says = (line) => [plain(line.text), line.source, line.logger || "", stackOf(line), ...fieldsOf(line).map((pair) => pair.join("="))];
  kept.filter((line) => !q || line.trace === q || says(line).some(test));
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
  render(window, shown.map((line, i) => logLine(line, i, chosen?.id ?? -1, choose)));
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
    const bottom = !chosen && el.scrollHeight - el.scrollTop - el.clientHeight < ROW * 1.5;
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

function choose(line) {
  chosen = chosen?.id === line.id ? null : line;
  follow = follow && !chosen;
  update();
  requestAnimationFrame(reveal);
}

/** The chosen line into sight. */
function reveal() {
  const at = chosen && port ? (frozen || kept.found).findIndex((line) => line.id === chosen.id) : -1;
  if (at < 0) return;
  const top = at * ROW;
  if (top < port.scrollTop) port.scrollTop = top;
  else if (top + ROW > port.scrollTop + port.clientHeight) port.scrollTop = top + ROW - port.clientHeight;
}

/** The next line, or the one before, into sight. */
function step(by) {
  const found = frozen || kept.found;
  if (!found.length) return false;
  const at = chosen ? found.findIndex((line) => line.id === chosen.id) : -1;
  const next = at < 0 ? (by > 0 ? Math.max(0, Math.ceil(port.scrollTop / ROW)) : found.length - 1) : Math.min(found.length - 1, Math.max(0, at + by));
  chosen = found[Math.min(next, found.length - 1)];
  follow = false;
  update();
  requestAnimationFrame(reveal);
  return true;
}

/** All that one line says. */
function inspector(line) {
  const stack = stackOf(line);
  const of = (name, value) => value && h("div", { key: name }, h("dt", null, name), h("dd", null, value));
  return h("section", { class: "card inspector", key: "inspector", "aria-label": "The line" },
    h("header", null,
      h("p", { class: `said ${kind(line)}` }, plain(line.text)),
      button("", () => { chosen = null; update(); }, { name: "close", title: "Close (Esc)", kind: "quiet square", key: "close" })),
    h("dl", null, of("time", h("span", { class: "mono" }, line.time)), of("from", h("a", { href: link("logs", [line.source]) }, line.source)), of("level", line.level), of("logger", line.logger),
      of("trace", line.trace && h("span", null, h("a", { class: "mono", href: link("traces", [line.trace], { span: line.span }) }, line.trace), " ", h("a", { href: link("logs", [], { trace: line.trace }) }, "all its lines"))),
      fieldsOf(line).map(([name, text]) => h("div", { key: `f-${name}` }, h("dt", null, name), h("dd", { class: "mono" }, text)))),
    stack && stackView({ stack }, unfolded, () => { unfolded = !unfolded; update(); }));
}

function view() {
  const wanted = wish();
  const { app, q, trace, level } = wanted;
  begin(wanted);
  refilter(q);
  requestAnimationFrame(draw);
  const status = docs.fleet;
  const names = status ? [...status.apps.filter((one) => one.kind !== "outside").map((one) => one.app), ...status.backings.map((row) => row.id), ...status.edges.map((row) => row.id), ...status.attendants.map((row) => row.id), "fleet"] : [];
  if (app && !names.includes(app)) names.unshift(app);
  return [
    h("div", { class: "headline", key: "headline" }, h("h1", null, "Logs"), h("p", { id: "log-count", own: true }),
      h("div", { class: "tools" },
        h("label", { class: "select" }, h("span", { class: "sr" }, "Of"), h("select", { value: app, onchange: (event) => go(link("logs", event.target.value ? [event.target.value] : [], route.query)) }, h("option", { value: "" }, "Everyone"), names.map((name) => h("option", { key: name, value: name, selected: name === app }, name)))),
        h("label", { class: "select" }, h("span", { class: "sr" }, "Level"), h("select", { value: level, onchange: (event) => amend({ level: event.target.value }) }, Object.entries(LEVELS).map(([name, label]) => h("option", { key: name, value: name, selected: name === level }, label)))),
        search(route.query.q || "", (text) => amend({ q: text }), { placeholder: "Text, /pattern/ or a trace’s id", wide: true }),
        button(frozen ? "Go on" : "Pause", pause, { name: frozen ? "play" : "pause", title: "Space", key: "pause" }),
        button("Follow", jump, { name: "down", kind: follow && !frozen ? "on" : "", key: "follow", title: "End" }),
        button("", () => attempt(() => copy(kept.found.map((line) => `${line.time} ${line.source} | ${[line.level, line.logger && `${line.logger}:`, plain(line.text), ...fieldsOf(line).map((pair) => pair.join("=")), line.trace && `[${line.trace}]`].filter(Boolean).join(" ")}`).join("\n"))), { name: "copy", title: "Copy what is shown", key: "copy" }))),
    trace && h("div", { class: "notice info of-one", key: "trace" }, "What was logged in trace ", h("a", { class: "mono", href: link("traces", [trace]) }, trace), ".", h("button", { type: "button", class: "button small quiet", onclick: () => amend({ trace: "", q }) }, "All lines")),
    failed && notice(failed),
    h("section", { class: "card flush logs", key: "logs" }, h("div", { class: "port", tabindex: "0", role: "log", "aria-live": "off", "aria-label": "Lines", mount, key: "port" }, h("div", { class: "sheet" }, h("div", { class: "window", own: true })))),
    chosen && inspector(chosen),
    !kept.all.length && !failed && empty(trace || level ? "No such line" : "Nothing yet", trace || level ? "Nobody has logged anything like that, as far back as the files were searched." : "Nobody has printed anything.", "logs"),
  ];
}

export default {
  title: "Logs", icon: "logs", key: "l", order: 20, view, leave: end,
  commands: ({ fleet }) => (fleet?.apps || []).map((app) => ({ kind: "Logs", icon: "logs", label: `Logs of ${app.app}`, hash: link("logs", [app.app]) })),
  keys: {
    j: () => step(1), k: () => step(-1), ArrowDown: () => step(1), ArrowUp: () => step(-1),
    Escape: () => { if (!chosen) return false; chosen = null; update(); return true; },
    Enter: () => (chosen?.trace ? go(link("traces", [chosen.trace], { span: chosen.span })) : false),
    " ": pause, End: jump, G: jump, Home: () => { follow = false; if (port) port.scrollTop = 0; update(); },
  },
  help: [["j k", "Next and previous line, with all it says"], ["Enter", "The trace it was logged in"], ["Space", "Pause and go on"], ["End", "To the newest line, and follow"], ["Home", "To the first"]],
};

