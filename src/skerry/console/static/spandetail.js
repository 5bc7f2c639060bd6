// All that is known of one span, with what can be copied.

import { h } from "./dom.js";
import { exceptionOf, stackView } from "./exception.js";
import { several } from "./format.js";
import { link } from "./router.js";
import { swatch, took } from "./span.js";
import { button, copy, tag } from "./ui.js";

function pairs(title, values, key = title) {
  const rows = Object.entries(values);
  if (!rows.length) return null;
  return h("section", { key }, h("h3", null, title), h("dl", { class: "facts-of" }, rows.flatMap(([name, value]) => [
    h("dt", { key: `t${name}`, title: name }, name),
    h("dd", { key: `d${name}` }, h("button", { type: "button", class: "plain", title: "Copy", onclick: () => copy(value) }, value === "" ? "“”" : value)),
  ])));
}

function others(title, list) {
  if (!list.length) return null;
  return h("section", { key: title }, h("h3", null, title), h("ul", { class: "others" }, list.map((one, i) => h("li", { key: i }, one.trace
    ? h("a", { href: link("traces", [one.trace_id], { span: one.other }) }, swatch(one.app), h("span", null, h("strong", null, one.app || "?"), ` ${one.name}`), one.trace.errors > 0 && tag("failed", "bad"), h("small", null, took(one.trace.seconds * 1e6)))
    : h("span", { class: "quiet" }, `Trace ${one.trace_id} is not kept.`)))));
}

function facts(row, trace) {
  const waited = (row.critical || []).reduce((sum, [from, to]) => sum + to - from, 0);
  const shown = [["Began", row.start === null ? "unknown" : `after ${took(row.start)}`], ["Took", took(row.duration)], ["Itself", took(row.own || 0)], ["Critical", trace.duration ? `${took(waited)}, ${Math.round((100 * waited) / trace.duration)} %` : "–"]];
  return h("div", { class: "figures" }, shown.map(([name, value]) => h("div", { key: name }, h("span", null, name), h("strong", null, value))));
}

function notes(row) {
  return [
    row.skew && h("div", { class: "notice warn", key: "skew" }, `The clock of ${row.app} did not agree with its caller’s: this is shown ${took(Math.abs(row.skew))} ${row.skew > 0 ? "later" : "earlier"} than it said.`),
    row.missing && h("div", { class: "notice info", key: "missing" }, "Its parent ", h("code", null, row.missing), " is not in this trace: it was lost, has not come yet, or is of somebody who sends no spans here."),
    row.notice && h("div", { class: "notice warn", key: "notice" }, row.notice),
  ];
}

/** The panel of a span.
 *  @param context `close`, `before` and `after` (links by span), `unfolded` and `unfold` */
export function spanDetail(row, trace, context) {
  const process = trace.resources[row.resource ?? -1] || {};
  const tags = Object.fromEntries(Object.entries(row.tags || {}).filter(([name, value]) => process[name] !== value && name !== "otel.scope.name" && name !== "skerry.notice"));
  const events = (row.events || []).filter((event) => event.name !== "exception");
  const error = exceptionOf(row);
  const [number, of] = row.attempt || [];
  const ids = { span: row.id, ...(row.parent >= 0 ? { parent: trace.rows[row.parent].id } : {}), ...(row.scope ? { "recorded by": row.scope } : {}), ...(row.state ? { tracestate: row.state } : {}) };
  return h("aside", { class: "card detail-of", key: "detail", "aria-label": `Span ${row.name}` },
    h("header", null, h("div", null, h("p", null, swatch(row.app), h("strong", null, row.app || "?"), row.kind && tag(row.kind.toLowerCase()), number && tag(of ? `attempt ${number} of ${of}` : `attempt ${number}`, "info")), h("h2", null, row.name || "?")),
      button("", () => copy(JSON.stringify({ ...row, resource: process }, null, 2)), { name: "copy", title: "Copy as JSON", kind: "quiet" }), button("", context.close, { name: "close", title: "Close (Esc)", kind: "quiet" })),
    h("div", { class: "body-of" }, facts(row, trace), notes(row),
      row.error && h("section", { class: "failure", key: "error" }, h("p", { class: "fault" }, error ? [h("strong", null, error.type), error.message && `: ${error.message}`] : row.error), error && stackView(error, context.unfolded.has(row.number), () => context.unfold(row.number))),
      others("Comes from", context.before.get(row.id) || []),
      others("Handled because of this", context.after.get(row.id) || []),
      pairs("Attributes", tags),
      events.length > 0 && h("section", { key: "events" }, h("h3", null, several(events.length, "event")), h("ul", { class: "moments" }, events.map((event, i) => h("li", { key: i }, h("time", null, took(event.at)), h("span", null, event.name), event.attributes && h("dl", { class: "facts-of" }, Object.entries(event.attributes).flatMap(([name, value]) => [h("dt", { key: `t${name}` }, name), h("dd", { key: `d${name}` }, value)])))))),
      pairs("Process", process), pairs("Ids", ids)));
}
