// Alerts: what pages somebody, because of what, and who suffers of it (`#/alerts`, `#/alerts/ID`).

import { h } from "../dom.js";
import { age, count, ms, several } from "../format.js";
import { icon } from "../icons.js";
import { heading, lastHour, operationLink, placeOf, whom } from "../incidents.js";
import { rowKeys } from "../keys.js";
import { docs, trouble } from "../live.js";
import { LIMITS } from "../promises.js";
import { amend, go, link, route } from "../router.js";
import { swatch } from "../span.js";
import { ago, button, copy, empty, notice, search, tag } from "../ui.js";
import { update } from "../update.js";

const FIRST = 50;

let chosen = "";
let everything = false; // all that are over are shown

const id = () => route.parts[0];
const all = () => docs.alerts?.alerts || [];
const goes = (alert) => alert.state === "firing";
const kindOf = (alert) => (!goes(alert) ? "over" : alert.severity === "page" ? "pages" : "ticket");
const nameOf = (alert) => `${alert.app} ${alert.operation}`.trim();

function shown() {
  const words = (route.query.q || "").toLowerCase().split(/\s+/).filter(Boolean);
  const text = (one) => [one.id, nameOf(one), one.owner, one.severity, ...one.victims.map((broken) => broken.app)].join(" ").toLowerCase();
  return all().filter((one) => words.every((word) => text(one).includes(word)));
}

const same = (a, b) => a.app === b.app && a.endpoint === b.endpoint && a.measure === b.measure;
const standing = (broken) => (docs.alerts?.objectives || []).find((one) => same(one, broken));

const promise = (one, broken) => (!one ? broken.measure : one.latency === null ? `${one.target} % answered` : `${one.target} % in ${ms(one.latency * 1000)}`);

// -- one alert ---------------------------------------------------------------------------------

/** How fast the budget goes, in each window; 1 is as fast as it may. */
function burn(one) {
  return h("span", { class: "burn" }, Object.entries(one.burn).map(([span, rate]) =>
    h("span", { key: span, class: rate >= LIMITS[span] ? "hot" : "", title: `${count(Math.round(rate * 10) / 10)} times as fast as promised, over ${span}; ${LIMITS[span] ? `${LIMITS[span]} calls somebody` : ""}` },
      h("small", null, span), rate >= 100 ? count(Math.round(rate)) : String(Math.round(rate * 10) / 10), "×")));
}

function broken(one, goesOn) {
  const now = standing(one);
  const left = now ? Math.max(-1, Math.min(1, now.left)) : 0;
  return h("li", { key: `${one.app} ${one.endpoint} ${one.measure}`, class: "promise" },
    h("span", { class: "of" }, one.endpoint ? h("a", { href: operationLink(one.app, one.endpoint), class: "mono" }, one.endpoint) : h("span", null, "as a whole"), h("small", null, promise(now, one))),
    now && goesOn && burn(now),
    now && h("span", { class: `left ${now.left < 0 ? "bad" : ""}`, title: `${count(now.bad)} of ${count(now.total)} were not, in thirty days` },
      h("i", { style: { "--part": Math.max(0, left).toFixed(3) } }), now.left < 0 ? "overdrawn" : `${Math.round(100 * now.left)} % left`));
}

function owner(alert) {
  if (!alert.owner) return h("span", { class: "quiet", title: "owner = \"…\" in fleet.toml or pyproject.toml names one" }, "nobody: it has no owner");
  const hook = alert.owner.includes("://");
  return hook ? h("span", { title: "a webhook" }, icon("link"), ` ${whom(alert.owner)}`) : h("a", { href: `mailto:${alert.owner}?subject=${encodeURIComponent(alert.summary)}` }, alert.owner);
}

function victims(alert) {
  const by = new Map();
  for (const one of alert.victims) by.set(one.app, [...(by.get(one.app) || []), one]);
  return [...by].map(([app, list]) => h("div", { key: app, class: "victim" },
    h("h4", null, h("a", { href: link("map", [app]), title: "On the map" }, swatch(app), app)), h("ul", null, list.map((one) => broken(one, goes(alert))))));
}

function incident(known) {
  const place = placeOf(known);
  return h("li", { key: known.id }, h("a", { href: link("errors", [known.id]) },
    h("span", { class: "named" }, h("strong", null, heading(known)), known.state !== "open" && tag(known.state, known.state === "regressed" ? "bad" : "good"),
      h("small", { title: known.message }, place.name ? `${place.name} in ${place.file}` : known.operation, known.message && `: ${known.message}`)),
    h("span", { class: "hour" }, lastHour(known)), h("span", { class: "number" }, count(known.count))));
}

function card(alert) {
  const incidents = alert.incidents.map((one) => docs.alerts.incidents.find((known) => known.id === one)).filter(Boolean);
  const hurt = new Set(alert.victims.map((one) => one.app)).size;
  const over = !goes(alert);
  return h("article", { class: `card alert-of ${kindOf(alert)} ${chosen === alert.id ? "chosen" : ""}`, key: alert.id, data: { row: alert.id }, "aria-label": alert.summary },
    h("header", null,
      h("span", { class: `pulse ${kindOf(alert)}`, "aria-hidden": "true" }),
      h("div", { class: "grow" },
        h("h2", null, h("a", { href: link("alerts", [alert.id]) }, nameOf(alert)), " ", h("span", null, alert.causes.length ? "breaks what it has promised" : "makes others break their promises")),
        h("p", { class: "about" }, tag(over ? "over" : alert.severity === "page" ? "pages" : "ticket", over ? "" : alert.severity === "page" ? "bad" : "warn"),
          over ? h("span", null, "lasted ", h("b", null, age(alert.until - alert.since)), ", until ", ago(alert.until), " ago") : h("span", null, "since ", h("b", null, ago(alert.since))),
          h("span", null, "owner: ", owner(alert)))),
      h("div", { class: "tools" },
        h("a", { class: "button small", href: link("map", [alert.app]) }, icon("map"), h("span", null, "Map")),
        h("a", { class: "button small", href: link("traces", [], { app: alert.app, errors: "1" }) }, icon("traces"), h("span", null, "Traces")),
        h("a", { class: "button small", href: link("logs", [alert.app]) }, icon("logs"), h("span", null, "Logs")),
        button("", () => copy(JSON.stringify(alert, null, 2)), { name: "copy", kind: "small", title: "Copy as JSON" }))),
    h("div", { class: "parts" },
      h("section", null, h("h3", null, "Because of"), incidents.length ? h("ul", { class: "incidents" }, incidents.slice(0, 5).map(incident)) : h("p", { class: "quiet" }, alert.causes.some((one) => one.measure === "latency") ? "Nothing failed: it is slow." : "No incident of it is open."),
        incidents.length > 5 && h("a", { href: link("errors", [], { app: alert.app }) }, `${incidents.length - 5} more`)),
      h("section", null, h("h3", null, "What it breaks"), alert.causes.length ? h("ul", null, alert.causes.map((one) => broken(one, !over))) : h("p", { class: "quiet" }, "It has promised nothing itself, or answers nobody.")),
      alert.victims.length > 0 && h("section", { class: "victims" }, h("h3", null, `Who suffers: ${several(hurt, "app")}. Nobody there is woken.`), victims(alert))));
}

// -- all of them -------------------------------------------------------------------------------

function past(list) {
  const some = everything ? list : list.slice(0, FIRST);
  return h("section", { class: "card flush", key: "past" }, h("h2", null, "Over"), h("table", { class: "table past" },
    h("thead", null, h("tr", null, [["Cause", "name"], ["Severity", "severity"], ["Owner", "told"], ["Suffered", "hurt"], ["Lasted", "num"], ["Ended", "num"]].map(([text, kind]) => h("th", { key: text, scope: "col", class: kind }, text)))),
    h("tbody", null, some.map((one) => h("tr", { key: one.id, class: `row ${chosen === one.id ? "chosen" : ""}`, data: { row: one.id }, onclick: (event) => { if (!event.target.closest("a") && !String(getSelection())) open(one.id); } },
      h("td", { class: "name" }, swatch(one.app), h("a", { href: link("alerts", [one.id]) }, h("strong", null, nameOf(one)))),
      h("td", { class: "severity" }, one.severity), h("td", { class: "told", title: one.owner || null }, whom(one.owner)),
      h("td", { class: "hurt" }, [...new Set(one.victims.map((each) => each.app))].join(", ") || "–"),
      h("td", { class: "num" }, age(one.until - one.since)), h("td", { class: "num" }, ago(one.until), " ago"))))),
  some.length < list.length && h("div", { class: "more-of" }, button(`All ${list.length}`, () => { everything = true; update(); }, { kind: "small" })));
}

function overview() {
  const found = shown();
  const firing = found.filter(goes);
  const over = found.filter((one) => !goes(one));
  const paging = all().filter((one) => goes(one) && one.severity === "page").length;
  const going = all().filter(goes).length;
  return [
    h("div", { class: "headline", key: "headline" }, h("h1", null, "Alerts"), h("p", { role: "status" }, going ? `${several(going, "alert goes", "alerts go")} on${paging < going ? `, ${paging} of them ${paging === 1 ? "pages" : "page"}` : ""}` : ""),
      all().length > 0 && h("div", { class: "tools" }, search(route.query.q || "", (q) => amend({ q }), { placeholder: "App, owner, victim" }))),
    trouble.alerts && notice(trouble.alerts),
    firing.map(card),
    docs.alerts && !firing.length && h("section", { class: "card flush calm", key: "calm" }, empty(going ? "No alert that goes on is like that" : "All promises are kept", going ? "" : "When one is broken fast enough to matter, its cause is here within seconds, and its owner hears of it.", "alerts", h("code", null, "skerry objectives"))),
    over.length > 0 && past(over),
  ];
}

function one() {
  const alert = all().find((each) => each.id === id());
  const head = h("div", { class: "headline", key: "headline" }, h("h1", null, h("a", { class: "back", href: link("alerts") }, "Alerts"), alert ? nameOf(alert) : id()));
  if (!alert) return [head, trouble.alerts && notice(trouble.alerts), h("section", { class: "card", key: "none" }, empty("This alert is not known any more", "The last 200 that are over are kept.", "alerts", h("a", { class: "button", href: link("alerts") }, "All alerts")))];
  const others = all().filter((each) => each.app === alert.app && each.id !== alert.id && !goes(each));
  return [head, trouble.alerts && notice(trouble.alerts), card(alert),
    others.length > 0 && h("section", { class: "card before", key: "before" }, h("h2", null, `${alert.app} before`), h("ul", null, others.slice(0, 10).map((each) => h("li", { key: each.id }, h("a", { href: link("alerts", [each.id]) }, new Date(each.since * 1000).toLocaleString()), h("span", { class: "quiet" }, ` lasted ${age(each.until - each.since)}`)))))];
}

function view() {
  if (!docs.alerts) return trouble.alerts ? [h("div", { class: "headline", key: "headline" }, h("h1", null, "Alerts")), notice(trouble.alerts)] : h("div", { class: "loading" }, "Asking the collector…");
  return id() ? one() : overview();
}

function open(to) {
  chosen = to;
  go(link("alerts", [to], route.query));
}

const names = () => [...shown().filter(goes), ...shown().filter((each) => !goes(each))].map((each) => each.id);
const listed = rowKeys(names, () => chosen, (to) => { chosen = to; update(); }, open);
const beside = rowKeys(names, id, (to) => go(link("alerts", [to], route.query), true), () => false);

export default {
  title: "Alerts", icon: "alerts", key: "a", order: 44, feeds: () => ["alerts"], always: ["troubles"], view,
  leave: () => { chosen = ""; everything = false; },
  badge: ({ troubles }) => {
    const going = troubles?.alerts || [];
    const page = going.some((one) => one.severity === "page");
    return going.length ? { text: count(going.length), tone: page ? "bad" : "warn", title: going.map((one) => one.summary).join("; ") } : null;
  },
  commands: ({ troubles }) => (troubles?.alerts || []).map((alert) => ({ kind: "Alert", icon: "alerts", label: nameOf(alert), more: alert.owner, hash: link("alerts", [alert.id]) })),
  keys: {
    ...Object.fromEntries(["j", "k", "ArrowDown", "ArrowUp", "Enter"].map((name) => [name, (event) => (id() ? beside : listed)[name](event)])),
    Escape: () => { if (!id()) return false; chosen = id(); return go(link("alerts", [], route.query)); },
  },
  help: [["j k", "Next and previous"], ["Enter", "Open it"], ["Esc", "Back to all"]],
};
