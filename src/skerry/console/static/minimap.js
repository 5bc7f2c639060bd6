// A whole trace in the height of two rows; a drag on it zooms.

import { h } from "./dom.js";
import { hue } from "./format.js";

const HEIGHT = 56;
const EDGE = 4;

let shown = null; // {trace, zoomTo} of what is drawn
let canvas = null;

/** @param zoom from and to in microseconds
 *  @param zoomTo is told of a part that is dragged; of null when all is wanted again */
export function minimap(trace, zoom, zoomTo) {
  const before = shown?.trace;
  shown = { trace, zoomTo };
  if (canvas && before !== trace) draw();
  const whole = Math.max(1, trace.duration);
  const [from, to] = [(100 * zoom[0]) / whole, (100 * zoom[1]) / whole];
  const part = from > 0 || to < 100;
  return h("div", { class: "minimap", key: "minimap", title: "Drag to zoom; f shows all again" },
    h("canvas", { mount, role: "img", "aria-label": "The whole trace" }),
    part && h("i", { class: "veil-of", key: "a", style: { left: "0", width: `${from}%` } }), part && h("i", { class: "veil-of", key: "b", style: { left: `${to}%`, right: "0" } }),
    h("i", { class: "selection", key: "selection", own: true, hidden: true }));
}

function mount(el) {
  canvas = el;
  const watcher = new ResizeObserver(draw);
  watcher.observe(el);
  addEventListener("skerry-theme", draw);
  drag(el.parentElement);
  return () => { watcher.disconnect(); removeEventListener("skerry-theme", draw); canvas = null; };
}

function draw() {
  const { trace: { rows, duration } } = shown;
  const width = canvas.clientWidth;
  if (!width) return;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = HEIGHT * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const colours = read();
  const tall = Math.min(EDGE, (HEIGHT - 2 * EDGE) / rows.length);
  const x = (us) => (us / Math.max(1, duration)) * width;
  const bar = (row, colour, least) => {
    pen.fillStyle = colour;
    pen.fillRect(x(row.start), EDGE + (row.number / rows.length) * (HEIGHT - 2 * EDGE), Math.max(least, x(row.duration)), Math.max(0.75 * least, tall - 0.5));
  };
  const timed = rows.filter((row) => row.start !== null);
  for (const row of timed) if (!row.error) bar(row, colours.hues[hue(row.app)], 1);
  for (const row of timed) if (row.error) bar(row, row.hurt ? colours.hurt : colours.bad, 2);
}

/** Colours, from an element that has them: a canvas knows no custom properties. */
function read() {
  const probe = document.createElement("i");
  canvas.parentElement.append(probe);
  const of = (name) => { probe.className = `probe ${name}`; return getComputedStyle(probe).backgroundColor; };
  const found = { hues: Array.from({ length: 12 }, (_, i) => of(`hue-${i}`)), bad: of("bad"), hurt: of("hurt") };
  probe.remove();
  return found;
}

function drag(el) {
  const selection = el.querySelector(".selection");
  let first = null;
  const share = (event) => {
    const box = el.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  el.onpointerdown = (event) => {
    if (event.button !== 0) return;
    first = share(event);
    el.setPointerCapture(event.pointerId);
  };
  el.onpointermove = (event) => {
    if (first === null) return;
    const [from, to] = [first, share(event)].sort((a, b) => a - b);
    selection.hidden = false;
    selection.style.left = `${from * 100}%`;
    selection.style.width = `${(to - from) * 100}%`;
  };
  el.onpointerup = (event) => {
    if (first === null) return;
    const [from, to] = [first, share(event)].sort((a, b) => a - b);
    first = null;
    selection.hidden = true;
    const { trace, zoomTo } = shown;
    if ((to - from) * el.clientWidth > 4) zoomTo(from * trace.duration, to * trace.duration);
  };
  el.ondblclick = () => shown.zoomTo(null);
}
