// Search: the newest or the slowest traces that match, as dots over time and as a list.

import { get } from "./api.js";
import { h, lazy } from "./dom.js";
import { count, several } from "./format.js";
import { icon } from "./icons.js";
import { docs, trouble } from "./live.js";
import { amend, go, link, route } from "./router.js";
import { moment, scatter } from "./scatter.js";
import { microseconds, shares, swatch, took, traceIn } from "./span.js";
import { button, empty, notice, search, tag } from "./ui.js";
import { update } from "./update.js";

const WINDOWS = { "5m": [300, "5 minutes"], "15m": [900, "15 minutes"], "1h": [3600, "Hour"], "6h": [21600, "6 hours"], "1d": [86400, "Day"], "7d": [604800, "7 days"] };
const TICK = "process skerry.tick."; // what schedules do: most of what happens, and seldom what is looked for
const FIRST = 200;
const MOST = 1000;

let found = null; // the last answer
let asked = ""; // what it answers
let failed = "";
let stop = null;
let again = 0; // asked once more for the same
let chosen = "";
let named = -1; // the last time that names were asked for
let apps = [];
let operations = {}; // names of spans, by app

/** The parameters of the collector that this address stands for. */
export function question(query) {
  const { app = "", name = "", errors = "", min = "", max = "", q = "", window: span = "1h", from = "", to = "", order = "", limit = "", ticks = "" } = query;
  const [seconds] = WINDOWS[span] || WINDOWS["1h"];
  const given = {
    app, name, errors: errors && "true", where: q.trim(), slower: microseconds(min) / 1e6 || "", faster: microseconds(max) / 1e6 || "",
    schedules: ticks || name.startsWith(TICK) ? "" : "false", order: order === "slowest" ? order : "", limit: Math.min(MOST, Number(limit) || FIRST),
    ...(from && to ? { since: from, until: to } : { lookback: seconds }),
  };
  return new URLSearchParams(Object.entries(given).filter(([, value]) => value !== "")).toString();
}

const isLive = (query) => !!query.live && !query.to;
const feed = (query) => `traces:${encodeURIComponent(question(query))}`;

export const feeds = (query) => (isLive(query) ? [feed(query)] : []);

function look(query) {
  if (isLive(query)) {
    const now = docs[feed(query)];
    failed = trouble[feed(query)] || "";
    if (now && now !== found) { found = now; asked = ""; }
    return;
  }
  const wanted = `${question(query)}#${again}`;
  if (wanted === asked) return;
  asked = wanted;
  stop?.abort();
  stop = new AbortController();
  get(`/api/traces?${question(query)}`, stop.signal).then((answer) => {
    found = answer;
    failed = "";
    update();
  }).catch((error) => {
    if (error.name === "AbortError") return;
    failed = error.message;
    update();
  });
}

function choices(app) {
  if (named !== again) {
    named = again;
    operations = {};
    get("/api/operations").then((names) => { apps = names; update(); }).catch(() => {});
  }
  if (app && !operations[app]) {
    operations[app] = [];
    get(`/api/operations?app=${encodeURIComponent(app)}`).then((names) => { operations[app] = names; update(); }).catch(() => {});
  }
}

function select(label, value, options, choose, disabled = false) {
  const known = options.some(([name]) => name === value) ? options : [...options, [value, value]];
  return h("label", { class: "select", key: label }, h("span", { class: "sr" }, label),
    h("select", { value, disabled, "aria-label": label, onchange: (event) => choose(event.target.value) }, known.map(([name, text]) => h("option", { key: name, value: name, selected: name === value }, text))));
}

function duration(name, label) {
  const typed = (event) => {
    const text = event.target.value.trim();
    const wrong = text && microseconds(text) === null;
    event.target.setAttribute("aria-invalid", String(!!wrong));
    if (!wrong) amend({ [name]: text });
  };
  return h("input", { key: name, class: "input time", type: "text", placeholder: label, "aria-label": label, title: "200ms, 1.5s, 2m; a number alone is milliseconds", autocomplete: "off", value: route.query[name] || "", onchange: typed, onkeydown: (event) => { if (event.key === "Enter") typed(event); if (event.key === "Escape") event.target.blur(); } });
}

function typed(text) {
  const id = traceIn(text);
  if (id) go(link("traces", [id]));
  else amend({ q: text });
}

function filters(query) {
  const { app = "", name = "", errors = "", window: span = "1h", from = "", to = "", q = "", ticks = "" } = query;
  const set = from && to;
  const named = [["", "Every operation"], ...(operations[app] || []).map((one) => [one, one])];
  return h("div", { class: "filters", key: "filters" },
    select("App", app, [["", "Every app"], ...apps.map((one) => [one, one])], (value) => amend({ app: value, name: "" })),
    select("Operation", name, app ? named : [["", "Every operation"]], (value) => amend({ name: value }), !app && !name),
    h("span", { class: "range", key: "range" }, duration("min", "at least"), h("span", { "aria-hidden": "true" }, "–"), duration("max", "at most")),
    search(q, typed, { placeholder: "attribute=value and …, or a trace’s id", wide: true }),
    h("button", { key: "errors", type: "button", class: "button toggle", "aria-pressed": String(!!errors), onclick: () => amend({ errors: errors ? "" : "1" }) }, icon("errors"), h("span", null, "Errors")),
    h("button", { key: "ticks", type: "button", class: "button toggle", "aria-pressed": String(!!ticks), title: "Also what runs by the clock", onclick: () => amend({ ticks: ticks ? "" : "1" }) }, h("span", null, "Schedules")),
    set
      ? h("button", { key: "set", type: "button", class: "button on", title: "Back to what is new", onclick: () => amend({ from: "", to: "" }) }, h("span", null, `${moment(Number(from))} – ${moment(Number(to))}`), icon("close"))
      : select("Time", span, Object.entries(WINDOWS).map(([value, [, text]]) => [value, text]), (value) => amend({ window: value === "1h" ? "" : value })));
}

function either({ order = "newest" }) {
  return h("div", { class: "either", role: "group", "aria-label": "Order", key: "order" }, ["newest", "slowest"].map((one) =>
    h("button", { key: one, type: "button", class: "button", "aria-pressed": String(order === one), onclick: () => amend({ order: one === "newest" ? "" : one }) }, one === "newest" ? "Newest" : "Slowest")));
}

function line(one) {
  const day = new Date(one.began * 1000).toDateString() === new Date().toDateString();
  return h("tr", { class: `row ${one.trace_id === chosen ? "chosen" : ""}`, data: { row: one.trace_id }, onclick: (event) => { if (!event.target.closest("a") && !String(getSelection())) go(link("traces", [one.trace_id])); } },
    h("td", { class: "what" }, swatch(one.app), h("a", { href: link("traces", [one.trace_id]) }, h("strong", null, one.app || "?"), h("span", null, one.name)),
      !one.whole && tag("in pieces", "warn", "Spans are missing in between: they were lost, or have not come yet"), one.clipped && tag("clipped", "warn", "Something of it was cut off or dropped on the way in")),
    h("td", { class: "split-by" }, shares(one.apps)),
    h("td", { class: "num took" }, took(one.seconds * 1e6)),
    h("td", { class: "num" }, count(one.spans)), h("td", { class: "num apps", title: one.apps.map((share) => share.app).join(", ") }, one.apps.length),
    h("td", { class: "wrong", title: one.trouble || null }, one.errors > 0 && [h("span", { class: "badge bad" }, one.errors), h("span", { class: "fault" }, one.trouble)]),
    h("td", { class: "num when", title: new Date(one.began * 1000).toLocaleString() }, one.began ? (day ? moment(one.began) : `${moment(one.began, 86400)} ${moment(one.began, 60)}`) : "–"));
}

function list(query) {
  const heads = [["what", "Trace"], ["split-by", "Where the time went"], ["num", "Took"], ["num", "Spans"], ["num apps", "Apps"], ["wrong", "Errors"], ["num when", "Began"]];
  return h("section", { class: "card flush found", key: "list" },
    h("table", { class: "table" }, h("thead", null, h("tr", null, heads.map(([kind, text]) => h("th", { key: text, scope: "col", class: kind }, text)))),
      h("tbody", null, found.traces.map((one) => lazy(one.trace_id, [one, one.trace_id === chosen], () => line(one))))),
    found.more && h("div", { class: "more-of", key: "more" }, `The ${found.traces.length} ${found.order} of more.`,
      (Number(query.limit) || FIRST) < MOST && button("Show more", () => amend({ limit: Math.min(MOST, (Number(query.limit) || FIRST) * 2) }), { kind: "small" })));
}

function said() {
  if (!found) return "";
  const wrong = found.traces.filter((one) => one.errors).length;
  return `${several(found.traces.length, "trace")}${found.more ? " of more" : ""}${wrong ? `, ${count(wrong)} with errors` : ""}`;
}

export function view() {
  const query = route.query;
  look(query);
  choices(query.app || "");
  const live = isLive(query);
  const narrowed = ["app", "name", "errors", "min", "max", "q", "from"].some((name) => query[name]);
  return [
    h("div", { class: "headline", key: "headline" }, h("h1", null, "Traces"), h("p", { role: "status" }, said()),
      h("div", { class: "tools" }, either(query),
        h("button", { type: "button", class: "button toggle live", "aria-pressed": String(live), title: "l", onclick: tail }, h("i", { "aria-hidden": "true" }), h("span", null, "Live")),
        button("", reload, { name: "restart", title: "Look again (r)" }))),
    filters(query),
    failed && notice(failed),
    !found && !failed && h("div", { class: "loading", key: "loading" }, "Looking for traces…"),
    found && found.traces.length > 0 && h("section", { class: "card flush", key: "plot" }, scatter(found, chosen, { open: (one) => open(one.trace_id), select: (from, to) => amend({ from: from.toFixed(3), to: to.toFixed(3), live: "" }, false), redraw: update })),
    found && found.traces.length > 0 && list(query),
    found && !found.traces.length && !failed && h("section", { class: "card flush", key: "none" }, narrowed
      ? empty("No trace is like that", "Nothing in this time fits all filters. Spans take about a second to arrive.", "traces", button("Clear the filters", () => go(link("traces")), { kind: "small" }))
      : empty("No traces yet", "Every request that an app answers becomes one, within a second.", "traces")),
  ];
}

function tail() {
  amend(isLive(route.query) ? { live: "" } : { live: "1", from: "", to: "" });
}

export function open(id) {
  chosen = id;
  go(link("traces", [id]));
}

export function reload() {
  again += 1;
  update();
}

export const names = () => (found ? found.traces.map((one) => one.trace_id) : []);
export const at = () => chosen;
export const choose = (id) => { chosen = id; update(); };
export const keys = {
  l: tail, r: reload,
  e: () => amend({ errors: route.query.errors ? "" : "1" }),
  Escape: () => (route.query.from ? amend({ from: "", to: "" }) : false),
};
