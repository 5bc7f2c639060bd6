// Durations over time as dots: what is slow, when, and what failed. A drag selects a time.

import { h, lazy } from "./dom.js";
import { several } from "./format.js";
import { took } from "./span.js";

const HEIGHT = 168;
const EDGE = { left: 58, right: 14, top: 12, bottom: 24 };
const NEAR = 14; // pixels from a dot at which it is meant
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800];

let width = 0;
let drag = null; // {from, to} in pixels while something is selected
let near = null; // the dot under the pointer
let tell = () => {};

const two = (n) => String(n).padStart(2, "0");

/** A moment in Unix seconds as people read it on an axis whose labels are `step` seconds apart. */
export function moment(seconds, step = 1) {
  const at = new Date(seconds * 1000);
  const day = `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}`;
  if (step >= 86400) return day;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return step < 60 ? `${time}:${two(at.getSeconds())}` : time;
}

function scales(found) {
  const rows = found.traces.filter((one) => one.began);
  // Where there is more than was asked for, the rest of the time is not empty but not shown.
  const oldest = found.more && found.order === "newest" ? Math.min(...rows.map((one) => one.began)) : found.since;
  const first = Math.min(oldest, found.until - 0.001);
  const times = rows.map((one) => Math.max(one.seconds, 1e-6));
  const low = Math.floor(Math.log10(Math.min(...times)) * 2) / 2;
  const high = Math.max(low + 0.5, Math.ceil(Math.log10(Math.max(...times)) * 2) / 2);
  const wide = Math.max(1, width - EDGE.left - EDGE.right);
  const tall = HEIGHT - EDGE.top - EDGE.bottom;
  return {
    rows, low, high, first, last: found.until,
    x: (at) => EDGE.left + ((at - first) / (found.until - first)) * wide,
    y: (seconds) => EDGE.top + (1 - (Math.log10(Math.max(seconds, 1e-6)) - low) / (high - low)) * tall,
    at: (x) => first + (Math.min(1, Math.max(0, (x - EDGE.left) / wide))) * (found.until - first),
  };
}

function grid(scale) {
  const marks = [];
  const step = scale.high - scale.low > 1.5 ? 1 : 0.5;
  for (let power = Math.ceil(scale.low / step) * step; power <= scale.high + 1e-9; power += step) {
    const y = scale.y(10 ** power);
    const label = took(Number((10 ** power * 1e6).toPrecision(1))).replace(/\.0+ /, " ");
    marks.push(h("path", { key: `y${power}`, class: "grid", d: `M${EDGE.left} ${y}H${width - EDGE.right}` }), h("text", { key: `yl${power}`, x: EDGE.left - 8, y: y + 4, "text-anchor": "end" }, label));
  }
  const span = scale.last - scale.first;
  const apart = STEPS.find((one) => span / one <= Math.max(2, width / 130)) || 604800;
  const offset = new Date(scale.first * 1000).getTimezoneOffset() * 60;
  for (let at = Math.ceil((scale.first - offset) / apart) * apart + offset; at <= scale.last; at += apart) {
    const x = scale.x(at);
    marks.push(h("path", { key: `x${at}`, class: "grid", d: `M${x} ${EDGE.top}V${HEIGHT - EDGE.bottom}` }));
    if (x < width - 30) marks.push(h("text", { key: `xl${at}`, x, y: HEIGHT - 6, "text-anchor": "middle" }, moment(at, apart)));
  }
  return marks;
}

function dots(scale, chosen) {
  const dot = (one) => h("circle", { key: one.trace_id, class: `${one.errors ? "bad" : ""} ${one.trace_id === chosen ? "chosen" : ""}`, cx: scale.x(one.began).toFixed(1), cy: scale.y(one.seconds).toFixed(1), r: one.trace_id === chosen ? 5.5 : 3.5 });
  return [...scale.rows.filter((one) => !one.errors), ...scale.rows.filter((one) => one.errors)].map(dot);
}

function nearest(scale, x, y) {
  let best = null;
  let least = NEAR;
  for (const one of scale.rows) {
    const away = Math.hypot(scale.x(one.began) - x, scale.y(one.seconds) - y);
    if (away < least) { least = away; best = one; }
  }
  return best;
}

function tip(scale) {
  const x = scale.x(near.began);
  const right = x > width / 2;
  return h("div", { class: "tip", style: { [right ? "right" : "left"]: `${right ? width - x + 12 : x + 12}px`, top: `${Math.max(4, scale.y(near.seconds) - 16)}px` } },
    h("strong", null, near.app || "?"), ` ${near.name}`, h("br"), `${took(near.seconds * 1e6)}, ${several(near.spans, "span")}, ${moment(near.began)}`,
    near.errors > 0 && h("span", { class: "fault" }, h("br"), near.trouble));
}

/** The plot of `found`, a list of traces. `open(trace)` when a dot is chosen, `select(from, to)`
 *  in Unix seconds when a time is, `redraw` when something has changed. */
export function scatter(found, chosen, { open, select, redraw }) {
  tell = redraw;
  const scale = found.traces.length && width ? scales(found) : null;
  const at = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const move = (event) => {
    if (!scale) return;
    const [x, y] = at(event);
    if (drag) drag = { ...drag, to: x };
    const found = drag && Math.abs(drag.to - drag.from) > 4 ? null : nearest(scale, x, y);
    if (drag || found !== near) { near = found; tell(); }
  };
  const up = (event) => {
    if (!drag || !scale) return;
    const [from, to] = [drag.from, drag.to].sort((a, b) => a - b);
    drag = null;
    if (to - from > 4) select(scale.at(from), scale.at(to));
    else if (near) open(near);
    event.currentTarget.releasePointerCapture?.(event.pointerId);
    tell();
  };
  return h("div", {
    class: `scatter ${near ? "near" : ""}`, key: "scatter", role: "img", "aria-label": "Durations of the traces below over time; drag to select a time",
    mount: watchWidth, onpointermove: move, onpointerup: up, onpointerleave: () => { if (near && !drag) { near = null; tell(); } },
    onpointerdown: (event) => { if (event.button === 0) { const [x] = at(event); drag = { from: x, to: x }; event.currentTarget.setPointerCapture(event.pointerId); } },
  },
    scale && lazy("plot", [found, chosen, width], () => h("svg", { width, height: HEIGHT, "aria-hidden": "true" }, grid(scale), dots(scale, chosen))),
    drag && Math.abs(drag.to - drag.from) > 4 && h("div", { class: "selection", style: { left: `${Math.min(drag.from, drag.to)}px`, width: `${Math.abs(drag.to - drag.from)}px` } }),
    scale && near && tip(scale));
}

function watchWidth(el) {
  const watcher = new ResizeObserver(() => {
    if (el.clientWidth !== width) { width = el.clientWidth; tell(); }
  });
  watcher.observe(el);
  return () => { watcher.disconnect(); near = drag = null; };
}
