// One endpoint, or one app with all of them: charts, promises, whom to look at.

import { chart, forget, indexAt, steer } from "./chart.js";
import { h } from "./dom.js";
import { choices, contractOf, feed, kindOf, nameOf, often, operationOf, partsOf, spoken, timed, titleOf } from "./endpoints.js";
import * as list from "./endpointlist.js";
import { count, percent, rate, several } from "./format.js";
import { icon } from "./icons.js";
import { lastHour, placeOf, titleOf as troubleOf } from "./incidents.js";
import { docs, trouble } from "./live.js";
import { promised, promisesOf } from "./promises.js";
import { go, link, route } from "./router.js";
import { moment } from "./scatter.js";
import { swatch, took } from "./span.js";
import { button, copy, empty, notice, stat, tag } from "./ui.js";

const TRACES = 10;

let kept = null; // {name, series}: what was drawn last, while the next is on its way
let drawn = null; // what the charts are made of

const app = () => route.parts[0].toLowerCase();
const name = () => (route.parts[1] || "").toLowerCase();
const which = () => ({ service: app(), ...(name() ? { name: name() } : {}) });
const seriesFeed = () => feed("series", which());
const troubleFeed = () => `incidents:${encodeURIComponent(new URLSearchParams({ service: app(), limit: "200" }))}`;

/** What the list says of it; several of a name together are the first. */
const row = () => list.list()?.endpoints.find((one) => one.name.toLowerCase() === name());

export const feeds = () => [list.asked(), seriesFeed(), ...(name() ? [troubleFeed()] : [])];
export const leave = () => { forget(); };

function series() {
  const key = `${app()} ${name()}`;
  if (docs[seriesFeed()]) kept = { key, series: docs[seriesFeed()] };
  return kept?.key === key ? kept.series : null;
}

/** The points of a series as charts have them; made once for each. */
function pointsOf(found) {
  if (drawn?.found === found) return drawn;
  const { points } = found;
  const seconds = points.map((one, i) => (i === points.length - 1 ? Math.max(1, Math.min(found.step, found.until - one.at)) : found.step));
  const per = Math.max(...points.map((one) => one.rate)) < 1 ? 60 : 1;
  const dot = (kind) => (one, index) => one && { index, kind, value: one.duration, href: link("traces", [one.trace_id]), text: `${took(one.duration * 1e6)}${one.error ? ", failed" : ""}: the trace` };
  const of = (pick) => points.map(pick);
  drawn = {
    found, per,
    time: { since: found.since, until: found.until, step: found.step, count: points.length, partial: found.partial },
    good: of((one, i) => ((one.count - one.errors) / seconds[i]) * per), bad: of((one, i) => (one.errors / seconds[i]) * per),
    share: of((one) => (one.count ? (100 * one.errors) / one.count : null)), p50: of((one) => one.p50), p95: of((one) => one.p95), p99: of((one) => one.p99),
    slow: [...of((one) => one.slowest).map(dot("slow")), ...of((one) => one.failed).map(dot("failed"))].filter(Boolean),
  };
  drawn.fell = points.map((one, index) => one.failed && { ...dot("failed")(one.failed, index), value: drawn.share[index] }).filter(Boolean);
  drawn.rates = [{ name: "answered", kind: "good", values: drawn.good }, { name: "failed", kind: "bad", values: drawn.bad }];
  drawn.shares = [{ name: "failed", kind: "bad", values: drawn.share }];
  drawn.times = [{ name: "p50", kind: "p50", values: drawn.p50 }, { name: "p95", kind: "p95", values: drawn.p95 }, { name: "p99", kind: "p99", values: drawn.p99 }];
  return drawn;
}

const tight = (text) => text.replace(/(\.\d*?)0+ /, "$1 ").replace(". ", " ");

function limits() {
  const own = promisesOf(app(), name(), list.list()?.objectives || []);
  const slow = own.find((one) => one.latency !== null);
  const bad = own.find((one) => one.measure === "availability");
  return { latency: slow && limitOf("latency", slow.latency, `${slow.target} % in`), share: bad && limitOf("share", 100 - bad.target, "may fail:") };
}

const known = {}; // limits that were told, so that a chart knows them again
const limitOf = (of, value, text) => (known[of]?.value === value && known[of].text === text ? known[of] : (known[of] = { value, text }));

function charts(found) {
  const { time, per, rates, shares, times, slow, fell } = pointsOf(found);
  const { latency, share } = limits();
  const legend = (sets) => h("span", { class: "legend" }, sets.map((set) => h("span", { key: set.name }, h("i", { class: set.kind }), set.name)));
  const number = (n) => String(Number(n.toPrecision(6)));
  const counted = (set, i) => { const point = found.points[i]; const n = set.kind === "bad" ? point.errors : point.count - point.errors; return `${count(n)} (${rate(set.values[i])}${per === 1 ? " /s" : " /min"})`; };
  return h("div", { class: "charts", key: "charts" },
    chart({ name: "rate", title: "Rate", unit: per === 1 ? "per second" : "per minute", time, sets: rates, stacked: true, format: number, tell: counted, legend: legend(rates) }),
    chart({ name: "errors", title: "Errors", unit: "share that failed", time, sets: shares, stacked: true, limit: share, dots: fell, least: 1, format: (n) => `${number(n)} %`, tell: (set, i) => (set.values[i] === null ? "nothing asked" : `${percent(found.points[i].errors, found.points[i].count)} (${count(found.points[i].errors)} of ${count(found.points[i].count)})`) }),
    chart({ name: "durations", title: "Durations", unit: "", time, sets: times, limit: latency, dots: slow, least: 0.001, format: (n) => (n === 0 ? "0" : tight(took(n * 1e6))), tell: (set, i) => (set.values[i] === null ? "–" : took(set.values[i] * 1e6)), legend: legend(times) }));
}

/** The crosshair by keys; `Enter` opens the slowest trace of the point, or one that failed. */
export function steered(key) {
  if (!drawn) return false;
  if (key !== "Enter") return steer(key, drawn.time, "durations");
  const point = drawn.found.points[indexAt(drawn.time)];
  const one = point?.failed || point?.slowest;
  return one ? go(link("traces", [one.trace_id])) : false;
}

// -- beside the charts -------------------------------------------------------------------------

function figures() {
  const rows = name() ? [row()].filter(Boolean) : (list.list()?.endpoints || []).filter((one) => kindOf(one) !== "schedule");
  const sum = (key) => rows.reduce((total, one) => total + one[key], 0);
  const slowest = rows.filter((one) => one.p99 !== null).sort((a, b) => b.p99 - a.p99)[0];
  const own = promisesOf(app(), name(), list.list()?.objectives || []);
  const least = own.length ? Math.min(...own.map((one) => one.left)) : null;
  const failed = sum("errors");
  return h("section", { class: "stats", key: "stats", "aria-label": "In numbers" },
    stat("Rate", ...often(sum("rate")).split(" "), h("span", { class: "of" }, several(sum("count"), "call"))),
    stat("Failed", percent(failed, sum("count")), "", h("span", { class: "of" }, count(failed)), failed ? "bad" : ""),
    name() && row() && stat("p50", timed(row().p50)),
    stat(name() ? "p99" : "Slowest p99", slowest ? timed(slowest.p99) : "–", "", !name() && slowest && h("span", { class: "of", title: titleOf(slowest) }, titleOf(slowest))),
    least !== null && stat("Budget left", least < 0 ? "overdrawn" : `${Math.floor(100 * least)} %`, "", null, least < 0 ? "bad" : least < 0.25 ? "warn" : ""));
}

function promises() {
  const own = promisesOf(app(), name(), list.list()?.objectives || []);
  const going = docs.troubles?.alerts || [];
  return h("section", { class: "card promises", key: "promises" }, h("h2", null, "Promises"),
    own.length ? h("div", { class: "each" }, own.map((one) => promised(one, going))) : h("p", { class: "quiet" }, name() ? "Nothing is promised of it. " : "Nothing is promised of the app as a whole. ", h("code", null, "objectives"), " in the app’s pyproject.toml or in fleet.toml is where promises are made."));
}

function slowest(found) {
  const seen = new Map();
  const put = (one, at) => { const before = one && seen.get(one.trace_id); if (one && (!before || before.at === null)) seen.set(one.trace_id, { ...one, at }); };
  for (const one of row()?.slowest || []) put(one, null);
  for (const point of found?.points || []) { put(point.slowest, point.at); put(point.failed, point.at); }
  const rows = [...seen.values()].sort((a, b) => b.duration - a.duration).slice(0, TRACES);
  const most = rows[0]?.duration || 1;
  return h("section", { class: "card flush traces-of", key: "traces" },
    h("header", null, h("h2", null, "Slowest"), h("a", { href: link("traces", [], { app: app(), name: name(), order: "slowest", window: { "15m": "15m", "6h": "6h", "24h": "1d" }[route.query.since] || "1h" }) }, "All traces")),
    rows.length ? h("ul", null, rows.map((one) => h("li", { key: one.trace_id }, h("a", { href: link("traces", [one.trace_id]) },
      h("time", null, one.at === null ? "" : moment(one.at, 60)), h("span", { class: "bar-of" }, h("i", { class: one.error ? "bad" : "", style: { "--part": (one.duration / most).toFixed(4) } })),
      h("span", { class: "took" }, took(one.duration * 1e6)), one.error && tag("failed", "bad"), h("code", null, one.trace_id.slice(0, 8))))))
      : empty("No trace", `Nobody asked in the ${spoken()}.`, "traces"));
}

function incidents() {
  const ids = row()?.incidents || [];
  const found = docs[troubleFeed()] || [];
  if (!ids.length) return null;
  return h("section", { class: "card flush incidents-of", key: "incidents" }, h("header", null, h("h2", null, "What it fails of"), h("a", { href: link("errors", [], { app: app() }) }, "All errors")),
    h("ul", null, found.filter((one) => ids.includes(one.id)).map((one) => {
      const place = placeOf(one);
      return h("li", { key: one.id }, h("a", { href: link("errors", [one.id]) },
        h("span", { class: "named" }, h("strong", null, troubleOf(one)), one.service !== app() && h("span", { class: "born" }, swatch(one.service), `born in ${one.service}`), h("small", { title: one.message }, place.name ? `${place.name} in ${place.file}` : one.operation, one.message && `: ${one.message}`)),
        h("span", { class: "hour" }, lastHour(one)), h("span", { class: "number" }, count(one.count))));
    })));
}

function tools() {
  const operation = name() && operationOf({ service: app(), name: name() });
  const called = name() ? ` --name '${titleOf(row() || { name: name(), kind: "SERVER" })}'` : "";
  const since = route.query.since ? ` --since ${route.query.since}` : "";
  return h("div", { class: "tools" },
    (operation || (!name() && contractOf(app())?.length > 0)) && h("a", { class: "button primary", href: link("try", operation ? [app(), operation.name] : [app()]) }, icon("try"), h("span", null, "Try a call")),
    h("a", { class: "button", href: link("traces", [], { app: app(), name: name() }) }, icon("traces"), h("span", null, "Traces")),
    h("a", { class: "button", href: link("map", [app()]) }, icon("map"), h("span", null, "Map")),
    h("a", { class: "button", href: link("logs", [app()]) }, icon("logs"), h("span", null, "Logs")),
    button("", () => copy(`skerry endpoints ${app()}${called}${since} --series --json`), { name: "copy", title: "Copy as a command" }));
}

function headline() {
  const one = row();
  const shown = one || { name: name(), kind: /^[a-z]+ \//.test(name()) ? "SERVER" : "CONSUMER" };
  const operation = name() && operationOf({ service: app(), name: name() });
  const whose = one ? one.team || one.owner : docs.fleet?.apps.find((each) => each.app === app())?.team;
  const exact = operation ? { ...shown, name: `${operation.method} ${operation.path}` } : shown;
  return [
    h("div", { class: "headline", key: "headline" },
      h("h1", null, h("a", { class: "back", href: link("endpoints", [], { since: route.query.since }) }, "Endpoints"),
        name() ? [h("a", { class: "back", href: link("endpoints", [app()], { since: route.query.since }) }, swatch(app()), app()), h("span", { class: "title" }, nameOf(exact))] : h("span", { class: "title" }, swatch(app()), app())),
      operation?.deprecated && tag("deprecated", "warn"), whose && tag(whose, "", one?.owner || null), h("span", { class: "grow" }), tools()),
    h("div", { class: "filters windows-of", key: "windows" }, h("p", { class: "quiet" }, operation?.summary || (name() && { event: "A handler of events.", clock: "Comes by the clock." }[partsOf(shown)[0]]) || ""), h("span", { class: "grow" }), choices()),
  ];
}

export function view() {
  const found = series();
  const wrong = trouble[seriesFeed()] || trouble[list.asked()];
  const quiet = found && !found.points.some((one) => one.count);
  const below = name() ? [h("div", { class: "halves", key: "halves" }, h("div", { class: "half" }, promises()), h("div", { class: "half" }, incidents(), slowest(found)))]
    : [list.list() && list.filters(), list.list() && list.table(list.list()), promises()];
  return [
    headline(),
    wrong && notice(wrong),
    !found && !wrong && h("div", { class: "loading", key: "loading" }, "Asking the collector…"),
    found && figures(),
    quiet && h("section", { class: "card flush", key: "quiet" }, empty("Nobody asked for it", `Not once in the ${spoken()}.`, "endpoints", operationOf({ service: app(), name: name() }) && h("a", { class: "button small", href: link("try", [app(), operationOf({ service: app(), name: name() }).name]) }, "Try a call"))),
    found && !quiet && charts(found),
    found && below,
  ];
}
