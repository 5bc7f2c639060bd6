// A whole trace in the height of three rows; a drag on it zooms.

import { hue } from "./format.js";

const HEIGHT = 56;

/** @param colours `hues`, `bad` and `hurt`: read from elements, because a canvas knows no custom
 *  properties */
export function drawMinimap(canvas, trace, colours) {
  const width = canvas.clientWidth;
  const ratio = window.devicePixelRatio || 1;
  if (!width) return;
  canvas.width = width * ratio;
  canvas.height = HEIGHT * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const rows = trace.rows;
  const tall = Math.min(4, (HEIGHT - 8) / rows.length);
  const x = (us) => (us / Math.max(1, trace.duration)) * width;
  const wrong = [];
  rows.forEach((row, i) => {
    if (row.start === null) return;
    const y = 4 + (i / rows.length) * (HEIGHT - 8);
    if (row.error) wrong.push([row, y]);
    pen.fillStyle = colours.hues[hue(row.app)];
    pen.fillRect(x(row.start), y, Math.max(1, x(row.duration)), Math.max(0.75, tall - 0.5));
  });
  for (const [row, y] of wrong) {
    pen.fillStyle = row.hurt ? colours.hurt : colours.bad;
    pen.fillRect(x(row.start), y - 0.5, Math.max(2, x(row.duration)), Math.max(1.5, tall));
  }
}

/** Let `zoom(from, to)` be told of what is dragged, as shares of the width; a click alone is
 *  `zoom(null)`. `draw(from, to)` shows what would be selected. */
export function dragged(el, draw, zoom) {
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
    if (first !== null) draw(...[first, share(event)].sort((a, b) => a - b));
  };
  el.onpointerup = (event) => {
    if (first === null) return;
    const [from, to] = [first, share(event)].sort((a, b) => a - b);
    first = null;
    draw(null);
    if ((to - from) * el.clientWidth > 4) zoom(from, to);
  };
  el.ondblclick = () => zoom(null);
}
