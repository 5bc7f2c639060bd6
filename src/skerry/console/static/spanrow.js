// The rows of a waterfall: spans, their exceptions and the lines that were logged in them.

import { stackLines, stackView } from "./exception.js";
import { clock, hue } from "./format.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { level, plain } from "./logview.js";
import { link } from "./router.js";
import { took } from "./span.js";

export const SPAN = 28; // pixels
export const LOG = 20;
export const WRONG = 28;
const LINE = 17;
const MOST = 18; // lines of a stack before it scrolls

const KINDS = { CLIENT: ["→", "a call over the network"], SERVER: ["", ""], PRODUCER: ["⇢", "publishes"], CONSUMER: ["⇠", "handles an event"] };

/** Pixels of an exception that is open. */
export function heightOf(error, unfolded) {
  const stack = error.stack ? Math.min(MOST, stackLines(error.stack, unfolded).length) * LINE + 18 : 0;
  const variables = error.variables ? Math.min(MOST, error.variables.split("\n").length) * LINE + 46 : 0;
  return WRONG + stack + variables + (stack || variables ? 8 : 0);
}

const share = (us, zoom) => (100 * (us - zoom[0])) / (zoom[1] - zoom[0]);

function stretch(kind, from, to, zoom, title = null, extra = "") {
  const [a, b] = [Math.max(0, share(from, zoom)), Math.min(100, share(to, zoom))];
  if (b < 0 || a > 100) return null;
  return h("i", { class: `${kind} ${extra}`, title, style: { left: `${a.toFixed(3)}%`, width: `${Math.max(0, b - a).toFixed(3)}%` } });
}

/** Where it was born is bad; whoever only passed it on is hurt. */
const failure = (row) => (!row.error ? "" : row.hurt ? "hurt" : "bad");

function lane(row, { zoom, critical }) {
  if (row.start === null) return h("div", { class: "lane" }, h("span", { class: "time", style: { left: "0" } }, "no time was told"));
  const [from, to] = [row.start, row.start + row.duration];
  const [a, b] = [share(from, zoom), share(to, zoom)];
  // Beside the bar where there is room, and in it where there is none.
  const place = b < 72 ? "after" : a > 28 ? "before" : "inside";
  const before = place !== "after";
  const side = { after: { left: `${Math.max(0, b).toFixed(3)}%` }, before: { right: `${Math.min(100, 100 - a).toFixed(3)}%` }, inside: { right: `${Math.max(0, 100 - b).toFixed(3)}%` } }[place];
  const seen = b >= 0 && a <= 100;
  const error = row.error && !row.stacked;
  return h("div", { class: "lane" },
    stretch("bar", from, to, zoom, null, `hue-${hue(row.app)} ${failure(row)}`),
    critical && (row.critical || []).map(([begin, end]) => stretch("critical", begin, end, zoom)),
    (row.events || []).map((event, i) => { const at = share(event.at, zoom); return at >= 0 && at <= 100 && h("i", { key: `e${i}`, class: `tick ${event.name === "exception" ? "bad" : ""}`, title: `${event.name} at ${took(event.at)}`, style: { left: `${at.toFixed(3)}%` } }); }),
    seen && h("span", { class: `time ${place}`, style: side }, error && before && h("span", { class: "fault" }, `${row.error} `), took(row.duration), error && !before && h("span", { class: "fault" }, ` ${row.error}`)),
    !seen && h("span", { class: "time away", style: b < 0 ? { left: "0" } : { right: "0" } }, b < 0 ? "← before" : "after →"));
}

function badges(row, context) {
  const after = context.after.get(row.id) || [];
  const before = context.before.get(row.id) || [];
  const [number, of] = row.attempt || [];
  return [
    number && h("span", { key: "attempt", class: "tag info", title: of ? `attempt ${number} of ${of} of one call` : `attempt ${number}` }, of ? `${number}/${of}` : `attempt ${number}`),
    row.retried && h("span", { key: "retried", class: "tag info", title: "calls that were made for this one" }, `${row.retried} attempts`),
    row.skew && h("span", { key: "skew", class: "tag warn", title: `Its clock was off: it is shown ${took(Math.abs(row.skew))} ${row.skew > 0 ? "later" : "earlier"} than it said` }, "clock"),
    row.missing && context.pieces && h("span", { key: "missing", class: "tag warn", title: `Its parent ${row.missing} is not in this trace` }, "no parent"),
    row.notice && h("span", { key: "notice", class: "tag warn", title: row.notice }, "clipped"),
    before.map((one, i) => h("a", { key: `b${i}`, class: "tag link", href: link("traces", [one.trace_id], { span: one.other }), title: `${one.app} ${one.name}: where this comes from` }, `← ${one.app || "its cause"}`)),
    after.length === 1 && h("a", { key: "a", class: "tag link", href: link("traces", [after[0].trace_id], { span: after[0].other }), title: `${after[0].app} ${after[0].name}: handled because of this` }, `${after[0].app} →`),
    after.length > 1 && h("button", { key: "a", type: "button", class: "tag link", title: "Handled because of this", onclick: (event) => { event.stopPropagation(); context.detail(row.number); } }, `${after.length} handled →`),
  ];
}

export function spanRow(row, context) {
  const { selected, collapsed, faint } = context;
  const open = !collapsed.has(row.number);
  const [mark, meaning] = KINDS[row.kind] || ["", ""];
  return h("div", { key: `s${row.number}`, class: `line span ${selected === row.number ? "chosen" : ""} ${failure(row)} ${faint?.(row) ? "faint" : ""}`, role: "row", "aria-level": row.depth + 1, "aria-selected": String(selected === row.number), "aria-expanded": row.size > 1 ? String(open) : null, data: { number: row.number }, onclick: (event) => { if (!event.target.closest("a, button")) context.select(row.number); }, ondblclick: () => context.detail(row.number) },
    h("div", { class: "tree", role: "gridcell", style: { "--depth": Math.min(row.depth, context.deepest) } },
      row.size > 1 ? h("button", { key: "twist", type: "button", class: "twist", tabindex: "-1", "aria-expanded": String(open), "aria-label": `${row.size - 1} below`, onclick: () => context.flip(row.number) }, icon("chevron")) : h("span", { key: "twist", class: "twist" }),
      h("i", { class: `swatch hue-${hue(row.app)}`, "aria-hidden": "true" }),
      h("span", { class: "app" }, row.app || "?"), h("span", { class: "name", title: row.name }, mark && h("span", { class: "kind", title: meaning }, mark), row.name || "?"),
      row.size > 1 && !open && h("span", { class: "badge", title: "spans below" }, row.size - 1), badges(row, context)),
    lane(row, context));
}

export function wrongRow(row, error, context) {
  const open = context.opened.has(row.number);
  return h("div", { key: `x${row.number}`, class: `line wrong ${open ? "open" : ""}`, role: "row", style: { height: `${open ? heightOf(error, context.unfolded.has(row.number)) : WRONG}px`, "--depth": Math.min(row.depth, context.deepest) } },
    h("button", { type: "button", class: "plain head", "aria-expanded": String(open), onclick: () => context.open(row.number) }, icon("chevron"), h("strong", null, error.type), h("span", null, error.message.split("\n")[0])),
    open && stackView(error, context.unfolded.has(row.number), () => context.unfold(row.number)));
}

export function logRow(row, line, i, context) {
  return h("div", { key: `l${row.number}.${i}`, class: `line log ${level(line)}`, role: "row", style: { "--depth": Math.min(row.depth, context.deepest) } },
    icon("logs"), h("time", null, clock(line.time)), h("code", { title: plain(line.text) }, plain(line.text)), h("a", { href: link("logs", [row.app], { q: line.trace }), "aria-label": "In the logs" }, "logs"));
}
