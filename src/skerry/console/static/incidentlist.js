// The list of incidents: filtered in the address, resolved one by one or many at once.

import { h, lazy } from "./dom.js";
import { count, several, since } from "./format.js";
import { alertOf, heading, lastHour, ownerOf, placeOf, roughly, settle, tagsOf, titleOf } from "./incidents.js";
import { docs, trouble } from "./live.js";
import { amend, go, link, route } from "./router.js";
import { swatch } from "./span.js";
import { button, empty, notice, search, sorted, sorter, tabs } from "./ui.js";
import { update } from "./update.js";

const FIRST = 200;
const MOST = 1000;
const KEYS = {
  count: (one) => one.count, hurts: (one) => one.services.length, first: (one) => one.first,
  last: (one) => -Math.floor(since(one.last) / 60), // what fails all the time does not change places all the time
  what: (one) => titleOf(one).toLowerCase(), hour: (one) => one.sparkline.reduce((a, b) => a + b, 0),
};

let chosen = "";
const marked = new Set();
let kept = { query: "", rows: [], found: null }; // what was shown last, while the next is on its way

/** The parameters of the collector that an address stands for. */
function question({ q = "", app = "", state = "", problems = "", limit = "" }) {
  const given = { text: q.trim(), service: app, state, problems: problems && "true", limit: Math.min(MOST, Number(limit) || FIRST) };
  return new URLSearchParams(Object.entries(given).filter(([, value]) => value !== "")).toString();
}

export const feed = () => `incidents:${encodeURIComponent(question(route.query))}`;

export function rows() {
  const found = docs[feed()];
  if (found && found !== kept.found) kept = { query: feed(), found, rows: [...found].sort((a, b) => b.first - a.first) };
  return sorted(kept.rows, route.query.sort || "-last", KEYS);
}

export const names = () => rows().map((one) => one.id);
export const at = () => chosen;
export const choose = (id) => { chosen = id; update(); };
export const open = (id) => { chosen = id; go(link("errors", [id], route.query)); };

/** Those that something is done with: the ticked ones, or the one that is chosen. */
function meant() {
  const all = names();
  const ticked = all.filter((id) => marked.has(id));
  return ticked.length ? ticked : all.filter((id) => id === chosen);
}

export async function act(next = false) {
  const ids = meant();
  if (!ids.length) return;
  const all = names();
  const below = all.slice(all.indexOf(ids[ids.length - 1]) + 1).find((id) => !ids.includes(id));
  const verb = route.query.state === "resolved" ? "reopen" : "resolve";
  if (await settle(verb, ids, next)) {
    for (const id of ids) marked.delete(id);
    if (ids.includes(chosen) && below) chosen = below;
    update();
  }
}

export function mark(id) {
  if (!id) return false;
  if (marked.has(id)) marked.delete(id); else marked.add(id);
  update();
  return true;
}

export function clear() {
  if (!marked.size) return false;
  marked.clear();
  update();
  return true;
}

// -- what is shown -----------------------------------------------------------------------------

function hurts(one) {
  const others = one.services.slice(1).sort((a, b) => one.hurts[b] - one.hurts[a]);
  if (!others.length) return h("span", { class: "quiet" }, "–");
  const said = others.map((app) => `${app} ${count(one.hurts[app])}`).join(", ");
  return h("span", { class: "hurts", title: said }, h("strong", null, several(others.length, "app")), h("small", null, others.slice(0, 3).join(", "), others.length > 3 && " …"));
}

function line(one) {
  const place = placeOf(one);
  const here = link("errors", [one.id], route.query);
  return h("tr", { class: `row ${one.id === chosen ? "chosen" : ""}`, data: { row: one.id }, onclick: (event) => { if (!event.target.closest("a, button, input") && !String(getSelection())) open(one.id); } },
    h("td", { class: "tick" }, h("input", { type: "checkbox", "aria-label": `Choose ${titleOf(one)}`, checked: marked.has(one.id), onchange: () => mark(one.id) })),
    h("td", { class: "what" },
      h("p", { class: "title" }, h("a", { href: here, title: titleOf(one) }, heading(one)), place.name && h("span", { class: "place" }, h("b", null, place.name), " in ", place.file), !place.name && one.kind !== "unanswered" && h("span", { class: "place" }, one.operation)),
      h("p", { class: "message", title: one.message }, one.message || (one.kind === "unanswered" ? one.operation : "")),
      h("p", { class: "facts-of" }, h("span", { class: "born" }, swatch(one.service), one.service), tagsOf(one), ownerOf(one), one.releases.length > 0 && h("span", { class: "release", title: `Seen with ${one.releases.join(", ")}` }, one.releases[one.releases.length - 1]))),
    h("td", { class: "hour" }, lastHour(one)),
    h("td", { class: "num count" }, count(one.count)),
    h("td", { class: "whom" }, hurts(one)),
    [["last", one.last], ["first", one.first]].map(([name, at]) => h("td", { key: name, class: `num ${name}` }, h("time", { title: new Date(at * 1000).toLocaleString() }, roughly(since(at))))));
}

function table(found) {
  const sort = route.query.sort || "-last";
  const by = (name) => amend({ sort: name === "-last" ? "" : name });
  const ticked = found.filter((one) => marked.has(one.id)).length;
  const all = () => { for (const one of found) if (ticked === found.length) marked.delete(one.id); else marked.add(one.id); update(); };
  return h("section", { class: "card flush", key: "list" },
    ticked > 0 && bulk(ticked),
    h("table", { class: "table incidents" },
      h("thead", null, h("tr", null,
        h("th", { class: "tick" }, h("input", { type: "checkbox", "aria-label": "Choose all", checked: ticked === found.length, indeterminate: ticked > 0 && ticked < found.length, onchange: all })),
        sorter("what", "What went wrong", sort, by, "what"), sorter("hour", "Last hour", sort, by, "hour"), sorter("count", "Count", sort, by, "num count"),
        sorter("hurts", "Hurts", sort, by, "whom"), sorter("last", "Last", sort, by, "num last"), sorter("first", "First", sort, by, "num first"))),
      h("tbody", null, found.map((one) => lazy(one.id, [one, one.id === chosen, marked.has(one.id), roughly(since(one.last)), roughly(since(one.first)), alertOf(one)?.id, route.query], () => line(one))))),
    kept.rows.length >= (Number(route.query.limit) || FIRST) && h("div", { class: "more-of", key: "more" }, `The ${count(kept.rows.length)} that were seen last.`,
      kept.rows.length < MOST && button("Show more", () => amend({ limit: Math.min(MOST, kept.rows.length * 2) }), { kind: "small" })));
}

function bulk(n) {
  const over = route.query.state === "resolved";
  return h("div", { class: "bulk", key: "bulk", role: "toolbar", "aria-label": "Chosen incidents" }, h("strong", null, `${several(n, "incident")} chosen`),
    button(over ? "Reopen" : "Resolve", () => void act(), { kind: "primary small", title: "r", key: "now" }),
    !over && button("Resolve by the next release", () => void act(true), { kind: "small", title: "n", key: "next" }),
    button("Clear", clear, { kind: "small quiet", title: "Esc", key: "clear" }));
}

function filters() {
  const { app = "", state = "", problems = "" } = route.query;
  const wrong = docs.troubles;
  const known = [...new Set([...(docs.fleet?.apps || []).map((one) => one.app), ...kept.rows.flatMap((one) => one.services), app].filter(Boolean))].sort();
  const sum = (name) => (wrong ? h("span", { class: "badge" }, count(name === "" ? wrong.open + wrong.regressed : wrong[name])) : null);
  return h("div", { class: "filters", key: "filters" },
    tabs(state, { "": ["Unresolved ", sum("")], regressed: ["Regressed ", sum("regressed")], resolved: ["Resolved ", sum("resolved")] }, (name) => { marked.clear(); amend({ state: name }); }),
    h("span", { class: "grow" }),
    h("label", null, h("select", { value: app, "aria-label": "App", onchange: (event) => amend({ app: event.target.value }) },
      [["", "Every app"], ...known.map((name) => [name, `Hurts ${name}`])].map(([name, text]) => h("option", { key: name, value: name, selected: name === app }, text)))),
    h("button", { type: "button", class: "button toggle", "aria-pressed": String(!!problems), title: "Also answers that contracts declare (p)", onclick: flipProblems }, h("span", null, "Declared problems"), wrong?.problems > 0 && h("span", { class: "badge" }, count(wrong.problems))),
    search(route.query.q || "", (q) => amend({ q }), { placeholder: "Type, message, place, owner" }));
}

export const flipProblems = () => amend({ problems: route.query.problems ? "" : "1" });

function none() {
  const { q, app, state } = route.query;
  if (q || app) return empty("Nothing is like that", "No incident fits all filters.", "errors", button("Clear the filters", () => go(link("errors", [], { state })), { kind: "small" }));
  if (state === "regressed") return empty("Nothing has come back", "What was resolved stays away.", "errors");
  if (state === "resolved") return empty("Nothing was resolved yet", "Resolve an incident with r: if it is seen again, it has regressed.", "errors");
  return empty("Nothing is wrong", "Whatever fails in any app is here within seconds: once, where it was born.", "errors");
}

export function view() {
  const found = rows();
  const wrong = trouble[feed()];
  const { open: fresh = 0, regressed = 0 } = docs.troubles || {};
  const said = docs.troubles ? [several(fresh + regressed, "incident"), " unresolved", regressed > 0 && `, ${several(regressed, "has", "have")} come back`] : "";
  const known = kept.query || wrong;
  return [
    h("div", { class: "headline", key: "headline" }, h("h1", null, "Errors"), h("p", { role: "status" }, said)),
    wrong && notice(wrong),
    filters(),
    !known && h("div", { class: "loading", key: "loading" }, "Asking the collector…"),
    known && found.length > 0 && table(found),
    known && !found.length && !wrong && h("section", { class: "card flush", key: "none" }, none()),
  ];
}
