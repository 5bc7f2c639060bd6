// What stands above the rows of a trace.

import { h } from "./dom.js";
import { several } from "./format.js";
import { amend, link, route } from "./router.js";
import { swatch, took } from "./span.js";
import { button, copy, notice, search } from "./ui.js";

export function headline(trace, nextError) {
  const root = trace.rows.find((row) => row.depth === 0 && !row.missing) || trace.rows[0];
  const wrong = trace.errors;
  return h("div", { class: "headline", key: "headline" },
    h("a", { class: "button quiet square back", href: link("traces"), title: "All traces", "aria-label": "All traces" }, "←"),
    h("h1", null, h("span", { class: "root-app" }, swatch(root.app), root.app || "?"), " ", h("span", { class: "root-name" }, root.name)),
    h("p", null, h("strong", null, took(trace.duration)), ` · ${several(trace.rows.length, "span")} · ${several(trace.apps.length, "app")}`, wrong > 0 && [" · ", h("button", { type: "button", class: "plain fault", onclick: nextError, title: "The next one (e)" }, several(wrong, "error"))], ` · ${new Date(trace.began * 1000).toLocaleString("en-GB")}`),
    h("button", { type: "button", class: "button quiet small mono id", title: "Copy the id", onclick: () => copy(trace.trace_id) }, trace.trace_id));
}

/** What is not as it was sent, or not there. */
export function notes(trace, failed) {
  const clipped = trace.rows.filter((row) => row.notice);
  const skewed = new Set(trace.rows.filter((row) => row.skew).map((row) => row.app));
  const orphans = trace.rows.filter((row) => row.missing).length;
  return [
    failed && notice(failed),
    clipped.length > 0 && h("div", { class: "notice warn", key: "clipped" }, h("strong", null, "Not all of it is here. "), clipped[0].notice, clipped.length > 1 && ` (and ${several(clipped.length - 1, "more span")})`),
    skewed.size > 0 && h("div", { class: "notice info", key: "skew" }, `Clocks did not agree: spans of ${[...skewed].join(", ")} were moved to fit the calls they answer.`),
    trace.pieces && h("div", { class: "notice info", key: "orphans" }, `The trace is in pieces: the parent of ${several(orphans, "span")} was lost, has not come yet, or is of somebody who sends no spans here.`),
  ];
}

/** @param shown what is switched on: `critical`, `logs`, `zoomed`; and how many lines are `logged`
 *  @param doing what switches: `critical`, `flipLogs`, `fit` */
export function switches(trace, shown, doing) {
  return h("div", { class: "switches" },
    search(route.query.q || "", (text) => amend({ q: text }), { placeholder: "Find in this trace" }),
    h("button", { type: "button", class: "button small", "aria-pressed": String(shown.critical), title: "What the end waited for (c)", onclick: doing.critical }, "Critical path"),
    h("button", { type: "button", class: "button small", "aria-pressed": String(shown.logs), disabled: !shown.logged, title: shown.logged ? "Lines that were logged in it (o)" : "No line of the fleet’s logs carries its id", onclick: doing.flipLogs }, "Logs", h("span", { class: "badge" }, shown.logged)),
    shown.zoomed && button("Fit", doing.fit, { kind: "small", title: "f", key: "fit" }),
    h("a", { class: "button small quiet", href: link("logs", [], { q: trace.trace_id }) }, "In the logs"));
}

/** The apps, those first who took the most time; a click shows one's spans. */
export function legend(trace) {
  const whole = trace.apps.reduce((sum, one) => sum + one.seconds, 0) || 1;
  const chosen = route.query.app || "";
  return h("div", { class: "legend" }, trace.apps.map((one) => h("button", { key: one.app, type: "button", class: `entry ${chosen === one.app ? "on" : ""}`, title: `${several(one.spans, "span")}, ${took(one.seconds * 1e6)} of its own`, "aria-pressed": String(chosen === one.app), onclick: () => amend({ app: chosen === one.app ? "" : one.app }) },
    swatch(one.app), one.app || "?", h("small", null, `${Math.round((100 * one.seconds) / whole)} %`), one.errors > 0 && h("span", { class: "badge bad" }, one.errors))));
}

/** The axis of the part that is shown. */
export function ruler([from, to]) {
  return h("div", { class: "ruler" }, h("div", { class: "tree" }, "Span"),
    h("div", { class: "lane" }, [0, 0.25, 0.5, 0.75, 1].map((share) => h("span", { key: share, class: share === 1 ? "last" : share ? "middle" : "", style: { left: `${share * 100}%` } }, took(from + share * (to - from))))));
}
