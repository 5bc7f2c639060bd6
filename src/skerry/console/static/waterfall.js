// A trace as it went: rows of which only those in sight are elements, on a time line that zooms.

import { h, render } from "./dom.js";
import { exceptionOf } from "./exception.js";
import { docs } from "./live.js";
import { minimap } from "./minimap.js";
import { amend, go, link, route } from "./router.js";
import { spanDetail } from "./spandetail.js";
import { heightOf, LOG, logRow, SPAN, spanRow, WRONG, wrongRow } from "./spanrow.js";
import { headline, legend, notes, ruler, switches } from "./tracehead.js";
import { readLines, readLinks, readTrace } from "./traceload.js";
import { empty } from "./ui.js";
import { update } from "./update.js";

const YOUNG = 15; // seconds since its end in which more of a trace may come
const AGAIN = 2000; // milliseconds until it is asked for again
const DEEPEST = 24;
const UNKEPT = "This fleet has no collector that would keep traces: `[observe] collector = true` gives it one.";
const SPARE = 400; // pixels above and below what is in sight

let id = "";
let trace = null;
let failed = "";
let stop = null;
let timer = null;
let before = new Map(); // links by span
let after = new Map();
let logs = new Map(); // lines by span
let logged = 0;
let items = []; // what stands below each other: spans, exceptions, lines
let tops = []; // pixels above each of them, and of all
let selected = null; // number of a row
let panel = false;
let zoom = [0, 1];
let faint = null; // whether a row is not what is looked for
let port = null;
const collapsed = new Set();
const opened = new Set();
const unfolded = new Set();

// -- what is known -----------------------------------------------------------------------------

function begin(wanted) {
  if (wanted === id) return;
  end();
  id = wanted;
  load(true);
}

export const shown = () => !!id;

export function end() {
  stop?.abort();
  clearTimeout(timer);
  id = "";
  trace = null;
  failed = "";
  selected = null;
  logged = 0;
  for (const one of [collapsed, opened, unfolded, before, after, logs]) one.clear();
}

async function load(first) {
  stop?.abort();
  clearTimeout(timer);
  stop = new AbortController();
  const { signal } = stop;
  try {
    if (docs.fleet && !docs.fleet.collector) throw new Error(UNKEPT);
    const found = await readTrace(id, signal);
    failed = "";
    if (first || found.rows.length !== trace?.rows.length) take(found, first);
    readLinks(id, signal).then((links) => { ({ before, after } = links); update(); }).catch(() => {});
    readLines(trace, signal).then((said) => { logs = said.bySpan; logged = said.count; changed(); }).catch(() => {});
    const late = Date.now() / 1000 - found.began - found.duration / 1e6;
    if (late < YOUNG) timer = setTimeout(() => load(false), AGAIN);
  } catch (error) {
    if (error.name === "AbortError") return;
    failed = error.message;
    if (first && error.status === 404) timer = setTimeout(() => load(true), AGAIN);
  }
  update();
}

function take(found, first) {
  const held = trace && selected !== null ? trace.rows[selected].id : route.query.span;
  trace = found;
  for (const numbers of [collapsed, opened, unfolded]) numbers.clear(); // rows have others now
  const wrong = trace.rows.filter((row) => row.stacked);
  if (wrong.length === 1) opened.add(wrong[0].number);
  const at = trace.rows.findIndex((row) => row.id === held);
  selected = at < 0 ? null : at;
  panel = first ? selected !== null : panel;
  arrange();
  if (first && selected !== null) requestAnimationFrame(() => requestAnimationFrame(() => reveal(selected)));
}

// -- what is shown -----------------------------------------------------------------------------

const showsLogs = () => route.query.logs !== "0" && logged > 0;
const showsCritical = () => route.query.critical !== "0";

function arrange() {
  if (!trace) return;
  items = [];
  const withLogs = showsLogs();
  for (let number = 0; number < trace.rows.length;) {
    const row = trace.rows[number];
    items.push({ row, kind: "span", height: SPAN });
    if (row.stacked) {
      const error = exceptionOf(row);
      items.push({ row, kind: "wrong", error, height: opened.has(number) ? heightOf(error, unfolded.has(number)) : WRONG });
    }
    if (withLogs) (logs.get(row.id) || []).forEach((line, i) => items.push({ row, kind: "log", line, i, height: LOG }));
    number += collapsed.has(number) ? row.size : 1;
  }
  tops = new Float64Array(items.length + 1);
  items.forEach((item, i) => { tops[i + 1] = tops[i] + item.height; });
}

function firstAt(pixel) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tops[middle + 1] <= pixel) low = middle + 1; else high = middle;
  }
  return low;
}

function context() {
  return {
    zoom, selected, collapsed, opened, unfolded, before, after, faint, pieces: trace.pieces, deepest: DEEPEST, critical: showsCritical(),
    select, flip, open, unfold, detail: (number) => { select(number); panel = true; update(); },
  };
}

/** Only what is in sight, and as much above and below. */
function draw() {
  if (!port || !trace) return;
  const [sheet] = port.children;
  sheet.style.height = `${tops[items.length]}px`;
  const first = firstAt(Math.max(0, port.scrollTop - SPARE));
  const last = Math.min(items.length, firstAt(port.scrollTop + port.clientHeight + SPARE) + 1);
  const shown = context();
  const [window] = sheet.children;
  window.style.transform = `translateY(${tops[first] || 0}px)`;
  render(window, items.slice(first, last).map((item) => {
    if (item.kind === "span") return spanRow(item.row, shown);
    return item.kind === "wrong" ? wrongRow(item.row, item.error, shown) : logRow(item.row, item.line, item.i, shown);
  }));
}

function mount(el) {
  port = el;
  const watcher = new ResizeObserver(draw);
  el.addEventListener("scroll", draw, { passive: true });
  el.addEventListener("wheel", closer, { passive: false });
  watcher.observe(el);
  draw();
  return () => { watcher.disconnect(); port = null; };
}

/** Ctrl and the wheel zoom around the pointer, as a pinch does. */
function closer(event) {
  const lane = event.target.closest(".line.span")?.querySelector(".lane")?.getBoundingClientRect();
  if (!event.ctrlKey || !lane) return;
  event.preventDefault();
  const share = Math.min(1, Math.max(0, (event.clientX - lane.left) / lane.width));
  const at = zoom[0] + share * (zoom[1] - zoom[0]);
  const factor = event.deltaY < 0 ? 0.8 : 1.25;
  zoomTo(at - (at - zoom[0]) * factor, at + (zoom[1] - at) * factor);
}

// -- what people do ----------------------------------------------------------------------------

let later = null;

/** The address is changed when things have settled: browsers allow it only so often. */
function remember(changes) {
  clearTimeout(later);
  const asked = id;
  later = setTimeout(() => { later = null; if (id === asked) amend(changes); }, 150);
}

function changed() {
  arrange();
  update();
}

function select(number) {
  selected = number;
  remember({ span: trace.rows[number].id });
  update();
}

function flip(number) {
  if (!collapsed.delete(number)) collapsed.add(number);
  changed();
}

function open(number) {
  if (!opened.delete(number)) opened.add(number);
  changed();
}

function unfold(number) {
  if (!unfolded.delete(number)) unfolded.add(number);
  changed();
}

/** Show a part of it, in microseconds; without one, all of it. */
function zoomTo(from, to) {
  if (from === null || to - from >= trace.duration) return fit();
  const middle = (from + to) / 2;
  const half = Math.max(2, to - from) / 2; // microseconds: nothing is told more finely
  return amend({ zoom: `${Math.round(Math.max(0, middle - half))}-${Math.round(Math.min(trace.duration, middle + half))}` });
}

const fit = () => amend({ zoom: "" });

function zoomed() {
  const whole = [0, Math.max(1, trace.duration)];
  const [from, to] = (route.query.zoom || "").split("-").map(Number);
  return to > from && from >= 0 && to <= whole[1] ? [from, to] : whole;
}

function reveal(number) {
  for (let above = trace.rows[number].parent, hidden = false; above >= 0; above = trace.rows[above].parent) {
    hidden = collapsed.delete(above) || hidden;
    if (hidden) arrange();
  }
  const at = items.findIndex((item) => item.kind === "span" && item.row.number === number);
  if (!port || at < 0) return;
  if (tops[at] < port.scrollTop) port.scrollTop = tops[at] - SPAN;
  else if (tops[at + 1] > port.scrollTop + port.clientHeight) port.scrollTop = tops[at + 1] - port.clientHeight + 2 * SPAN;
  draw();
}

function step(by) {
  return () => {
    const rows = items.filter((item) => item.kind === "span").map((item) => item.row.number);
    if (!rows.length) return;
    const at = rows.indexOf(selected);
    const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by))];
    select(next);
    reveal(next);
  };
}

function nextError() {
  const wrong = trace.rows.filter((row) => row.error);
  if (!wrong.length) return;
  const next = wrong.find((row) => row.number > (selected ?? -1)) || wrong[0];
  if (next.stacked) { opened.add(next.number); arrange(); }
  select(next.number);
  reveal(next.number);
}

function narrower() {
  const row = trace.rows[selected];
  if (!row) return;
  if (row.size > 1 && !collapsed.has(selected)) flip(selected);
  else if (row.parent >= 0) { select(row.parent); reveal(row.parent); }
}

function wider() {
  const row = trace.rows[selected];
  if (!row) return;
  if (collapsed.has(selected)) flip(selected);
  else if (row.size > 1) step(1)();
}

function leaveSpan() {
  if (panel) { panel = false; update(); } else if (route.query.zoom) fit(); else go(link("traces"));
}

// -- the page ----------------------------------------------------------------------------------

const critical = () => amend({ critical: showsCritical() ? "0" : "" });
const flipLogs = () => { amend({ logs: showsLogs() ? "0" : "" }); changed(); };

/** Whether a row is none of those that are looked for; null where nothing is. */
function unlike({ q = "", app = "" }) {
  if (!q && !app) return null;
  const wanted = q.toLowerCase();
  const has = (row) => `${row.app} ${row.name} ${row.error} ${row.id}`.toLowerCase().includes(wanted) || Object.entries(row.tags || {}).some(([name, value]) => `${name}=${value}`.toLowerCase().includes(wanted));
  return (row) => (app && row.app !== app) || (wanted && !has(row));
}

/** The address names another span: somebody went back, or followed a link. */
function follow() {
  const number = trace.rows.findIndex((row) => row.id === route.query.span);
  if (later || number < 0 || number === selected || trace.rows[selected]?.id === route.query.span) return;
  selected = number;
  panel = true;
  requestAnimationFrame(() => reveal(number));
}

let drawn = ""; // for which address the rows are arranged

export function view() {
  const [wanted] = route.parts;
  begin(wanted.toLowerCase());
  if (!trace) return failed ? [h("div", { class: "headline", key: "headline" }, h("a", { class: "button quiet square back", href: link("traces"), "aria-label": "All traces" }, "←"), h("h1", null, "Trace")), h("section", { class: "card", key: "none" }, empty("This trace is not here", failed, "traces", h("a", { class: "button", href: link("traces") }, "Search traces")))] : h("div", { class: "loading", key: "loading" }, "Reading the trace…");
  follow();
  zoom = zoomed();
  faint = unlike(route.query);
  const address = `${showsLogs()}`;
  if (address !== drawn) { drawn = address; arrange(); }
  requestAnimationFrame(draw);
  const row = panel && selected !== null ? trace.rows[selected] : null;
  return [
    headline(trace, nextError), notes(trace, failed),
    h("div", { class: `fall ${row ? "with-detail" : ""}`, key: "fall" },
      h("section", { class: "card flush rows", key: "rows" }, minimap(trace, zoom, zoomTo), switches(trace, { critical: showsCritical(), logs: showsLogs(), logged, zoomed: zoom[1] - zoom[0] < trace.duration }, { critical, flipLogs, fit }), legend(trace), ruler(zoom),
        h("div", { class: "port", key: "port", tabindex: "0", role: "treegrid", "aria-label": `Spans of ${trace.rows[0].app} ${trace.rows[0].name}`, "aria-rowcount": trace.rows.length, mount }, h("div", { class: "sheet" }, h("div", { class: "window", own: true })))),
      row && spanDetail(row, trace, { before, after, unfolded, unfold, close: () => { panel = false; update(); } })),
  ];
}

const ready = (doing) => () => (trace ? void doing() : false);

export const keys = {
  j: ready(() => step(1)()), k: ready(() => step(-1)()), ArrowDown: ready(() => step(1)()), ArrowUp: ready(() => step(-1)()),
  h: ready(narrower), ArrowLeft: ready(narrower), l: ready(wider), ArrowRight: ready(wider),
  Enter: ready(() => { if (selected === null) step(1)(); panel = !panel; update(); }),
  e: ready(nextError), f: ready(fit), c: ready(critical), o: ready(() => logged && flipLogs()), r: ready(() => load(false)),
  z: ready(() => { const row = trace.rows[selected]; if (row?.duration) zoomTo(row.start - row.duration * 0.05, row.start + row.duration * 1.05); }),
  Escape: leaveSpan,
};
