// Journeys: acceptance tests across the apps, how they went, and how they go just now.

import { h, lazy } from "../dom.js";
import { age, count, ms, percent, several, since } from "../format.js";
import { rowKeys } from "../keys.js";
import { docs, trouble } from "../live.js";
import { chosenRun, history, isRunning, liveCard, runCard, runNow, strip } from "../journeyrun.js";
import { amend, go, link, route } from "../router.js";
import { ago, button, copy, empty, measure, notice, search, sorted, sorter, stat, state, tag } from "../ui.js";
import { update } from "../update.js";

const KEYS = {
  name: (one) => one.name, success: (one) => success(one), p50: (one) => one.p50 ?? null, p95: (one) => one.p95 ?? null,
  state: (one) => (fails(one) ? 0 : one.last ? 2 : 1), owner: (one) => one.owner || null,
};
const TURN_ON = "[journeys]\nprobe = true";

let chosen = "";

const name = () => route.parts[0] || "";
const feed = () => `journey:${encodeURIComponent(name())}`;
const seconds = (value) => measure(ms(value === null || value === undefined ? null : value * 1000));
const success = (one) => (one.runs ? (one.runs - one.failed) / one.runs : null);
const fails = (one) => !!one.last && !one.last.ok;
const rate = (one) => (one.runs ? (one.failed ? `${(100 * success(one)).toFixed(1)} %` : "100 %") : "–");
const often = (value) => (value ? `every ${value < 1 ? `${value * 1000} ms` : age(value).replace(/ 0[sm]$/, "")}` : "by hand");

function next(one) {
  if (one.running) {
    const open = one.running.steps.filter((step) => step.state === "open").pop();
    return state("running", open ? open.name : "running");
  }
  if (!one.next) return h("span", { class: "quiet" }, one.every ? "waits for the fleet" : "when asked");
  const left = -since(one.next);
  return h("span", { class: "quiet" }, left > 1 ? `next in ${age(left)}` : "now");
}

const verdict = (one) => (!one.last ? state("stopped", "not run yet") : one.last.ok ? state("ready", "passes") : state("failed", "fails"));
const apps = (one) => (one.crossed || one.apps).map((app) => h("a", { key: app, class: "tag", href: link("fleet", [app]) }, app));

// -- all of them -------------------------------------------------------------------------------

function shown() {
  const { q = "", only = "", sort = "" } = route.query;
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (one) => `${one.name} ${one.summary} ${one.owner} ${(one.crossed || one.apps).join(" ")}`.toLowerCase();
  const found = (docs.journeys?.journeys || []).filter((one) => words.every((word) => text(one).includes(word)) && (only !== "failing" || fails(one)));
  return sort ? sorted(found, sort, KEYS) : found.sort((a, b) => fails(b) - fails(a));
}

function figures(all) {
  const sum = (key) => all.reduce((total, one) => total + one[key], 0);
  const bad = all.filter(fails);
  const slowest = all.filter((one) => one.p95 !== null).sort((a, b) => b.p95 - a.p95)[0];
  const broken = all.filter((one) => one.promises.some((promise) => promise.left < 0));
  return h("section", { class: "stats", key: "stats", "aria-label": "Journeys in numbers" },
    stat("Passing", [all.length - bad.length, h("small", null, ` / ${all.length}`)], "", null, bad.length ? "bad" : ""),
    stat("Success", percent(sum("runs") - sum("failed"), sum("runs")).replace("< 0.1", "0"), "", h("span", { class: "of" }, several(sum("runs"), "run"))),
    stat("Slowest p95", slowest ? seconds(slowest.p95) : "–", "", slowest && h("span", { class: "of" }, slowest.name)),
    stat("Promises overdrawn", count(broken.length), "", h("span", { class: "of" }, broken.map((one) => one.name).slice(0, 2).join(", ")), broken.length ? "warn" : ""));
}

function line(one) {
  const open = () => go(link("journeys", [one.name]));
  return h("tr", { key: one.name, class: `row ${chosen === one.name ? "chosen" : ""}`, data: { row: one.name }, onclick: (event) => { if (!event.target.closest("a, button") && !String(getSelection())) open(); } },
    h("td", { class: "name" }, h("a", { href: link("journeys", [one.name]) }, h("strong", null, one.name)), one.alert && tag("alert", "bad", one.alert.summary), h("p", { title: one.summary }, one.summary)),
    h("td", { class: "state-of" }, verdict(one), h("p", { class: "quiet" }, often(one.every), one.every && ", ", one.every && next(one))),
    h("td", { class: "strip-of" }, lazy("strip", [one.name, one.last?.run], () => strip(one.name, one.recent))),
    h("td", { class: `num success ${one.failed ? "bad" : ""}`, title: `${count(one.failed)} of ${several(one.runs, "run")} failed` }, rate(one)),
    h("td", { class: "num p50" }, seconds(one.p50)), h("td", { class: "num p95" }, seconds(one.p95)),
    h("td", { class: "crossed" }, apps(one)), h("td", { class: "owner", title: one.owner || null }, one.owner || "–"),
    h("td", { class: "acts" }, button("", () => runNow(one.name), { name: "play", kind: "small", disabled: isRunning(one), title: `Run ${one.name} now` })));
}

function table(rows) {
  const sort = route.query.sort || "";
  const by = (key) => amend({ sort: key });
  return h("section", { class: "card flush", key: "table" }, h("div", { class: "scroll" }, h("table", { class: "table all" },
    h("thead", null, h("tr", null, sorter("name", "Journey", sort, by), sorter("state", "State", sort, by, "state-of"), h("th", { scope: "col", class: "strip-of" }, "Last runs"), sorter("success", "Success", sort, by, "num success"),
      sorter("p50", "p50", sort, by, "num p50"), sorter("p95", "p95", sort, by, "num p95"), h("th", { scope: "col", class: "crossed" }, "Leads through"), sorter("owner", "Owner", sort, by, "owner"), h("th", { class: "acts" }, h("span", { class: "sr" }, "Actions")))),
    h("tbody", null, rows.map(line)))),
  !rows.length && empty("No journey fits", "Nothing here is called that, or fails.", "journeys"));
}

function tools(all) {
  const bad = all.filter(fails).length;
  return h("div", { class: "tools" }, search(route.query.q || "", (q) => amend({ q }), { placeholder: "Filter journeys, apps, owners" }),
    docs.journeys.probe === "ready" && h("button", { type: "button", class: "button toggle", "aria-pressed": String(route.query.only === "failing"), onclick: () => amend({ only: route.query.only ? "" : "failing" }) }, h("span", null, "Failing"), h("span", { class: `badge ${bad ? "bad" : ""}` }, bad)));
}

// -- where nobody runs them --------------------------------------------------------------------

function declared(rows) {
  return h("section", { class: "card flush", key: "declared" }, h("div", { class: "scroll" }, h("table", { class: "table all declared" },
    h("thead", null, h("tr", null, ["Journey", "Schedule", "Within", "Leads through", "Owner", ""].map((head) => h("th", { key: head, scope: "col", class: { "Leads through": "crossed", Owner: "owner", Within: "within" }[head] }, head)))),
    h("tbody", null, rows.map((one) => h("tr", { key: one.name, class: `row ${chosen === one.name ? "chosen" : ""}`, data: { row: one.name } },
      h("td", { class: "name" }, h("strong", null, one.name), h("p", { title: one.summary }, one.summary)), h("td", { class: "often" }, often(one.every)), h("td", { class: "within" }, seconds(one.within)),
      h("td", { class: "crossed" }, apps(one)), h("td", { class: "owner" }, one.owner || "–"),
      h("td", { class: "acts" }, button("Copy command", () => copy(`skerry journey run ${one.name}`), { name: "copy", kind: "small", title: `skerry journey run ${one.name}` }))))))));
}

function off(found) {
  const all = found.journeys;
  if (found.detail) return [notice(h("pre", { class: "plain" }, found.detail))];
  if (!all.length) return [h("section", { class: "card", key: "none" }, empty("No journeys yet", "An acceptance test across apps: an async def with @journey, in a folder journeys beside fleet.toml. It runs as a test, as a command, and on a schedule.", "journeys", h("code", null, "skerry journey run")))];
  return [
    h("section", { class: "card turn-on", key: "on" }, h("div", null, h("h2", null, "Nobody runs them by themselves"), h("p", null, "With this in fleet.toml the fleet runs those that say every=… on their schedules, in a process of its own: their runs, traces, screenshots and promises are then shown here, and owners hear of failures. Until then: ", h("code", null, "skerry journey run"))),
      h("pre", { class: "block" }, TURN_ON), button("Copy", () => copy(TURN_ON), { name: "copy", kind: "small" })),
    declared(shown()),
  ];
}

function overview() {
  const found = docs.journeys;
  if (!found) return trouble.journeys ? notice(trouble.journeys) : empty("Looking", "Asking how they went.", "journeys");
  const all = found.journeys;
  const bad = all.filter(fails).length;
  const said = !all.length ? "" : found.probe === "off" ? `${several(all.length, "journey")}, not on a schedule` : `${several(all.length, "journey")}, ${bad ? `${bad} failing` : "all passing"}`;
  const head = h("div", { class: "headline", key: "headline" }, h("h1", null, "Journeys"), h("p", null, said), all.length > 0 && tools(all));
  if (found.probe === "off") return [head, ...off(found)];
  if (found.probe !== "ready") return [head, trouble.journeys && notice(trouble.journeys), notice([h("strong", null, `The probe ${found.probe === "crashed" ? "has" : "is"} ${found.probe}. `), h("a", { href: link("logs", ["journeys"]) }, "Its log"), found.detail && h("pre", { class: "plain" }, found.detail)], found.probe === "starting" ? "info" : "bad")];
  return [head, trouble.journeys && notice(trouble.journeys), figures(all), table(shown())];
}

// -- one of them -------------------------------------------------------------------------------

function facts(one) {
  const pairs = [["Schedule", [often(one.every), " · ", next(one)]], ["Within", seconds(one.within)], ["Owner", one.owner || "nobody"], ["Leads through", apps(one)], ["Declared in", h("code", null, `${one.file.split("/").slice(-2).join("/")}:${one.line}`)]];
  return h("dl", { class: "about" }, pairs.map(([term, text]) => h("div", { key: term }, h("dt", null, term), h("dd", null, text))));
}

function numbers(one, whole) {
  const failed = one.history.find((run) => !run.ok);
  return h("section", { class: "stats", key: "stats", "aria-label": "The journey in numbers" },
    stat("Success", rate(one), "", h("span", { class: "of" }, several(one.runs, "run")), one.failed ? "bad" : ""),
    stat("p50", seconds(one.p50)), stat("p95", seconds(one.p95)),
    stat("Last failure", failed ? [age(since(failed.started)), h("small", null, " ago")] : "none", "", null, failed && fails(one) ? "bad" : ""),
    (whole?.promises || []).map((promise) => h("div", { class: `stat promise ${promise.left < 0 ? "bad" : ""}`, key: promise.measure, title: `${promise.bad} of ${promise.total} were not, in thirty days` },
      h("span", { class: "name" }, `Promise: ${promise.target} % ${promise.measure === "latency" ? `in ${ms(promise.latency * 1000)}` : "succeed"}`), h("span", { class: "value" }, promise.good === null ? "–" : `${Number(promise.good.toFixed(2))} %`), h("span", { class: "of" }, promise.left < 0 ? "overdrawn" : `budget ${(100 * promise.left).toFixed(0)} %`))));
}

function detail() {
  const one = docs[feed()];
  const back = h("a", { class: "back", href: link("journeys") }, "Journeys");
  if (!one) return [h("div", { class: "headline", key: "headline" }, h("h1", null, back, name())), trouble[feed()] ? notice(trouble[feed()]) : empty("Looking", "Asking how it went.", "journeys")];
  const whole = (docs.journeys?.journeys || []).find((other) => other.name === one.name);
  return [
    h("div", { class: "headline", key: "headline" }, h("h1", null, back, one.name), verdict(one), h("p", { class: "summary", title: one.summary }, one.summary),
      h("div", { class: "tools" }, button(isRunning(one) ? "Running…" : "Run now", () => runNow(one.name), { name: "play", kind: "primary", disabled: isRunning(one) }))),
    trouble[feed()] && notice(trouble[feed()]),
    whole?.alert && h("div", { class: "notice bad", key: "alert", role: "alert" }, h("strong", null, whole.alert.summary), whole.alert.app === "journeys" ? "" : ". This journey is its victim.", ` Told: ${whole.alert.owner || "nobody"}, `, ago(whole.alert.since), " ago."),
    facts(one), numbers(one, whole),
    h("section", { class: "card past", key: "past" }, h("h2", null, one.history.length === 1 ? "Last run" : `Last ${several(one.history.length, "run")}`), one.history.length ? strip(one.name, [...one.history].reverse(), chosenRun(one)) : h("p", { class: "quiet" }, "None yet.")),
    isRunning(one) && liveCard(one), runCard(one), history(one),
  ];
}

// -- the page ----------------------------------------------------------------------------------

const overviewKeys = rowKeys(() => shown().map((one) => one.name), () => chosen, (to) => { chosen = to; update(); }, (to) => { if (docs.journeys?.probe === "ready") go(link("journeys", [to])); });
const detailKeys = rowKeys(() => (docs[feed()]?.history || []).map((run) => run.run), () => chosenRun(docs[feed()] || {}), (run) => go(link("journeys", [name(), run]), true), () => false);
const either = (key) => (event) => (name() ? detailKeys : overviewKeys)[key](event);

export default {
  title: "Journeys", icon: "journeys", key: "j", order: 46, always: ["failing"],
  feeds: () => (name() ? ["journeys", feed()] : ["journeys"]),
  view: () => (name() ? detail() : overview()),
  badge: ({ failing }) => (failing ? { text: count(failing), tone: "bad", title: `${several(failing, "journey")} failing` } : null),
  commands: ({ journeys }) => (journeys?.probe === "ready" ? journeys.journeys : []).map((one) => ({ kind: "Journey", icon: "journeys", label: one.name, more: one.owner, hash: link("journeys", [one.name]) })),
  keys: {
    ...Object.fromEntries(["j", "k", "ArrowDown", "ArrowUp", "Enter"].map((key) => [key, either(key)])),
    r: () => { const which = name() || chosen; return which && docs.journeys?.probe === "ready" ? void runNow(which) : false; },
    Escape: () => { if (!name()) return false; chosen = name(); go(link("journeys")); return true; },
  },
  help: [["j k", "Next and previous journey, or run"], ["Enter", "Open it"], ["r", "Run it now"], ["Esc", "Back to all"]],
};
