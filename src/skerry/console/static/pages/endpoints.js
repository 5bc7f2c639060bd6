// Endpoints: how often, how well and how fast each answers (`#/endpoints`, `#/endpoints/APP`,
// `#/endpoints/APP/OPERATION`), with what is promised of it.

import { chart, forget, steer } from "../chart.js";
import { h } from "../dom.js";
import { count, ms, percent, several } from "../format.js";
import { icon } from "../icons.js";
import { rowKeys } from "../keys.js";
import { docs, trouble } from "../live.js";
import { promised, promisesOf, standingOf, worst } from "../promises.js";
import { amend, go, link, route } from "../router.js";
import { swatch } from "../span.js";
import { empty, measure, notice, search, sorted, sorter, sparkline, tag } from "../ui.js";
import { update } from "../update.js";

const WINDOWS = { 15: "15 m", 60: "1 h", 360: "6 h", 1440: "24 h" };
const USUAL = "60";
const LONG = 60; // minutes above which the page is asked for less often

const app = () => (route.parts[0] || "").toLowerCase();
const operation = () => (route.parts[1] || "").toLowerCase();
const minutes = () => (WINDOWS[route.query.window] ? route.query.window : USUAL);
const long = () => (Number(minutes()) > LONG ? "-long" : "");
const asked = (extra) => encodeURIComponent(new URLSearchParams({ ...extra, window: String(60 * Number(minutes())) }).toString());
const listFeed = () => `endpoints${long()}:${asked({})}`;
const seriesFeed = () => `series${long()}:${asked(operation() ? { service: app(), name: operation() } : { service: app() })}`;

const kept = {}; // the last answers, so that nothing is blank while the next window is asked for
const answer = (name, feed) => (kept[name] = docs[feed] || (kept[name]?.of === route.parts.join("/") ? kept[name] : null) || docs[feed]);

let chosen = "";

const found = () => answer("list", listFeed());
const keyOf = (one) => `${one.service} ${one.name}`;
const titled = (name) => name.replace(/^(get|post|put|patch|delete|head|options)(?= )/, (verb) => verb.toUpperCase());
const share = (one) => (one.count ? one.errors / one.count : null);
const milliseconds = (seconds) => (seconds === null ? null : seconds * 1000);

const KEYS = {
  name: keyOf, rate: (one) => one.rate, errors: share, p50: (one) => one.p50, p95: (one) => one.p95, p99: (one) => one.p99,
  promise: (one) => worst(promisesOf(one.service, one.name, found()?.objectives || []))?.left ?? null,
};

function shown() {
  const words = (route.query.q || "").toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (one) => words.every((word) => `${one.service} ${one.name} ${one.team} ${one.owner}`.toLowerCase().includes(word));
  const all = (found()?.endpoints || []).filter((one) => !app() || one.service === app());
  return sorted(all.filter(fits), route.query.sort || "-rate", KEYS);
}

const open = (one) => go(link("endpoints", [one.service, one.name], { window: route.query.window }));

// -- all of them -------------------------------------------------------------------------------

function rates(value) {
  return value >= 1 || value === 0 ? measure(`${value >= 100 ? count(Math.round(value)) : value.toFixed(value ? 1 : 0)} /s`) : measure(`${(60 * value).toFixed(60 * value < 10 ? 1 : 0)} /min`);
}

const cell = (seconds) => h("td", { class: `num ${seconds === null ? "zero" : ""}` }, measure(ms(milliseconds(seconds))));

function row(one) {
  const standing = worst(promisesOf(one.service, one.name, found().objectives));
  const bad = share(one) > 0;
  return h("tr", { key: keyOf(one), class: `row ${keyOf(one) === chosen ? "chosen" : ""}`, data: { row: keyOf(one) }, onclick: (event) => { if (!event.target.closest("a")) open(one); } },
    h("td", { class: "name" }, swatch(one.service), !app() && h("span", { class: "of" }, one.service), h("a", { href: link("endpoints", [one.service, one.name], { window: route.query.window }), class: "mono" }, titled(one.name)),
      one.kind === "CONSUMER" && tag("event", "info"),
      one.incidents.length > 0 && h("a", { class: "tag bad", href: one.incidents.length === 1 ? link("errors", one.incidents) : link("errors", [], { app: one.service }), title: "Incidents that are not resolved" }, icon("errors"), count(one.incidents.length))),
    h("td", { class: "trend" }, sparkline(one.counts, one.failed, { label: `calls over ${WINDOWS[minutes()]}` })),
    h("td", { class: "num" }, rates(one.rate)), h("td", { class: `num ${bad ? "bad" : "zero"}` }, percent(one.errors, one.count)),
    cell(one.p50), cell(one.p95), cell(one.p99), h("td", null, standingOf(standing)));
}

function table(rows) {
  const sort = route.query.sort || "-rate";
  const by = (name) => amend({ sort: name === "-rate" ? "" : name });
  const head = (name, label, kind) => sorter(name, label, sort, by, kind);
  return h("section", { class: "card flush", key: "table" }, h("div", { class: "scroll" }, h("table", { class: "table" },
    h("thead", null, h("tr", null, head("name", "Endpoint"), h("th", { scope: "col", class: "trend" }, WINDOWS[minutes()]), head("rate", "Rate", "num"), head("errors", "Failed", "num"), head("p50", "p50", "num"), head("p95", "p95", "num"), head("p99", "p99", "num"), head("promise", "Promise"))),
    h("tbody", null, rows.map(row)))));
}

const windows = () => h("div", { class: "windows", role: "group", "aria-label": "Traffic of the last" }, Object.entries(WINDOWS).map(([name, text]) =>
  h("button", { key: name, type: "button", "aria-pressed": String(name === minutes()), onclick: () => amend({ window: name === USUAL ? "" : name }) }, text)));

function headline(title, said, ...tools) {
  return h("div", { class: "headline", key: "headline" }, h("h1", null, title), h("p", null, said), h("div", { class: "tools" }, tools, windows()));
}

const crumbs = () => [h("a", { class: "back", href: link("endpoints", [], { window: route.query.window }) }, "Endpoints")];

function list() {
  const rows = shown();
  const all = found().endpoints;
  const rate = rows.reduce((sum, one) => sum + one.rate, 0);
  const [failed, whole] = [rows.reduce((sum, one) => sum + one.errors, 0), rows.reduce((sum, one) => sum + one.count, 0)];
  const said = `${several(rows.length, "endpoint")}${rows.length < all.length && !app() ? ` of ${count(all.length)}` : ""} · ${rate >= 1 ? `${rate.toFixed(1)}/s` : `${(60 * rate).toFixed(1)}/min`} · ${percent(failed, whole)} failed`;
  const nothing = app() ? `${app()} was asked for nothing` : "Nobody was asked for anything";
  return [
    headline(app() ? [crumbs(), app()] : "Endpoints", said, search(route.query.q || "", (text) => amend({ q: text }), { placeholder: "Filter endpoints, apps, teams" })),
    app() && charts(docs[seriesFeed()], null),
    rows.length ? table(rows) : empty(all.length && route.query.q ? "No endpoint is like that" : nothing, `in the last ${WINDOWS[minutes()]}. What comes is here a moment later.`, "endpoints"),
  ];
}

// -- one of them, or an app as a whole ---------------------------------------------------------

function dotsOf(points, value) {
  return points.flatMap((point, index) => [
    point.slowest && { index, value: value(point.slowest), kind: "slow", href: link("traces", [point.slowest.trace_id]), text: `The slowest then: ${ms(milliseconds(point.slowest.duration))}` },
    point.failed && { index, value: value(point.failed), kind: "failed", href: link("traces", [point.failed.trace_id]), text: `Failed after ${ms(milliseconds(point.failed.duration))}` },
  ].filter(Boolean));
}

function charts(series, promise) {
  if (!series) return h("div", { class: "charts waiting", key: "charts" });
  const { points } = series;
  const time = { since: series.since, until: series.until, step: series.step, count: points.length, partial: series.partial };
  const per = points.map((point) => (point.count ? point.rate / point.count : 0));
  const good = { name: "answered", kind: "ok", values: points.map((point, i) => (point.count - point.errors) * per[i]) };
  const bad = { name: "failed", kind: "failed", values: points.map((point, i) => point.errors * per[i]) };
  const errors = { name: "failed", kind: "failed", values: points.map((point) => (point.count ? (100 * point.errors) / point.count : null)) };
  const quantiles = ["p99", "p95", "p50"].map((name) => ({ name, kind: name, values: points.map((point) => milliseconds(point[name])) }));
  const allowed = promise?.find((one) => one.measure === "availability");
  const soon = promise?.find((one) => one.measure === "latency");
  const number = (set, i) => `${set.values[i] >= 10 ? set.values[i].toFixed(0) : set.values[i].toFixed(2)}/s`;
  const of = (set, i) => (set.values[i] === null ? "–" : `${set.values[i].toFixed(1)} %`);
  const took = (set, i) => (set.values[i] === null ? "–" : ms(set.values[i]));
  const legend = (sets) => h("ul", { class: "legend" }, sets.map((set) => h("li", { key: set.name }, h("i", { class: set.kind }), set.name)));
  return h("div", { class: "charts", key: "charts" },
    chart({ name: "rate", title: "Rate", unit: "per second", time, sets: [bad, good], stacked: true, format: (value) => String(value), tell: number, legend: legend([good, bad]), least: 0.1 }),
    chart({ name: "errors", title: "Failed", unit: "percent", time, sets: [errors], limit: allowed && { value: 100 - allowed.target, text: "allowed" }, format: (value) => `${value} %`, tell: of, least: 1 }),
    chart({ name: "durations", title: "Durations", time, sets: quantiles, limit: soon && { value: 1000 * soon.latency, text: `${soon.target} % within` }, dots: dotsOf(points, (one) => milliseconds(one.duration)), format: (value) => ms(value).replace(/\.0+ /, " "), tell: took, legend: legend([...quantiles].reverse()) }));
}

/** Where a call can be tried by the contract: of the operation with this method and path. */
function tryIt(one) {
  return one.kind === "CONSUMER" ? null : h("a", { class: "button", href: link("try", [one.service], { q: one.name.split(" ").pop() }) }, icon("try"), h("span", null, "Try a call"));
}

function slowest(one) {
  return h("section", { class: "card", key: "slowest" }, h("h2", null, "Slowest"),
    one.slowest.length ? h("ul", { class: "lines" }, one.slowest.map((each) => h("li", { key: each.trace_id }, h("a", { href: link("traces", [each.trace_id]), class: "mono" }, each.trace_id.slice(0, 16)), h("span", { class: `num ${each.error ? "bad" : ""}` }, ms(milliseconds(each.duration)), each.error && tag("failed", "bad"))))) : h("p", { class: "quiet" }, "Nobody said how long it took."),
    h("p", null, h("a", { href: link("traces", [], { app: one.service, name: one.name }) }, "All of its traces")));
}

function incidentsOf(one) {
  const known = (docs.troubles?.incidents || []).filter((incident) => one.incidents.includes(incident.id));
  const named = Object.fromEntries(known.map((incident) => [incident.id, incident]));
  return h("section", { class: "card", key: "incidents" }, h("h2", null, "What it fails of"),
    one.incidents.length ? h("ul", { class: "lines" }, one.incidents.map((id) => h("li", { key: id }, h("a", { href: link("errors", [id]) }, named[id]?.type || `incident ${id.slice(0, 8)}`), named[id] && h("small", null, named[id].service)))) : h("p", { class: "quiet" }, "Nothing that is not resolved."));
}

function detail() {
  const one = found().endpoints.find((each) => each.service === app() && each.name.toLowerCase() === operation());
  const name = titled(one?.name || route.parts[1]);
  const title = [crumbs(), h("a", { class: "back", href: link("endpoints", [app()], { window: route.query.window }) }, app()), h("span", { class: "mono" }, name)];
  const promises = promisesOf(app(), operation(), found().objectives);
  const alerts = (docs.troubles?.alerts || []).filter((alert) => alert.state !== "resolved");
  const said = one ? [one.team && `${one.team} · `, one.owner && h("a", { href: one.owner.includes("://") ? one.owner : `mailto:${one.owner}` }, one.owner)] : null;
  return [
    headline(title, said, one && tryIt(one)),
    one ? charts(docs[seriesFeed()], promises) : empty("Nothing was seen of it", `${app()} was not asked for ${name} in the last ${WINDOWS[minutes()]}.`, "endpoints", h("a", { class: "button", href: link("endpoints", [app()]) }, `All of ${app()}`)),
    promises.length > 0 && h("section", { class: "promises", key: "promises" }, promises.map((each) => promised(each, alerts))),
    one && h("div", { class: "pair", key: "pair" }, slowest(one), incidentsOf(one)),
  ];
}

function view() {
  const feed = listFeed();
  if (!found()) return [headline(operation() ? titled(route.parts[1]) : app() || "Endpoints", ""), trouble[feed] ? notice(trouble[feed]) : empty("Looking", "Asking the collector what it has counted.", "endpoints")];
  return [trouble[feed] && notice(`${trouble[feed]} This is how it was.`), operation() ? detail() : list()];
}

// -- keys --------------------------------------------------------------------------------------

const current = () => shown().find((one) => keyOf(one) === chosen);
const rows = rowKeys(() => shown().map(keyOf), () => chosen, (name) => { chosen = name; update(); }, () => { const one = current(); if (one) open(one); });
const inList = (name) => (event) => (operation() ? false : rows[name](event));

function steering(event) {
  const series = docs[seriesFeed()];
  if (!series || !app()) return false;
  const time = { since: series.since, until: series.until, step: series.step, count: series.points.length, partial: series.partial };
  return steer(event.key, time, "durations");
}

function back(event) {
  if (steering(event)) return true;
  if (!route.parts.length) return false;
  chosen = operation() ? `${app()} ${operation()}` : "";
  go(link("endpoints", route.parts.slice(0, -1), { window: route.query.window }));
  return true;
}

function next() {
  const all = Object.keys(WINDOWS);
  const to = all[(all.indexOf(minutes()) + 1) % all.length];
  amend({ window: to === USUAL ? "" : to });
}

export default {
  title: "Endpoints", icon: "endpoints", key: "p", order: 44,
  feeds: () => (app() ? [listFeed(), seriesFeed()] : [listFeed()]),
  view,
  leave: () => { forget(); chosen = ""; },
  commands: () => (found()?.endpoints || []).map((one) => ({ kind: "Endpoint", icon: "endpoints", label: titled(one.name), more: one.service, hash: link("endpoints", [one.service, one.name]) })),
  keys: { ...Object.fromEntries(Object.keys(rows).map((name) => [name, inList(name)])), ArrowLeft: steering, ArrowRight: steering, Home: steering, End: steering, Escape: back, w: next },
  help: [["j k", "Next and previous"], ["Enter", "Open it"], ["← →", "Tell of each point of the charts"], ["w", "Another window"], ["Esc", "Back"]],
};
