// Charts of something over time: bars or lines, round numbers at the axes, and a crosshair.
//
// All charts of a page have one crosshair: what is pointed at in one is marked in the others. It
// stands at a moment, not at a place, so that it stays with what it marks while time goes on.

import { h, lazy } from "./dom.js";
import { moment } from "./scatter.js";
import { update } from "./update.js";

const HEIGHT = 196;
const EDGE = { left: 54, right: 12, top: 12, bottom: 24 };
const APART = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400]; // seconds between times at the axis
const NEAR = 9; // pixels that dots are apart at least

const widths = {}; // of charts, by their names
let cursor = null; // {at, on}: a moment in Unix seconds, and the chart that tells of it

/** The points of a window: `since`, `until` and `step` in seconds, `count`, and whether the last one is `partial`. */
export const indexAt = (time) => (cursor && cursor.at >= time.since && cursor.at < time.until ? Math.floor((cursor.at - time.since) / time.step) : -1);

const beginOf = (time, i) => time.since + i * time.step;
const endOf = (time, i) => Math.min(time.until, beginOf(time, i) + time.step);
const middleOf = (time, i) => (beginOf(time, i) + endOf(time, i)) / 2;

/** When a point was, for people. */
export function spanOf(time, i) {
  const [begin, end] = [moment(beginOf(time, i), 60), moment(beginOf(time, i) + time.step, 60)];
  return `${time.step > 60 ? `${begin} to ${end}` : begin}${time.partial && i === time.count - 1 ? ", so far" : ""}`;
}

/** Move the crosshair by keys: `ArrowLeft`, `ArrowRight`, `Home`, `End`; `Escape` takes it away.
 *  Returns whether there was something to do. */
export function steer(key, time, on) {
  const now = indexAt(time);
  if (key === "Escape") {
    if (!cursor) return false;
    cursor = null;
  } else {
    const last = time.count - 1;
    const to = { ArrowLeft: now < 0 ? last : now - 1, ArrowRight: now < 0 ? 0 : now + 1, Home: 0, End: last }[key];
    cursor = { at: middleOf(time, Math.max(0, Math.min(last, to))), on: cursor?.on || on };
  }
  update();
  return true;
}

export const forget = () => { cursor = null; };

/** A round number that is not below `value`: 1, 2, 2.5 or 5, times a power of ten. */
export function round(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= value * 0.999999);
}

/** Round numbers from 0 to what covers `most`: three to six of them. */
export function ticks(most) {
  const step = round((most > 0 ? most : 1) / 4);
  const found = [];
  for (let n = 0; n === 0 || found[n - 1] < most; n++) found.push(Number((n * step).toPrecision(12)));
  return found;
}

function scales({ name, time, sets, stacked, limit, least = 0 }) {
  const wide = Math.max(1, (widths[name] || 0) - EDGE.left - EDGE.right);
  const tall = HEIGHT - EDGE.top - EDGE.bottom;
  const tops = Array.from({ length: time.count }, (_, i) => sets.reduce((top, set) => (stacked ? top + (set.values[i] || 0) : Math.max(top, set.values[i] || 0)), 0));
  const most = Math.max(least, ...tops);
  const marks = ticks(limit && limit.value <= 2 * most ? Math.max(most, limit.value) : most);
  const top = marks[marks.length - 1];
  return {
    marks, top, width: widths[name],
    x: (at) => EDGE.left + ((at - time.since) / Math.max(1, time.until - time.since)) * wide,
    y: (value) => EDGE.top + (1 - Math.min(1, value / top)) * tall,
    at: (x) => time.since + Math.max(0, Math.min(0.999999, (x - EDGE.left) / wide)) * (time.until - time.since),
  };
}

function axes(scale, time, format) {
  const found = scale.marks.map((value) => [
    h("path", { key: `y${value}`, class: value ? "grid" : "ground", d: `M${EDGE.left} ${scale.y(value).toFixed(1)}H${scale.width - EDGE.right}` }),
    h("text", { key: `l${value}`, x: EDGE.left - 8, y: (scale.y(value) + 4).toFixed(1), "text-anchor": "end" }, format(value)),
  ]);
  const span = time.until - time.since;
  const apart = APART.find((one) => span / one <= Math.max(2, (scale.width - EDGE.left) / 76)) || 86400;
  const offset = new Date(time.since * 1000).getTimezoneOffset() * 60;
  for (let at = Math.ceil((time.since - offset) / apart) * apart + offset; at <= time.until; at += apart) {
    const x = scale.x(at);
    found.push(h("path", { key: `x${at}`, class: "tick", d: `M${x.toFixed(1)} ${HEIGHT - EDGE.bottom}v4` }));
    if (x > EDGE.left + 8 && x < scale.width - 20) found.push(h("text", { key: `t${at}`, x: x.toFixed(1), y: HEIGHT - 6, "text-anchor": "middle" }, moment(at, apart)));
  }
  return found;
}

/** Values as bars that stand on those of the sets before. What goes on is paler. */
function bars(scale, time, sets) {
  const below = new Array(time.count).fill(0);
  return sets.flatMap((set) => {
    const [whole, goesOn] = [[], []];
    set.values.forEach((value, i) => {
      if (!value) return;
      const x = scale.x(beginOf(time, i));
      const wide = scale.x(endOf(time, i)) - x;
      const [from, to] = [scale.y(below[i]), scale.y(below[i] + value)];
      const tall = Math.max(from - to, 1);
      below[i] += value;
      (time.partial && i === time.count - 1 ? goesOn : whole).push(`M${x.toFixed(1)} ${from.toFixed(1)}v${(-tall).toFixed(1)}h${Math.max(0.7, wide - (wide > 4 ? 1 : 0)).toFixed(1)}v${tall.toFixed(1)}z`);
    });
    return [h("path", { key: set.name, class: `bar ${set.kind}`, d: whole.join("") }), h("path", { key: `${set.name} so far`, class: `bar ${set.kind} partial`, d: goesOn.join("") })];
  });
}

/** Values as lines with gaps where there is none; a value by itself is a dot. */
function lines(scale, time, sets) {
  return sets.flatMap((set) => {
    const [whole, goesOn, alone] = [[], [], []];
    const at = (i) => `${scale.x(middleOf(time, i)).toFixed(1)} ${scale.y(set.values[i]).toFixed(1)}`;
    const known = (i) => set.values[i] !== null && set.values[i] !== undefined;
    set.values.forEach((_, i) => {
      if (!known(i)) return;
      const last = time.partial && i === time.count - 1;
      if (known(i - 1)) (last ? goesOn : whole).push(last ? `M${at(i - 1)}L${at(i)}` : `L${at(i)}`);
      else { whole.push(`M${at(i)}`); if (!known(i + 1)) alone.push(at(i)); }
    });
    return [
      h("path", { key: set.name, class: `line ${set.kind}`, d: whole.join("") }), h("path", { key: `${set.name} so far`, class: `line ${set.kind} partial`, d: goesOn.join("") }),
      alone.map((place) => h("circle", { key: `${set.name} ${place}`, class: `alone ${set.kind}`, cx: place.split(" ")[0], cy: place.split(" ")[1], r: 1.8 })),
    ];
  });
}

/** Where there are more dots than can be told apart, the highest of those that stand together. */
function sparse(scale, time, dots) {
  const found = new Map();
  for (const dot of dots) {
    const place = `${dot.kind} ${Math.floor(scale.x(middleOf(time, dot.index)) / NEAR)}`;
    if (!found.has(place) || found.get(place).value < dot.value) found.set(place, dot);
  }
  return [...found.values()];
}

function marks(scale, time, dots) {
  return sparse(scale, time, dots).map((dot) => {
    const [x, y, beyond] = [scale.x(middleOf(time, dot.index)), scale.y(dot.value), dot.value > scale.top];
    const shape = beyond ? h("path", { class: "dot", d: `M${x.toFixed(1)} ${y - 5}l4.5 8h-9z` }) : h("circle", { class: "dot", cx: x.toFixed(1), cy: y.toFixed(1), r: 3.4 });
    return h("a", { key: dot.href + dot.kind, class: `exemplar ${dot.kind}`, href: dot.href, tabindex: "-1" }, h("title", null, dot.text), shape);
  });
}

function promised(scale, limit, format) {
  if (!limit) return null;
  const [y, right] = [scale.y(limit.value), scale.width - EDGE.right];
  if (limit.value > scale.top) return h("text", { key: "limit", class: "limit", x: right - 2, y: EDGE.top + 2, "text-anchor": "end" }, `${limit.text} ${format(limit.value)} ↑`);
  return [h("path", { key: "limit", class: "limit", d: `M${EDGE.left} ${y.toFixed(1)}H${right}` }), h("text", { key: "limit text", class: "limit", x: right - 2, y: (y - 4).toFixed(1), "text-anchor": "end" }, `${limit.text} ${format(limit.value)}`)];
}

function tip(scale, time, i, { sets, tell }) {
  const x = scale.x(middleOf(time, i));
  const right = x > scale.width / 2;
  return h("div", { key: "tip", class: "tip", style: { [right ? "right" : "left"]: `${(right ? scale.width - x : x) + 12}px` } },
    h("strong", null, spanOf(time, i)),
    h("dl", null, [...sets].reverse().map((set) => [h("dt", { key: set.name }, h("i", { class: set.kind }), set.name), h("dd", { key: `${set.name}=` }, tell(set, i))])));
}

/**
 * One chart.
 * @param name what it is called in the page, once
 * @param time see `indexAt`
 * @param sets `{name, kind, values}`: one value for each point, null for none; `kind` is a class
 * @param stacked whether they are bars on top of each other; lines otherwise
 * @param limit `{value, text}`: a line across; told at the edge where it is far above
 * @param dots `{index, value, kind, href, text}`: what is worth looking at
 * @param format a value at the axis; `tell(set, i)` is what the crosshair says
 * @param least what the axis covers at least
 */
export function chart(options) {
  const { name, title, unit, time, sets, stacked, limit, dots = [], format, tell, legend } = options;
  const scale = widths[name] ? scales(options) : null;
  const i = indexAt(time);
  const here = i >= 0 && scale;
  const move = (event) => {
    if (!scale) return;
    cursor = { at: scale.at(event.clientX - event.currentTarget.getBoundingClientRect().left), on: name };
    update();
  };
  const mount = (el) => {
    const measure = new ResizeObserver(() => { widths[name] = el.clientWidth; update(); });
    measure.observe(el);
    return () => { measure.disconnect(); delete widths[name]; };
  };
  const said = i < 0 ? "" : `${spanOf(time, i)}: ${sets.map((set) => `${set.name} ${tell(set, i)}`).join(", ")}`;
  return h("figure", { class: "chart card", key: name },
    h("figcaption", null, h("h2", null, title, unit && h("small", null, ` ${unit}`)), legend),
    h("div", { class: "plot", mount, tabindex: "0", role: "slider", "aria-label": `${title}${unit ? `, ${unit}` : ""}`, "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": String(time.count - 1), "aria-valuenow": String(Math.max(0, i)), "aria-valuetext": said || "Arrow keys tell of each point",
      onpointermove: move, onpointerdown: move, onpointerleave: () => { cursor = null; update(); }, onfocus: () => { if (cursor) cursor.on = name; } },
      scale && h("svg", { width: scale.width, height: HEIGHT, viewBox: `0 0 ${scale.width} ${HEIGHT}`, "aria-hidden": "true" },
        lazy("drawn", [time, sets, limit, dots, scale.width], () => h("g", null, axes(scale, time, format), stacked ? bars(scale, time, sets) : lines(scale, time, sets), promised(scale, limit, format))),
        here && h("path", { key: "cross", class: "cross", d: `M${scale.x(middleOf(time, i)).toFixed(1)} ${EDGE.top}V${HEIGHT - EDGE.bottom}` }),
        here && !stacked && sets.map((set) => set.values[i] !== null && h("circle", { key: `at ${set.name}`, class: `at ${set.kind}`, cx: scale.x(middleOf(time, i)).toFixed(1), cy: scale.y(set.values[i]).toFixed(1), r: 3 })),
        lazy("dots", [time, dots, scale.top, scale.width], () => h("g", null, marks(scale, time, dots)))),
      here && cursor.on === name && tip(scale, time, i, options)));
}
