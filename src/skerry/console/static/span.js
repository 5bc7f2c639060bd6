// What search, waterfall and details say of spans in the same way.

import { h } from "./dom.js";
import { hue, ms } from "./format.js";

/** A time in microseconds. */
export function took(us) {
  if (us === null || us === undefined) return "–";
  return us < 1000 ? `${Math.round(us)} µs` : ms(us / 1000);
}

/** Microseconds out of what people write: `200ms`, `1.5 s`, `2m`; a number alone is milliseconds.
 *  Null where it is none. */
export function microseconds(text) {
  const found = /^\s*(\d+(?:[.,]\d+)?)\s*(us|µs|ms|s|m|h)?\s*$/i.exec(text || "");
  if (!found) return null;
  const unit = { us: 1, "µs": 1, ms: 1e3, s: 1e6, m: 6e7, h: 3.6e9 }[(found[2] || "ms").toLowerCase()];
  return Number(found[1].replace(",", ".")) * unit;
}

/** The id in what people paste: a trace's id, a traceparent, or an address of this page. */
export function traceIn(text) {
  const plain = text.trim();
  const found = /^(?:[0-9a-f]{2}-)?([0-9a-f]{32}|[0-9a-f]{16})(?:-[0-9a-f-]+)?$/i.exec(plain) || /#\/traces\/([0-9a-f]{16,32})/i.exec(plain);
  return found ? found[1].toLowerCase() : null;
}

export const swatch = (app) => h("i", { class: `swatch hue-${hue(app)}`, "aria-hidden": "true" });

/** Which apps took the time, as parts of a bar. */
export function shares(apps, label = "") {
  const whole = apps.reduce((sum, one) => sum + one.seconds, 0) || 1;
  const said = apps.map((one) => `${one.app || "?"} ${Math.round((100 * one.seconds) / whole)} %`).join(", ");
  return h("span", { class: "shares", role: "img", title: said, "aria-label": label || said },
    apps.filter((one) => one.seconds > 0).map((one) => h("i", { key: one.app, class: `hue-${hue(one.app)}`, style: { "flex-grow": (one.seconds / whole).toFixed(4) } })));
}
