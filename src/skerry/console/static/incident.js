// One incident: what broke and where, whom it hurts, since when, and in which requests.

import { h, lazy } from "./dom.js";
import { clock, count, percent, several, since, age } from "./format.js";
import { framesView } from "./frames.js";
import { icon } from "./icons.js";
import { alertOf, bars, heading, operationOf, ownerOf, placeOf, settle, tagsOf, when, whom } from "./incidents.js";
import { asMarkdown, asText } from "./incidenttext.js";
import { docs, trouble } from "./live.js";
import { amend, go, link, route } from "./router.js";
import { swatch } from "./span.js";
import { button, copy, empty, notice, stat, tabs, tag } from "./ui.js";
import { update } from "./update.js";

const TRACES = 8;
const HURT = 6; // operations of an app that are shown at once
const SPANS = { hour: ["Hour", 60, 60], day: ["Day", 96, 900] }; // bars, and seconds of each

const folds = new Map(); // what of the stack is open, where somebody has said
let whole = false; // all traces are shown, and all who are hurt

export const id = () => route.parts[0];
export const feed = () => `incident:${encodeURIComponent(id())}`;
export const shown = () => docs[feed()];

export function leave() {
  folds.clear();
  whole = false;
}

export async function act(next = false) {
  const one = shown();
  if (one) await settle(one.state === "resolved" ? "reopen" : "resolve", [one.id], next);
}

/** Copy it; with `c` as Markdown, which is what issue trackers take. */
export function copyAs(how = "Markdown") {
  const one = shown();
  if (!one) return;
  const here = location.href.replace(/\?.*$/, "");
  copy(how === "JSON" ? JSON.stringify(one, null, 2) : how === "text" ? asText(one) : asMarkdown(one, here));
}

// -- parts -------------------------------------------------------------------------------------

function head(one) {
  const over = one.state === "resolved";
  const { state, ...query } = route.query;
  return h("div", { class: "headline", key: "headline" },
    h("h1", null, h("a", { class: "back", href: link("errors", [], { ...query, state }) }, "Errors"), heading(one)), tagsOf(one, true), h("p", null),
    h("div", { class: "tools" },
      button(over ? "Reopen" : "Resolve", () => void act(), { kind: "primary", title: "r", key: "now" }),
      !over && button("By the next release", () => void act(true), { title: "It is resolved: releases it was seen in may have it still (n)", key: "next" }),
      ...["Markdown", "text", "JSON"].map((how) => button(how, () => copyAs(how), { name: "copy", key: how, title: how === "Markdown" ? "Copy for an issue tracker (c)" : `Copy as ${how}` }))));
}

function lead(one) {
  const place = placeOf(one);
  return h("div", { class: "lead card", key: "lead" },
    h("p", { class: "said" }, one.kind === "unanswered" ? [h("strong", null, one.type), one.message && ": ", one.message] : one.message || h("span", { class: "quiet" }, "It said nothing.")),
    h("dl", { class: "about" }, [
      ["Born in", h("a", { href: link("map", [one.service]), title: "On the map" }, swatch(one.service), h("strong", null, one.service))],
      place.name && ["Where", [h("b", null, place.name), ` in ${place.file}`]],
      ["When asked for", operationOf(one.service, one.operation, one.kind === "unanswered")],
      ["Owner", one.owner ? (one.owner.includes("://") ? whom(one.owner) : h("a", { href: `mailto:${one.owner}` }, one.owner)) : "nobody"], one.team && ["Team", ownerOf(one)],
      one.settled && one.state === "resolved" && ["May have it still", one.settled.join(", ") || "none"],
    ].filter(Boolean).map(([name, value]) => h("div", { key: name }, h("dt", null, name), h("dd", null, value)))));
}

function numbers(one) {
  const others = one.services.length - 1;
  const hour = one.sparkline.reduce((a, b) => a + b, 0);
  return h("section", { class: "stats", key: "stats", "aria-label": "The incident in numbers" },
    stat("Failures", count(one.count), "", h("span", { class: "of" }, `${count(hour)} / h`)),
    stat("Hurts", [others, h("small", null, others === 1 ? "app" : "apps")], "", null, others ? "bad" : ""),
    stat("Last seen", when(one.last)), stat("First seen", when(one.first)),
    stat("Releases", one.releases.length ? one.releases[one.releases.length - 1] : "–", "", one.releases.length > 1 && h("span", { class: "of" }, `of ${one.releases.length}`)));
}

function stack(one) {
  const raw = !!route.query.raw;
  const state = { open: (key) => folds.get(key), flip: (key, to) => { folds.set(key, to); update(); } };
  return h("section", { class: "card stack-of", key: "stack" },
    h("header", null, h("h2", null, "Stack"), one.stack && h("span", { class: "quiet" }, raw ? "as it was printed" : "innermost first"), h("span", { class: "grow" }),
      one.stack && h("button", { type: "button", class: "button small toggle", "aria-pressed": String(raw), onclick: () => amend({ raw: raw ? "" : "1" }) }, "As printed")),
    one.stack ? (raw ? h("pre", { class: "block raw", tabindex: "0", key: "raw", "aria-label": "Traceback" }, one.stack) : h("div", { class: "chain", key: "chain" }, framesView(one, state)))
      : h("p", { class: "quiet" }, one.kind === "unanswered" ? ["Whoever does not answer tells of no stack. ", h("a", { href: link("logs", [one.service]) }, "Its logs"), " and the traces below tell more."] : "No stack came with it. Its traces tell more."),
    one.stack && !one.local && !raw && h("p", { class: "quiet" }, "No variables came along."));
}

/** The app it was born in, and below it those that failed for its sake, the worst first. */
function tree(one) {
  const by = new Map();
  for (const hurt of one.hurt) by.set(hurt.service, [...(by.get(hurt.service) || []), hurt]);
  const all = [[one.service, one.asked], ...[...by].sort(([a], [b]) => one.hurts[b] - one.hurts[a])];
  const sum = (list) => list.reduce((total, each) => total + each.count, 0);
  const most = Math.max(1, ...all.map(([, list]) => sum(list)));
  return h("section", { class: "card", key: "tree" }, h("h2", null, "Whom it hurts"),
    h("ul", { class: "tree-of" }, all.map(([app, list], i) => h("li", { key: app, class: i ? "victim" : "cause" },
      h("div", { class: "bar-of", style: { "--part": (sum(list) / most).toFixed(4) } }, h("a", { href: link("errors", [], { app }), title: `Everything that hurts ${app}` }, swatch(app), h("strong", null, app)), i === 0 && tag("born here", "bad"), h("span", { class: "grow" }), h("span", { class: "number" }, count(sum(list)))),
      h("ul", null, (whole ? list : list.slice(0, HURT)).map((each) => h("li", { key: each.operation }, operationOf(app, each.operation, i === 0 && one.kind === "unanswered"), h("span", { class: "number" }, list.length > 1 && percent(each.count, sum(list)))))))),
    all.length === 1 && h("li", { key: "none", class: "quiet" }, "Nobody else."),
    !whole && all.some(([, list]) => list.length > HURT) && h("li", { key: "more" }, button("All operations", () => { whole = true; update(); }, { kind: "small" }))));
}

function history(one) {
  const which = SPANS[route.query.span] ? route.query.span : "hour";
  const [, n, each] = SPANS[which];
  const values = which === "hour" ? one.sparkline : one.history;
  const end = Math.ceil(Date.now() / 1000 / each) * each;
  const begin = end - n * each;
  const marks = one.releases.map((name) => ({ at: (one.since[name] - begin) / (end - begin), text: `first seen with ${name}` })).filter((mark) => mark.at >= 0 && one.releases.length > 1);
  const time = (seconds) => clock(seconds * 1000).slice(0, 5);
  return h("section", { class: "card past", key: "past" },
    h("header", null, h("h2", null, "History"), h("span", { class: "quiet" }, `at most ${count(Math.max(...values))} ${which === "hour" ? "a minute" : "in 15 minutes"}`), h("span", { class: "grow" }), tabs(which, { hour: "Hour", day: "Day" }, (name) => amend({ span: name === "hour" ? "" : name }))),
    lazy("bars", [values.join(), which, Math.floor(end)], () => bars(values, { width: 480, height: 76, marks, label: "Failures over time", each: (i) => time(begin + i * each) })),
    h("div", { class: "axis", "aria-hidden": "true" }, [0, 1, 2, 3, 4].map((i) => h("span", { key: i }, i === 4 ? "now" : time(begin + (i * (end - begin)) / 4)))));
}

function releases(one) {
  if (!one.releases.length) return null;
  return h("section", { class: "card", key: "releases" }, h("h2", null, "Releases"),
    h("ul", { class: "releases" }, [...one.releases].reverse().map((name) => h("li", { key: name }, h("span", { class: "mono" }, name), h("span", { class: "quiet" }, one.since[name] ? ["first seen ", ...when(one.since[name])] : "")))),
    one.resolved && h("p", { class: "quiet" }, one.state === "regressed" ? "It was resolved " : "Resolved ", ...when(one.resolved), one.state === "regressed" ? ", and has come back." : one.state === "open" ? ", and reopened." : "."));
}

function traces(one) {
  if (!one.seen.length) return null;
  const list = whole ? one.seen : one.seen.slice(0, TRACES);
  return h("section", { class: "card flush", key: "traces" }, h("header", null, h("h2", null, "Last traces"), h("span", { class: "grow" }), h("a", { href: link("traces", [], { app: one.service, errors: "1" }) }, "All that failed here")),
    h("ul", { class: "sightings" }, list.map((seen) => h("li", { key: `${seen.trace_id} ${seen.span_id}` }, h("a", { href: link("traces", [seen.trace_id], { span: seen.span_id }) }, icon("traces"), h("code", null, seen.trace_id), h("time", { title: new Date(seen.at / 1000).toLocaleString() }, `${age(since(seen.at / 1e6))} ago`))))),
    list.length < one.seen.length && h("div", { class: "more-of" }, button(`All ${one.seen.length}`, () => { whole = true; update(); }, { kind: "small" })));
}

function banner(one) {
  const alert = alertOf(one);
  if (alert) return h("a", { class: `notice ${alert.severity === "page" ? "bad" : "warn"} alerting`, key: "alert", href: link("alerts", [alert.id]) }, icon("alerts"), h("span", null, h("strong", null, alert.summary), ` · since `, ...when(alert.since).slice(0, 1), `, owner: ${whom(alert.owner)}`));
  return one.alert ? h("a", { class: "notice info alerting", key: "alert", href: link("alerts", [one.alert]) }, icon("alerts"), h("span", null, "It was part of an alert that is over.")) : null;
}

export function view() {
  const one = shown();
  const wrong = trouble[feed()];
  if (!one) return [h("div", { class: "headline", key: "headline" }, h("h1", null, h("a", { class: "back", href: link("errors") }, "Errors"), id())),
    wrong ? h("section", { class: "card", key: "none" }, empty("This incident is not known", wrong, "errors", h("a", { class: "button", href: link("errors") }, "All errors"))) : h("div", { class: "loading", key: "loading" }, "Asking the collector…")];
  return [
    head(one), wrong && notice(wrong), banner(one), lead(one), numbers(one),
    h("div", { class: "halves", key: `halves ${one.id}` },
      h("div", { class: "half" }, lazy("stack", [one.stack, one.local, one.kind, route.query.raw, [...folds].join()], () => stack(one)), traces(one)),
      h("div", { class: "half" }, tree(one), history(one), releases(one))),
  ];
}

/** The next incident of the list, or the one before. */
export function step(names, by) {
  const next = names[names.indexOf(shown()?.id || id()) + by];
  if (next) { leave(); go(link("errors", [next], route.query), true); }
}
