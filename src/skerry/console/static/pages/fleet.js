// Fleet: who runs, and how it goes.

import { lines, post, url } from "../api.js";
import { h, lazy } from "../dom.js";
import { count, mib, ms, percent, rate, several } from "../format.js";
import { icon } from "../icons.js";
import { rowKeys } from "../keys.js";
import { docs, trouble } from "../live.js";
import { logLine } from "../logview.js";
import { amend, go, link, route } from "../router.js";
import { ago, attempt, button, confirm, copy, empty, measure, notice, search, sorted, sorter, sparkline, stat, state, tag, toast } from "../ui.js";
import { update } from "../update.js";

const TROUBLED = new Set(["crashed", "backoff", "unhealthy"]);
const KEYS = {
  app: (app) => app.app, state: (app) => app.state, version: (app) => app.versions[0], restarts: (app) => app.rows.reduce((n, row) => n + row.restarts, 0),
  age: (app) => (app.rows.length ? -Math.min(...app.rows.map((row) => row.since)) : null),
  memory: (app) => app.memory, rate: (app) => app.flow.per_second, errors: (app) => app.share, p50: (app) => app.flow.p50_ms, p99: (app) => app.flow.p99_ms,
};

let chosen = "";
const tails = {}; // last lines of apps that are open, by app
const changing = {}; // what is being done to an app, by app

function apps() {
  const status = docs.fleet;
  return status.apps.map((app) => {
    const rows = status.instances.filter((row) => row.app === app.app);
    const flow = app.recent.per_second || !app.events.per_second ? app.recent : app.events;
    const processes = new Map(rows.map((row) => [row.process, row.memory_mib]));
    const memory = [...processes.values()].reduce((sum, one) => (one === null ? sum : (sum || 0) + one), null);
    const troubled = TROUBLED.has(app.state) || rows.some((row) => TROUBLED.has(row.state));
    return { ...app, rows, flow, memory, troubled, share: flow.per_second ? flow.failed_per_second / flow.per_second : null };
  });
}

function shown() {
  const { q = "", only = "", sort = "app" } = route.query;
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (app) => words.every((word) => `${app.app} ${app.team} ${app.owner} ${app.kind} ${app.state}`.toLowerCase().includes(word));
  return sorted(apps().filter((app) => fits(app) && (only !== "trouble" || app.troubled)), sort, KEYS);
}

const isOpen = (name) => route.parts[0] === name;
const open = (name) => go(link("fleet", isOpen(name) ? [] : [name], route.query));

function figures(all) {
  const rows = docs.fleet.instances;
  const ready = rows.filter((row) => row.state === "ready").length;
  const sum = (key) => all.reduce((total, app) => total + app.recent[key], 0);
  const trend = [];
  for (const app of all) app.trend.forEach((v, i) => { trend[i] = (trend[i] || 0) + v; });
  const failed = [];
  for (const app of all) app.failed.forEach((v, i) => { failed[i] = (failed[i] || 0) + v; });
  const slowest = all.filter((app) => app.recent.p99_ms !== null).sort((a, b) => b.recent.p99_ms - a.recent.p99_ms)[0];
  const everything = [...rows, ...docs.fleet.edges, ...docs.fleet.attendants, ...docs.fleet.backings];
  const memory = new Map(everything.map((row) => [row.process, row.memory_mib || 0]));
  return h("section", { class: "stats", "aria-label": "The fleet in numbers" },
    stat("Instances ready", [ready, h("small", null, ` / ${rows.length}`)], "", null, ready < rows.length ? "warn" : ""),
    stat("Requests", rate(sum("per_second")), "/s", sparkline(trend, [], { width: 120, height: 28 })),
    stat("Failed", percent(sum("failed_per_second"), sum("per_second")), "", sparkline(failed, failed, { width: 120, height: 28, label: "failures over two minutes" }), sum("failed_per_second") > 0 ? "bad" : ""),
    stat("Slowest p99", slowest ? measure(ms(slowest.recent.p99_ms)) : "–", "", slowest && h("span", { class: "of" }, slowest.app)),
    stat("Memory", measure(mib([...memory.values()].reduce((a, b) => a + b, 0))), "", h("span", { class: "of" }, several(memory.size, "process", "processes"))));
}

function head(sort) {
  const by = (name) => amend({ sort: name === "app" ? "" : name });
  return h("thead", null, h("tr", null,
    sorter("app", "App", sort, by, "name"), sorter("state", "State", sort, by), sorter("version", "Version", sort, by),
    sorter("restarts", "Restarts", sort, by, "num"), sorter("age", "Age", sort, by, "num"), sorter("memory", "Memory", sort, by, "num"),
    sorter("rate", "Requests", sort, by, "num"), h("th", { scope: "col", class: "trend" }, "2 minutes"), sorter("errors", "Failed", sort, by, "num"),
    sorter("p50", "p50", sort, by, "num"), sorter("p99", "p99", sort, by, "num"), h("th", { class: "acts" }, h("span", { class: "sr" }, "Actions"))));
}

function line(app) {
  const { rows, flow } = app;
  const restarts = rows.reduce((n, row) => n + row.restarts, 0);
  const some = rows.length !== 1 ? `${app.ready}/${rows.length} ready` : null;
  const word = some && rows.length && app.ready < rows.length ? (app.ready ? "unhealthy" : app.state) : app.state;
  const daemon = flow === app.events;
  return h("tr", { key: app.app, class: `row ${isOpen(app.app) ? "open" : ""} ${chosen === app.app ? "chosen" : ""}`, data: { row: app.app }, onclick: (event) => { if (!event.target.closest("button, a") && !String(getSelection())) { chosen = app.app; open(app.app); } } },
    h("td", { class: "name" }, h("button", { type: "button", class: "twist", "aria-expanded": String(isOpen(app.app)), "aria-label": `${app.app}: ${isOpen(app.app) ? "less" : "more"}`, onclick: () => open(app.app) }, icon("chevron")),
      h("strong", null, app.app), app.kind !== "app" && tag(app.kind), app.team && h("span", { class: "team", title: app.owner || null }, app.team)),
    h("td", null, changing[app.app] ? state("starting", changing[app.app]) : state(word, app.kind === "outside" ? "elsewhere" : rows.length ? some || word : "stopped")),
    h("td", { class: "mono" }, app.versions.join(", ") || "–"),
    h("td", { class: `num ${restarts ? "warn" : ""}` }, app.kind === "outside" ? "–" : count(restarts)),
    h("td", { class: "num" }, rows.length ? ago(Math.min(...rows.map((row) => row.since))) : "–"),
    h("td", { class: "num", title: "of pages that processes share, its part" }, measure(mib(app.memory))),
    h("td", { class: "num", title: daemon ? "events handled" : `${count(app.counts.requests)} since the start` }, rate(flow.per_second), h("small", null, daemon ? " ev/s" : " /s")),
    h("td", { class: "trend" }, lazy("t", [app.trend.join(), app.failed.join()], () => sparkline(app.trend, app.failed))),
    h("td", { class: `num ${app.share ? "bad" : ""}`, title: `${count(app.counts.errors)} since the start` }, percent(flow.failed_per_second, flow.per_second)),
    h("td", { class: "num" }, measure(ms(flow.p50_ms))), h("td", { class: "num" }, measure(ms(flow.p99_ms))),
    h("td", { class: "acts" }, acts(app)));
}

function acts(app) {
  if (app.kind === "outside") return null;
  const busy = !!changing[app.app];
  if (!app.rows.length) return button("", () => act(app, "start"), { name: "play", title: `Start ${app.app}`, kind: "quiet", disabled: busy });
  return [
    button("", () => act(app, "restart"), { name: "restart", title: `Restart ${app.app}`, kind: "quiet", disabled: busy, key: "restart" }),
    button("", () => act(app, "scale"), { name: "scale", title: `Scale ${app.app}`, kind: "quiet", disabled: busy, key: "scale" }),
    button("", () => act(app, "stop"), { name: "stop", title: `Stop ${app.app}`, kind: "quiet", disabled: busy, key: "stop" }),
  ];
}

const ASK = {
  restart: (app) => ({ title: `Restart ${app.app}?`, text: app.rows.length > 1 ? `Its ${app.rows.length} instances are replaced one after the other; calls go on.` : "Its instance is replaced. Calls wait in the meantime, none is refused.", action: "Restart" }),
  stop: (app) => ({ title: `Stop ${app.app}?`, text: `${several(app.rows.length, "instance")} will end. Calls to it fail until it is started again.`, action: "Stop", danger: true }),
  scale: (app) => ({ title: `Scale ${app.app}`, text: "Until fleet.toml says something else, or the fleet ends.", action: "Scale", fields: [{ name: "instances", label: "Instances", type: "number", min: 0, max: 100, required: true, value: String(app.rows.length) }] }),
};
const DOING = { restart: "restarting", stop: "stopping", start: "starting", scale: "scaling" };

async function act(app, verb) {
  const said = ASK[verb] ? await confirm(ASK[verb](app)) : {};
  if (!said) return;
  changing[app.app] = DOING[verb];
  update();
  const query = verb === "scale" ? `?instances=${Number(said.instances)}` : "";
  const after = await attempt(() => post(url`/api/apps/${app.app}/` + verb + query));
  delete changing[app.app];
  if (after) {
    const whole = after.ready === after.instances;
    toast(`${app.app}: ${after.ready} of ${after.instances} ready`, whole ? "good" : "bad");
  }
  update();
}

function detail(app) {
  return h("tr", { key: `${app.app}/more`, class: "more" }, h("td", { colspan: "12" }, h("div", { class: "inside" },
    h("div", { class: "bar" },
      h("span", { class: "facts" }, app.owner && h("span", null, "Owner ", h("strong", null, app.owner)), app.needs.length > 0 && h("span", null, "Needs ", app.needs.map((need, i) => [i > 0 && ", ", h("strong", { key: need }, need)])),
        h("span", null, "Answered ", h("strong", null, count(app.counts.requests))), h("span", null, "Calls made ", h("strong", null, count(app.counts.calls))), app.counts.events > 0 && h("span", null, "Events ", h("strong", null, count(app.counts.events)))),
      h("a", { class: "button", href: link("logs", [app.app]) }, icon("logs"), h("span", null, "Logs")),
      app.kind === "app" && h("a", { class: "button", href: link("stacks", [app.app]) }, icon("stacks"), h("span", null, "Stacks")),
      h("a", { class: "button", href: link("try", [app.app]) }, icon("try"), h("span", null, "Try a call"))),
    app.rows.length > 0 && processes(app.rows),
    app.rows.filter((row) => row.detail).map((row) => h("div", { class: "notice bad", key: `why ${row.id}` }, h("strong", null, row.id), ` ${row.detail}`)),
    tail(app))));
}

export function processes(rows) {
  return h("table", { class: "table inner" }, h("thead", null, h("tr", null, ["Instance", "State", "Address", "Process"].map((name) => h("th", { key: name, scope: "col" }, name)), ["Restarts", "Age", "Memory", "Requests", "p99"].map((name) => h("th", { key: name, scope: "col", class: "num" }, name)))),
    h("tbody", null, rows.map((row) => h("tr", { key: row.id },
      h("td", { class: "name" }, row.id), h("td", null, state(row.state)),
      h("td", { class: "mono" }, row.url ? h("button", { type: "button", class: "plain", title: "Copy", onclick: () => copy(row.url) }, row.url.replace("http://", "")) : "–"),
      h("td", { class: "mono" }, row.pid ? [row.pid, row.process !== row.id && h("small", null, ` in ${row.process}`)] : "–"),
      h("td", { class: "num" }, row.restarts), h("td", { class: "num" }, ago(row.since)), h("td", { class: "num" }, measure(mib(row.memory_mib))),
      h("td", { class: "num" }, row.recent ? [rate(row.recent.per_second), h("small", null, " /s")] : "–"), h("td", { class: "num" }, measure(ms(row.recent?.p99_ms)))))));
}

/** The last lines of an app, following while they are shown. */
function tail(app) {
  const mount = () => {
    const stop = new AbortController();
    tails[app.app] = [];
    lines(`/api/logs?app=${encodeURIComponent(app.app)}&lines=8&follow=true`, (said) => {
      tails[app.app] = [...tails[app.app], said].slice(-8);
      update();
    }, stop.signal).catch(() => {});
    return () => { stop.abort(); delete tails[app.app]; };
  };
  const said = tails[app.app] || [];
  return h("div", { class: "tail", mount, key: "tail", "aria-label": `Last lines of ${app.app}` }, said.length ? said.map(logLine) : h("p", { class: "quiet" }, "It has printed nothing yet."));
}

function others() {
  const groups = [["Attendants", docs.fleet.attendants], ["Backings", docs.fleet.backings], ["Edges", docs.fleet.edges]];
  return groups.filter(([, rows]) => rows.length).map(([title, rows]) => h("section", { class: "card", key: title }, h("h2", null, title), processes(rows)));
}

function view() {
  const { q = "", only = "", sort = "app" } = route.query;
  if (!docs.fleet) return trouble.fleet ? notice(trouble.fleet) : empty("Connecting", "Waiting for the fleet’s first word.");
  const all = apps();
  const rows = shown();
  const troubled = all.filter((app) => app.troubled).length;
  return [
    trouble.fleet && notice(`The fleet does not answer: ${trouble.fleet}. This is how it was.`),
    h("div", { class: "headline", key: "headline" }, h("h1", null, "Fleet"), h("p", null, `${several(all.length, "app")}, ${several(docs.fleet.instances.length, "instance")}`, !docs.fleet.settled && ", starting"),
      h("div", { class: "tools" }, search(q, (text) => amend({ q: text }), { placeholder: "Filter apps, teams, states" }),
        h("button", { type: "button", class: "button toggle", "aria-pressed": String(only === "trouble"), onclick: () => amend({ only: only ? "" : "trouble" }) }, h("span", null, "In trouble"), h("span", { class: `badge ${troubled ? "bad" : ""}` }, troubled)))),
    figures(all),
    docs.fleet.notes.map((note) => h("div", { class: "notice info", key: note }, note)),
    h("section", { class: "card flush", key: "apps" }, h("div", { class: "scroll" }, h("table", { class: "table apps" }, head(sort), h("tbody", null, rows.flatMap((app) => [line(app), isOpen(app.app) && detail(app)]))),
      !rows.length && empty(all.length ? "No app fits" : "No apps", all.length ? "Nothing here is called that, or is in that state." : "fleet.toml names none."))),
    others(),
  ];
}

const names = () => (docs.fleet ? shown().map((app) => app.app) : []);
const find = () => apps().find((app) => app.app === chosen);
const doing = (verb) => () => { const app = find(); return app && app.kind !== "outside" ? void act(app, verb) : false; };

export default {
  title: "Fleet", icon: "fleet", key: "f", order: 10, view,
  badge: ({ fleet }) => {
    if (!fleet) return null;
    const bad = fleet.instances.filter((row) => TROUBLED.has(row.state)).length;
    return bad ? { text: bad, tone: "bad", title: `${several(bad, "instance")} in trouble` } : { text: fleet.instances.length, title: several(fleet.instances.length, "instance") };
  },
  commands: ({ fleet }) => (fleet?.apps || []).map((app) => ({ kind: "App", icon: "fleet", label: app.app, more: app.team, hash: link("fleet", [app.app]) })),
  keys: {
    ...rowKeys(names, () => chosen, (name) => { chosen = name; update(); }, open),
    r: doing("restart"), s: doing("scale"), l: () => (chosen ? go(link("logs", [chosen])) : false),
    Escape: () => (route.parts.length ? go(link("fleet", [], route.query)) : false),
  },
  help: [["j k", "Next and previous app"], ["Enter", "More of it"], ["l", "Its logs"], ["r", "Restart it"], ["s", "Scale it"]],
};

