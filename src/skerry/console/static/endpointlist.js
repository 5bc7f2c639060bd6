// The list of endpoints and handlers: of all apps, or below the charts of one.

import { h, lazy } from "./dom.js";
import { count, percent, several } from "./format.js";
import { choices, feed, kindOf, nameOf, often, partsOf, silent, spoken, timed, titleOf, trendOf } from "./endpoints.js";
import { docs, trouble } from "./live.js";
import { promisesOf, standingOf, worst } from "./promises.js";
import { amend, go, link, route } from "./router.js";
import { swatch } from "./span.js";
import { button, empty, measure, notice, search, sorted, sorter, sparkline, tabs } from "./ui.js";
import { update } from "./update.js";

const KINDS = { "": "Requests and events", request: "Requests", event: "Events", schedule: "Schedules" };
const RISK = { page: -3, ticket: -2 };
const KEYS = {
  app: (one) => `${one.service} ${one.name}`, name: (one) => partsOf(one).reverse().join(" "), owner: (one) => (one.team || one.owner || "\uffff").toLowerCase(),
  rate: (one) => one.rate, errors: (one) => (one.count ? one.errors / one.count : -1), p50: (one) => one.p50, p95: (one) => one.p95, p99: (one) => one.p99,
  promise: (one) => { const now = standing(one); return now ? (RISK[now.burning] ?? (now.left < 0 ? -1 : now.left)) : null; },
};

let chosen = "";
let kept = { name: "", found: null }; // what was shown last, while the next is on its way

export const asked = () => feed("endpoints", route.parts[0] ? { service: route.parts[0].toLowerCase() } : {});
export const list = () => { const name = asked(); if (docs[name]) kept = { name, found: docs[name], app: route.parts[0] }; return kept.app === route.parts[0] ? kept.found : null; };
const standing = (one) => worst(promisesOf(one.service, one.name, list()?.objectives || []));
const idOf = (one) => `${one.service} ${one.name} ${one.kind}`;
const failing = (one) => one.errors > 0 || one.incidents.length > 0 || !!standing(one)?.burning;

/** All there are, with those that nobody asked where they are wanted. */
function all() {
  const found = list();
  if (!found) return [];
  const apps = route.parts[0] ? [route.parts[0]] : route.query.silent ? (docs.fleet?.apps || []).filter((one) => one.kind === "app").map((one) => one.app) : [];
  return [...found.endpoints, ...apps.flatMap((app) => silent(app, found.endpoints))];
}

function fitting(rows) {
  const { q = "", app = "", team = "", owner = "", kind = "", only = "" } = route.query;
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (one) => `${one.service} ${titleOf(one)} ${one.team} ${one.owner} ${kindOf(one)}`.toLowerCase();
  return rows.filter((one) => (!app || one.service === app) && (!team || one.team === team) && (!owner || one.owner === owner)
    && (kind ? kindOf(one) === kind : kindOf(one) !== "schedule") && (!only || failing(one)) && words.every((word) => text(one).includes(word)));
}

export const rows = () => sorted(fitting(all()), route.query.sort || "-rate", KEYS);
export const names = () => rows().map(idOf);
export const at = () => chosen;
export const choose = (id) => { chosen = id; update(); };
export const address = (one) => link("endpoints", [one.service, titleOf(one)], { since: route.query.since });
export const open = (id) => { const one = rows().find((each) => idOf(each) === id); if (one) go(address(one)); };

// -- what is shown -----------------------------------------------------------------------------

function line(one, found) {
  const now = standing(one);
  const share = one.count ? one.errors / one.count : 0;
  return h("tr", { class: `row ${idOf(one) === chosen ? "chosen" : ""} ${one.silent ? "silent" : ""}`, data: { row: idOf(one) }, onclick: (event) => { if (!event.target.closest("a") && !String(getSelection())) go(address(one)); } },
    !route.parts[0] && h("td", { class: "app" }, h("a", { href: link("endpoints", [one.service], { since: route.query.since }) }, swatch(one.service), one.service)),
    h("td", { class: "name" }, h("a", { href: address(one) }, nameOf(one)), one.incidents.length > 0 && h("a", { class: "tag bad", href: one.incidents.length === 1 ? link("errors", [one.incidents[0]]) : link("errors", [], { app: one.service }), title: "What it fails of" }, several(one.incidents.length, "incident"))),
    !route.parts[0] && h("td", { class: "owner", title: one.owner || null }, one.team || one.owner || "–"),
    h("td", { class: "trend" }, one.count > 0 && sparkline(...trendOf(one, found), { width: 112, label: `${count(one.count)} in the ${spoken()}, ${count(one.errors)} failed` })),
    h("td", { class: "num rate" }, one.silent ? h("span", { class: "quiet" }, "not asked") : measure(often(one.rate))),
    h("td", { class: `num errors ${share >= 0.01 ? "bad" : share > 0 ? "warn" : "zero"}`, title: one.errors ? `${count(one.errors)} of ${count(one.count)}` : null }, one.count ? percent(one.errors, one.count) : ""),
    h("td", { class: "num p50" }, one.silent ? "" : timed(one.p50)), h("td", { class: "num p95" }, one.silent ? "" : timed(one.p95)), h("td", { class: "num p99" }, one.silent ? "" : timed(one.p99)),
    h("td", { class: "stands" }, standingOf(now)));
}

export function table(found) {
  const sort = route.query.sort || "-rate";
  const by = (name) => amend({ sort: name === "-rate" ? "" : name });
  const shown = rows();
  if (!shown.length) return none(found);
  return h("section", { class: "card flush", key: "list" }, h("table", { class: "table endpoints" },
    h("thead", null, h("tr", null, !route.parts[0] && sorter("app", "App", sort, by, "app"), sorter("name", "Endpoint", sort, by, "name"), !route.parts[0] && sorter("owner", "Owner", sort, by, "owner"),
      h("th", { scope: "col", class: "trend" }, "Calls"), sorter("rate", "Rate", sort, by, "num rate"), sorter("errors", "Failed", sort, by, "num errors"), sorter("p50", "p50", sort, by, "num p50"), sorter("p95", "p95", sort, by, "num p95"), sorter("p99", "p99", sort, by, "num p99"),
      sorter("promise", "Promise", sort, by, "stands"))),
    h("tbody", null, shown.map((one) => lazy(idOf(one), [one, found, idOf(one) === chosen, route.query.since, route.parts[0]], () => line(one, found))))));
}

function none(found) {
  const { since, kind } = route.query;
  const filtered = all().length > 0;
  return h("section", { class: "card flush", key: "none" }, filtered
    ? empty("No endpoint is like that", "Nothing that was asked in this time fits all filters.", "endpoints", button("Clear the filters", () => go(link("endpoints", route.parts.slice(0, 1), { since, kind: "" })), { kind: "small" }))
    : empty("Nobody has asked for anything", `No request and no event in the ${spoken()}${kind ? ", or none of this kind" : ""}.`, "endpoints", !found.endpoints.length && h("a", { class: "button small", href: link("try", route.parts.slice(0, 1)) }, "Try a call")));
}

function select(name, label, values) {
  const now = route.query[name] || "";
  if (values.length < 2 && !now) return null;
  return h("label", { key: name }, h("span", { class: "sr" }, label), h("select", { value: now, onchange: (event) => amend({ [name]: event.target.value }) },
    ["", ...new Set([...values, now].filter(Boolean))].map((value) => h("option", { key: value, value, selected: value === now }, value || label))));
}

export function filters() {
  const { kind = "", only = "", silent: quiet = "" } = route.query;
  const whole = all();
  const values = (key) => [...new Set(whole.map((one) => one[key]))].filter(Boolean).sort();
  const wrong = whole.filter((one) => kindOf(one) !== "schedule" && failing(one)).length;
  return h("div", { class: "filters", key: "filters" },
    tabs(KINDS[kind] ? kind : "", KINDS, (name) => amend({ kind: name })), h("span", { class: "grow" }),
    !route.parts[0] && [select("app", "Every app", values("service")), select("team", "Every team", values("team")), select("owner", "Every owner", values("owner"))],
    h("button", { key: "only", type: "button", class: "button toggle", "aria-pressed": String(!!only), onclick: () => amend({ only: only ? "" : "failing" }) }, h("span", null, "Failing"), wrong > 0 && h("span", { class: "badge bad" }, wrong)),
    !route.parts[0] && h("button", { key: "silent", type: "button", class: "button toggle", "aria-pressed": String(!!quiet), title: "Also what contracts have and nobody has asked for", onclick: () => amend({ silent: quiet ? "" : "1" }) }, h("span", null, "Not asked")),
    route.parts[0] && find());
}

const find = () => search(route.query.q || "", (q) => amend({ q }), { placeholder: "Endpoint, app, team, owner" });

export function view() {
  const found = list();
  const wrong = trouble[asked()];
  const sum = (key) => found.endpoints.reduce((total, one) => total + (kindOf(one) === "schedule" ? 0 : one[key]), 0);
  const apps = found ? new Set(found.endpoints.map((one) => one.service)).size : 0;
  const said = found ? `${several(found.endpoints.filter((one) => kindOf(one) !== "schedule").length, "endpoint")} of ${several(apps, "app")}, ${often(sum("rate"))}, ${percent(sum("errors"), sum("count"))} failed` : "";
  return [
    h("div", { class: "headline", key: "headline" }, h("h1", null, "Endpoints"), h("p", { role: "status" }, said), h("div", { class: "tools" }, find(), choices())),
    wrong && notice(wrong),
    found && filters(),
    found ? table(found) : !wrong && h("div", { class: "loading", key: "loading" }, "Asking the collector…"),
  ];
}
