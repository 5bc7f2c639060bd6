// Stacks: what stands around an app's code, and how it is doing.

import { h } from "../dom.js";
import { count, ms, rate, several } from "../format.js";
import { icon } from "../icons.js";
import { rowKeys } from "../keys.js";
import { docs, trouble } from "../live.js";
import { amend, go, link, route } from "../router.js";
import { empty, measure, notice, search, state, tabs, tag } from "../ui.js";

const app = () => route.parts[0] || docs.fleet?.apps.find((one) => one.kind === "app")?.app || "";
const kind = (found) => route.query.kind || ["server", "consumer", "client"].find((one) => views(found, one).length) || "server";
const views = (found, which) => found.stacks.filter((one) => one.kind === which);

function apps() {
  const wanted = (route.query.q || "").toLowerCase();
  return (docs.stacks || []).filter((one) => one.app.toLowerCase().includes(wanted));
}

function list() {
  return h("aside", { class: "card flush side", key: "side" },
    h("div", { class: "side-head" }, search(route.query.q || "", (q) => amend({ q }), { placeholder: "Filter apps" })),
    h("ul", null, apps().map((one) => h("li", { key: one.app, data: { row: one.app } }, h("a", { href: link("stacks", [one.app], { ...route.query }), "aria-current": one.app === app() ? "true" : null },
      h("strong", null, one.app), h("span", { class: "quiet" }, one.peers.length ? `calls ${several(one.peers.length, "app")}` : ""),
      one.not_closed > 0 ? h("span", { class: "badge bad", title: `${several(one.not_closed, "breaker")} not closed` }, one.not_closed) : one.breakers > 0 && h("span", { class: "badge", title: `${several(one.breakers, "breaker")}, all closed` }, one.breakers))))));
}

function slot(row, live) {
  const named = /^(\w+)\((.*)\)$/s.exec(row.filter);
  return h("li", { class: `slot ${row.filter ? "" : "vacant"}`, key: `${row.half} ${row.role}` },
    h("div", { class: "role" }, h("strong", null, row.role), row.below.length > 0 && row.filter && h("small", { title: "what must stand further out" }, `below ${row.below.join(", ")}`)),
    h("div", { class: "what" }, row.filter ? h("span", { class: "filter" }, h("code", null, named ? named[1] : row.filter), named && h("span", null, ` ${named[2]}`)) : h("span", { class: "quiet" }, "nothing stands here"), h("p", null, row.because)),
    h("div", { class: "now" }, live));
}

function flow(flows, kinds, names, words) {
  const found = flows.filter((one) => kinds.includes(one.kind) && (!names || names.includes(one.name) || names.some((name) => one.name.endsWith(`.${name}`))));
  if (!found.length) return null;
  const sum = (key) => found.reduce((n, one) => n + (one.recent?.[key] || 0), 0);
  const flight = found.reduce((n, one) => n + one.in_flight, 0);
  const worst = Math.max(...found.map((one) => one.recent?.p99_ms ?? -1));
  return h("span", { class: "figures" },
    h("span", null, h("b", null, rate(sum("per_second"))), h("small", null, ` ${words}/s`)), sum("failed_per_second") > 0 && h("span", { class: "bad" }, h("b", null, rate(sum("failed_per_second"))), h("small", null, " failed/s")),
    h("span", null, h("b", null, count(flight)), h("small", null, " in flight")), worst >= 0 && h("span", null, h("b", null, measure(ms(worst))), h("small", null, " p99")));
}

const HALVES = { call: "Once for each call", between: "Between", instance: "Once for each attempt, at one instance" };

function drawn(view, found) {
  const words = view.kind === "consumer" ? "events" : view.kind === "client" ? "calls" : "requests";
  const live = (row) => {
    if (view.kind === "client") {
      if (row.half === "instance" && row.role === "observe") return flow(found.flows, ["attempt"], view.names, "attempts");
      if (row.role === "retry") return budgets(found, view.names);
      if (row.half === "instance" && row.role === "breaker") return breakers(found, view.names);
      return null;
    }
    return row.role === "observe" || (view.kind === "consumer" && row === view.rows[0]) ? flow(found.flows, [view.kind], view.names, words) : null;
  };
  const vacant = view.rows.filter((row) => !row.filter).length;
  const all = route.query.all === "1";
  let half = "";
  return h("section", { class: "card flush stack", key: view.names.join() },
    h("div", { class: "stack-head" }, h("h2", null, view.kind === "client" ? "Calls to" : view.kind === "consumer" ? "Handlers" : "Endpoints"), h("span", { class: "names" }, view.names.map((name) => h("span", { key: name }, tag(name, "mono")))),
      vacant > 0 && h("button", { type: "button", class: "button small quiet", "aria-pressed": String(all), onclick: () => amend({ all: all ? "" : "1" }) }, all ? "Hide empty slots" : `${several(vacant, "empty slot")}`)),
    view.kind === "client" && connections(found, view.names),
    h("ol", { class: "slots" }, h("li", { class: "edge", key: "in" }, view.kind === "client" ? "The app’s code calls" : view.kind === "consumer" ? "An event comes from the bus" : "A request comes in"),
      view.rows.filter((row) => all || row.filter).flatMap((row) => {
        const head = view.kind === "client" && row.half !== half && HALVES[row.half];
        half = row.half;
        return [head && h("li", { class: "half", key: `half ${row.half}` }, head), slot(row, live(row))];
      }),
      h("li", { class: "edge", key: "out" }, view.kind === "client" ? "The network" : "The app’s code")));
}

const targets = (found, peers) => found.instances.flatMap((one) => one.clients.filter((client) => peers.includes(client.peer)).flatMap((client) => client.instances.map((target) => ({ ...target, from: one.id, peer: client.peer }))));

function budgets(found, peers) {
  const clients = found.instances.flatMap((one) => one.clients.filter((client) => peers.includes(client.peer)));
  if (!clients.length) return null;
  const least = clients.reduce((a, b) => (a.retries_left / a.retries_reserve < b.retries_left / b.retries_reserve ? a : b));
  const share = Math.max(0, Math.min(1, least.retries_left / Math.max(1, least.retries_reserve)));
  return h("span", { class: "budget", title: "The smallest budget of all instances" }, h("small", null, "budget"), h("meter", { min: "0", max: "1", low: "0.25", optimum: "1", value: share, "aria-label": "Retry budget" }), h("b", null, count(Math.floor(least.retries_left))), h("small", null, " retries left"));
}

function breakers(found, peers) {
  const all = targets(found, peers);
  const shut = all.filter((one) => !["", "closed"].includes(one.breaker));
  if (!all.length) return h("small", null, "not called yet");
  return shut.length ? state("open", `${shut.length} of ${all.length} not closed`) : state("closed", `${all.length} closed`);
}

const SAYS = { closed: "closed", open: "open: does not answer", avoided: "open: answers badly", probing: "asking how it is", "": "no breaker" };

function connections(found, peers) {
  const all = targets(found, peers);
  if (!all.length) return h("p", { class: "quiet pad" }, "No instance has called it yet, so no breaker and no latency is known.");
  const rank = (one) => (one.breaker === "closed" || !one.breaker ? 1 : 0);
  return h("div", { class: "scroll connections" }, h("table", { class: "table inner" }, h("thead", null, h("tr", null, h("th", { scope: "col" }, "From"), h("th", { scope: "col" }, "To"), h("th", { scope: "col" }, "Breaker"), h("th", { scope: "col", class: "num" }, "In flight"), h("th", { scope: "col", class: "num" }, "Expected latency"))),
    h("tbody", null, all.sort((a, b) => rank(a) - rank(b) || a.from.localeCompare(b.from)).slice(0, 200).map((one) => h("tr", { key: `${one.from} ${one.peer} ${one.url}` },
      h("td", { class: "name" }, one.from), h("td", null, one.id, h("small", null, ` ${one.url.replace("http://", "")}`)), h("td", null, state(one.breaker || "stopped", SAYS[one.breaker])), h("td", { class: "num" }, count(one.in_flight)), h("td", { class: "num" }, measure(ms(one.latency_ms))))))));
}

function main(found) {
  const name = app();
  const feed = `stack:${encodeURIComponent(name)}`;
  if (trouble[feed]) return notice(trouble[feed]);
  if (!found) return empty("Looking", `Asking what stands around ${name}.`, "stacks");
  if (!found.stacks.length) {
    const spec = docs.fleet?.apps.find((one) => one.app === name);
    return h("section", { class: "card", key: "none" }, empty("No stacks to show", spec?.kind === "app" ? "Its instances have told nothing yet, or it is not written with Skerry." : `${name} is ${spec?.kind === "outside" ? "somebody else’s and runs elsewhere" : "not written with Skerry"}: the edge makes its calls.`, "stacks"));
  }
  const counts = Object.fromEntries(["server", "consumer", "client"].map((one) => [one, views(found, one).reduce((n, view) => n + view.names.length, 0)]));
  const names = { server: `Endpoints ${counts.server}`, consumer: `Handlers ${counts.consumer}`, client: `Calls to others ${counts.client}` };
  for (const one of Object.keys(names)) if (!counts[one]) delete names[one];
  const now = kind(found);
  return [h("div", { class: "stack-tabs", key: "tabs" }, h("h2", null, name), tabs(now, names, (one) => amend({ kind: one })), h("span", { class: "grow" }), h("a", { class: "button small", href: link("fleet", [name]) }, icon("fleet"), h("span", null, "In the fleet"))), views(found, now).map((view) => drawn(view, found))];
}

function view() {
  if (!docs.stacks) return trouble.stacks ? notice(trouble.stacks) : empty("Looking", "Asking the instances about their stacks.", "stacks");
  const shut = docs.stacks.reduce((n, one) => n + one.not_closed, 0);
  const all = docs.stacks.reduce((n, one) => n + one.breakers, 0);
  return [
    h("div", { class: "headline", key: "headline" }, h("h1", null, "Stacks"), h("p", null, all ? `${several(all, "breaker")}, ${shut ? `${count(shut)} not closed` : "all closed"}` : "No app has called another yet")),
    h("div", { class: "columns", key: "columns" }, list(), h("div", { class: "body", key: `body ${app()}` }, main(docs[`stack:${encodeURIComponent(app())}`]))),
  ];
}

export default {
  title: "Stacks", icon: "stacks", key: "s", order: 60, view,
  feeds: () => ["stacks", ...(app() ? [`stack:${encodeURIComponent(app())}`] : [])],
  badge: ({ stacks }) => { const shut = (stacks || []).reduce((n, one) => n + one.not_closed, 0); return shut ? { text: shut, tone: "bad", title: `${several(shut, "breaker")} not closed` } : null; },
  commands: ({ fleet }) => (fleet?.apps || []).filter((one) => one.kind === "app").map((one) => ({ kind: "Stacks", icon: "stacks", label: `Stacks of ${one.app}`, hash: link("stacks", [one.app]) })),
  keys: { ...rowKeys(() => apps().map((one) => one.app), app, (name) => go(link("stacks", [name], route.query), true), () => false), e: () => amend({ all: route.query.all ? "" : "1" }) },
  help: [["j k", "Next and previous app"], ["e", "Empty slots too"]],
};
