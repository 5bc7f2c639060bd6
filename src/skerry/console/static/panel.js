// What there is to know of one node or one edge of the map, beside it.

import { h } from "./dom.js";
import { count, ms, percent, several } from "./format.js";
import { edgeTone, nameOf, nodeTone, often, told, took, what } from "./graph.js";
import { icon } from "./icons.js";
import { link } from "./router.js";
import { ago, measure, state, tag } from "./ui.js";

const to = (parts, query) => link("map", parts, query);
export const edgeParts = (edge) => [edge.caller, edge.callee, ...(edge.messaging ? ["events"] : [])];

function head(title, tags, query) {
  return h("header", { key: "head" }, h("h2", null, title), h("span", { class: "tags" }, tags),
    h("a", { class: "button small square quiet", href: to([], query), "aria-label": "Close", title: "Close (Esc)" }, icon("close")));
}

function figures(one, what) {
  const row = (name, value, kind = "") => h("div", { key: name, class: kind }, h("dt", null, name), h("dd", null, value));
  return h("dl", { class: "numbers", key: "numbers" },
    row(what, count(one.count)), row("Rate", often(one.rate)), row("Failed", percent(one.errors, one.count), one.errors ? "bad" : ""),
    row("p50", measure(took(one.p50))), row("p95", measure(took(one.p95))), row("p99", measure(took(one.p99))));
}

function slowest(found) {
  return found.length > 0 && section("Slowest", h("ul", { class: "traces" }, found.map((one) => h("li", { key: one.trace_id },
    h("a", { class: "mono", href: link("traces", [one.trace_id]) }, one.trace_id.slice(0, 16)), one.error && tag("failed", "bad"), h("span", { class: "num" }, measure(ms(one.duration * 1000)))))));
}

const section = (title, ...kids) => h("section", { key: title }, h("h3", null, title), kids);

function flows(title, edges, other, query) {
  if (!edges.length) return null;
  const rows = [...edges].sort((a, b) => b.errors - a.errors || b.count - a.count);
  return section(title, h("ul", { class: "flows" }, rows.map((edge) => h("li", { key: edgeParts(edge).join() }, h("a", { href: to(edgeParts(edge), query), data: { tone: edgeTone(edge) } },
    h("strong", null, nameOf(edge[other])), edge.messaging && h("small", null, edge.topics.length === 1 ? edge.topics[0].topic : several(edge.topics.length, "topic")),
    edge.declared === false && tag("not declared", "stray"), h("span", { class: `figures ${edgeTone(edge)}` }, told(edge)))))));
}

/** What went wrong, without the module that it was declared in. */
const typeOf = (trouble) => trouble.type.split(".").at(-1) || "No answer";

function troubles(node) {
  return node.troubles.length > 0 && section(node.health === "cause" ? "Failures are born here" : "Failed before",
    h("ul", { class: "troubles" }, node.troubles.slice(0, 6).map((one) => h("li", { key: one.id }, h("a", { href: link("errors", [one.id]) },
      h("strong", { title: one.type || null }, typeOf(one)), ` ${one.where ? `in ${one.where}` : one.operation}`),
    h("p", null, one.message),
    h("small", null, several(one.count, "time"), ", last ", ago(one.last), " ago", one.services.length > 1 && `; hurts ${one.services.slice(1).join(", ")}`)))));
}

const NOTES = {
  victim: "It fails because others do: the cause is red.",
  page: "Its owner has been paged.", ticket: "Its owner has been told.",
};

/** Everything about a node. */
export function nodePanel(map, node, query) {
  const own = node.kind === "app" || node.kind === "command" || node.kind === "outside";
  const by = (side, messaging) => map.edges.filter((edge) => edge[side] === node.id && edge.messaging === messaging);
  return [
    head(nameOf(node.id), [tag(what(node), nodeTone(node)), node.state && state(node.state, own && node.instances > 1 ? `${node.ready}/${node.instances} ready` : node.state)], query),
    (node.owner || node.team || node.address) && h("p", { class: "whose", key: "whose" }, [node.team, node.owner, node.address.replace("http://", "")].filter(Boolean).join(" · ")),
    node.health === "victim" && h("div", { class: "notice warn", key: "victim" }, NOTES.victim),
    node.alert && h("div", { class: "notice bad", key: "alert" }, node.owner ? NOTES[node.alert] : "An alert goes on; it has no owner who could be told."),
    troubles(node),
    figures(node, "Handled"),
    own && h("div", { class: "actions", key: "actions" },
      [["endpoints", "Endpoints", link("endpoints", [node.id])], ["errors", "Errors", link("errors", [], { app: node.id })], ["traces", "Traces", link("traces", [], { app: node.id })], ["fleet", "Fleet", link("fleet", [node.id])], ["logs", "Logs", link("logs", [node.id])]]
        .map(([name, text, href]) => h("a", { key: name, class: "button small", href }, icon(name), h("span", null, text)))),
    flows("Called by", by("callee", false), "caller", query), flows("Calls", by("caller", false), "callee", query),
    flows("Handles events of", by("callee", true), "caller", query), flows("Publishes to", by("caller", true), "callee", query),
    slowest(node.slowest),
  ];
}

const isBacking = (map, id) => map.nodes.some((node) => node.id === id && node.kind === "backing");

/** Everything about an edge. */
export function edgePanel(map, edge, query) {
  const end = (id) => h("a", { href: to([id], query) }, nameOf(id));
  const tags = [tag(edge.messaging ? "events" : "calls", edgeTone(edge)), edge.declared && tag("declared"), edge.declared === false && tag("not declared", "stray")];
  return [
    head([end(edge.caller), h("span", { class: "to", "aria-label": edge.messaging ? "publishes to" : "calls" }, " → "), end(edge.callee)], tags, query),
    edge.declared === false && h("div", { class: "notice stray", key: "undeclared" }, `${edge.caller} calls ${edge.callee} without needing it: `, h("code", null, `needs = [… "${edge.callee}"]`), ` in [apps.${edge.caller}] would say so.`),
    !edge.observed && h("div", { class: "notice info", key: "unseen" }, edge.caller === "@outside" ? "A route of the front door leads there; nobody came in this window." : `${edge.caller} needs ${edge.callee}; no call was seen in this window.${isBacking(map, edge.callee) ? " Queries are seen where the driver makes spans: OpenTelemetry’s instrumentation of it does." : ""}`),
    edge.health === "cause" && h("div", { class: "notice bad", key: "cause" }, `Calls fail, and ${edge.callee} is where that is born: `, h("a", { href: to([edge.callee], query) }, "why")),
    edge.health === "victim" && h("div", { class: "notice warn", key: "victim" }, `Calls fail because ${edge.callee} needs somebody who fails.`),
    edge.observed && figures(edge, edge.messaging ? "Events" : "Calls"),
    edge.topics.length > 0 && section("Topics", h("ul", { class: "flows" }, edge.topics.map((one) => h("li", { key: one.topic }, h("div", null, h("strong", null, one.topic), h("span", { class: "figures" }, told({ ...one, observed: true }))))))),
    slowest(edge.slowest),
    edge.errors > 0 && h("div", { class: "actions", key: "actions" }, h("a", { class: "button small", href: link("traces", [], { app: edge.callee, errors: 1 }) }, icon("traces"), h("span", null, "Traces that failed"))),
  ];
}

const FEW = 2;

/** What is wrong with the whole of it, as links: what is red, and what nobody declared. */
export function summary(map, query) {
  const causes = map.nodes.filter((node) => nodeTone(node) === "bad");
  const undeclared = map.edges.filter((edge) => edge.declared === false);
  const calls = ({ caller, callee }) => `${caller} calls ${callee}`;
  return [
    ...causes.slice(0, 2 * FEW).map((node) => h("a", { key: `bad ${node.id}`, class: "chip bad", href: to([node.id], query) }, icon("errors"), h("strong", null, node.id), ` ${node.troubles[0] ? typeOf(node.troubles[0]) : node.state}`)),
    causes.length > 2 * FEW && h("span", { key: "bad", class: "chip bad", title: causes.slice(2 * FEW).map((node) => node.id).join(", ") }, `and ${causes.length - 2 * FEW} more`),
    ...undeclared.slice(0, FEW).map((edge) => h("a", { key: `stray ${calls(edge)}`, class: "chip stray", href: to(edgeParts(edge), query) }, h("strong", null, edge.caller), " calls ", h("strong", null, edge.callee), " without needing it")),
    undeclared.length > FEW && h("span", { key: "stray", class: "chip stray", title: undeclared.slice(FEW).map(calls).join("\n") }, `and ${undeclared.length - FEW} more`),
  ].filter(Boolean);
}
