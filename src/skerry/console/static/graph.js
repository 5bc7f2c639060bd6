// A map as elements: nodes in the shape of what they are, edges with what runs along them.

import { h, lazy } from "./dom.js";
import { ms, percent, rate } from "./format.js";
import { NODE } from "./wiring.js";

const TROUBLED = new Set(["crashed", "backoff", "unhealthy"]);
const QUIET = new Set(["ready", "external", ""]);
const GLYPH = 6.1; // width of a character of a label

export const edgeKey = (edge) => `${edge.caller}\n${edge.callee}\n${edge.messaging ? "events" : "calls"}`;
export const nameOf = (id) => (id === "@outside" ? "Outside" : id);
const UNITS = [[1, "s"], [60, "min"], [3600, "h"]];

/** How often, in the unit that needs no zeros: "2.3/s", "1.5/min". */
export function often(n) {
  const [times, unit] = UNITS.find(([times]) => n * times >= 0.095) || UNITS[n ? 2 : 0];
  return `${rate(n * times)}/${unit}`;
}

export const took = (seconds) => ms(seconds === null || seconds === undefined ? null : seconds * 1000);

/** How a node or an edge is doing, in one word: `bad` where failures are born. */
export function nodeTone(node) {
  if (node.health === "cause" || TROUBLED.has(node.state)) return "bad";
  return node.health === "victim" ? "warn" : "";
}

export const edgeTone = (edge) => ({ cause: "bad", victim: "warn" })[edge.health] || "";

/** What is told of an edge in a line. */
export function told(edge) {
  if (!edge.observed) return "declared, not seen";
  return [often(edge.rate), edge.errors > 0 && percent(edge.errors, edge.count), edge.p99 !== null && took(edge.p99)].filter(Boolean).join(" · ");
}

/** The topic of events without the name of who publishes, as topics are usually named. */
export function topicOf(edge) {
  const [first, ...more] = edge.topics;
  const short = first.topic.startsWith(`${edge.caller}.`) ? first.topic.slice(edge.caller.length + 1) : first.topic;
  return more.length ? `${cut(short, 17)} +${more.length}` : cut(short, 20);
}

/** Everything that stands on the map. `state`: `chosen` a node's name, `open` the key of an edge or
 *  a name, `near` the names beside it, `fits` those that are looked for, `far` whether small. */
export function graph(map, placed, state, act) {
  const edges = map.edges.filter((edge) => placed.routes.has(edgeKey(edge)));
  const order = { "": 0, warn: 1, bad: 2 };
  edges.sort((a, b) => order[edgeTone(a)] - order[edgeTone(b)]);
  const labels = state.far ? new Map() : labelled(edges, placed, state);
  return [
    h("g", { key: "wires" }, edges.map((edge) => wire(edge, placed.routes.get(edgeKey(edge)), state, act))),
    h("g", { key: "labels", "aria-hidden": "true" }, edges.map((edge) => labels.has(edgeKey(edge)) && label(edge, labels.get(edgeKey(edge)), state))),
    h("g", { key: "nodes" }, map.nodes.map((node) => box(node, placed.places.get(node.id), state, act))),
  ];
}

/** Somebody from outside who does not come by a route of the front door. */
const aside = (edge) => edge.caller === "@outside" && !edge.declared && !edgeTone(edge);

const dimmed = (names, state) => (state.fits && !names.some((name) => state.fits.has(name))) || (state.near && !names.every((name) => state.near.has(name)));

function wire(edge, route, state, act) {
  const key = edgeKey(edge);
  const off = dimmed([edge.caller, edge.callee], state) || (state.near && !state.touches(edge));
  const kind = [edge.messaging && "events", !edge.observed && "unseen", edge.declared === false && "undeclared", aside(edge) && "aside", edgeTone(edge), off && "off", state.open === key && "open"].filter(Boolean).join(" ");
  const width = edge.observed ? Math.min(4.5, 1.2 + 0.75 * Math.log10(1 + 10 * edge.rate)) : 1;
  return lazy(key, [route, kind, width.toFixed(1), told(edge)], () => h("g", { class: `wire ${kind}`, data: { edge: key.replaceAll("\n", " ") }, onclick: (event) => act.edge(edge, event) },
    h("title", null, `${nameOf(edge.caller)} ${edge.messaging ? "publishes to" : "calls"} ${nameOf(edge.callee)}: ${told(edge)}`),
    h("path", { class: "hit", d: route.d }), h("path", { class: "line", d: route.d, style: { "stroke-width": width.toFixed(1) } }), h("path", { class: "tip", d: tip(route.tip) })));
}

/** An arrow's head, whose point touches what the edge leads to. */
function tip({ x, y, way }) {
  return way ? `M${x} ${y}l${-7 * way} -3.6v7.2z` : `M${x} ${y}l-3.6 -7h7.2z`;
}

/** Where labels stand so that none covers another: those that matter most choose first. */
function labelled(edges, placed, state) {
  const taken = [];
  const found = new Map();
  const weight = (edge) => (state.open === edgeKey(edge) ? 3e9 : 0) + (state.touches(edge) ? 2e9 : 0) + (edgeTone(edge) ? 1e9 : 0) + edge.rate;
  const wanted = edges.filter((edge) => edge.observed && !dimmed([edge.caller, edge.callee], state) && (state.near ? state.touches(edge) : !aside(edge)));
  for (const edge of wanted.sort((a, b) => weight(b) - weight(a))) {
    const lines = edge.messaging ? [told(edge), topicOf(edge)] : [told(edge)];
    const [width, height] = [Math.max(...lines.map((line) => line.length)) * GLYPH, lines.length * 13];
    const spot = placed.routes.get(edgeKey(edge)).spots.find(({ x, y }) => !taken.some((one) => Math.abs(one.x - x) < (one.width + width) / 2 && Math.abs(one.y - y) < (one.height + height) / 2));
    if (!spot) continue;
    taken.push({ ...spot, width, height });
    found.set(edgeKey(edge), { ...spot, lines });
  }
  return found;
}

function label(edge, { x, y, lines }, state) {
  const top = y + 4 - (lines.length - 1) * 6.5;
  return lazy(edgeKey(edge), [x, y, lines.join(), edge.health, edge.declared], () => h("g", { class: `label ${edgeTone(edge)} ${edge.messaging ? "events" : ""}` },
    lines.map((line, i) => h("text", { key: i, x: x.toFixed(1), y: (top + 13 * i).toFixed(1), class: i ? "topic" : "" }, line))));
}

// -- nodes -------------------------------------------------------------------------------------

const { width: W, height: H } = NODE;
const SHAPES = {
  app: () => h("rect", { class: "shape", x: -W / 2, y: -H / 2, width: W, height: H, rx: 9 }),
  command: () => h("rect", { class: "shape", x: -W / 2, y: -H / 2, width: W, height: H, rx: 2 }),
  outside: () => h("rect", { class: "shape dashed", x: -W / 2, y: -H / 2, width: W, height: H, rx: 9 }),
  front: () => h("rect", { class: "shape", x: -W / 2, y: -H / 2, width: W, height: H, rx: H / 2 }),
  foreign: () => h("path", { class: "shape", d: `M${-W / 2 + 13} ${-H / 2}H${W / 2 - 13}L${W / 2} 0L${W / 2 - 13} ${H / 2}H${-W / 2 + 13}L${-W / 2} 0Z` }),
  backing: () => [
    h("path", { class: "shape", d: `M${-W / 2} ${-H / 2 + 6}a${W / 2} 7 0 0 1 ${W} 0V${H / 2 - 6}a${W / 2} 7 0 0 1 ${-W} 0Z` }),
    h("path", { class: "rim", d: `M${-W / 2} ${-H / 2 + 6}a${W / 2} 7 0 0 0 ${W} 0` }),
  ],
};
const WHAT = { app: "app", command: "command", outside: "app elsewhere", front: "callers from outside", foreign: "service outside the fleet", backing: "backing" };

export const what = (node) => node.system || WHAT[node.kind];

/** A node in words, for those who do not see it. */
export function describe(node) {
  const doing = { cause: ", failures are born here", victim: ", fails for others’ sake" }[node.health] || "";
  return `${nameOf(node.id)}, ${what(node)}${node.state ? `, ${node.state}` : ""}: ${often(node.rate)}, ${percent(node.errors, node.count)} failed, p99 ${took(node.p99)}${doing}`;
}

function box(node, place, state, act) {
  const off = dimmed([node.id], state);
  const kind = ["node", node.kind, nodeTone(node), node.health === "past" && "past", off && "off", state.chosen === node.id && "chosen", state.open === node.id && "open", state.far && "far"].filter(Boolean).join(" ");
  const told = describe(node);
  return lazy(node.id, [kind, place.x, place.y, told, node.alert, node.ready, node.instances], () => h("g", { class: kind, transform: `translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`, role: "button", "aria-label": told, data: { node: node.id }, onclick: (event) => act.node(node.id, event) },
    h("title", null, told), SHAPES[node.kind](), state.far ? distant(node) : close(node)));
}

function distant(node) {
  const name = cut(nameOf(node.id), 16);
  return h("text", { class: "name", "text-anchor": "middle", y: node.kind === "backing" ? 10 : 7 }, name);
}

function close(node) {
  const down = node.kind === "backing" ? 5 : 0;
  const left = node.kind === "front" || node.kind === "foreign" ? 18 : 12;
  const state = node.kind === "front" || node.kind === "foreign" ? null : node.state;
  const some = node.instances > 1 || (node.instances && node.ready < node.instances) ? `${node.ready < node.instances ? `${node.ready}/` : "×"}${node.instances}` : "";
  const right = W / 2 - left;
  return [
    state && h("circle", { class: `dot ${state}`, cx: -W / 2 + left + 4, cy: -9 + down, r: 4 }),
    h("text", { class: "name", x: -W / 2 + left + (state ? 14 : 0), y: -5 + down }, cut(nameOf(node.id), 18)),
    node.alert ? h("g", { class: "bell", transform: `translate(${right - 12} ${-16 + down})` }, h("path", { d: "M6 0l7 12h-14z" }), h("text", { x: 6, y: 10.5, "text-anchor": "middle" }, "!"))
      : h("text", { class: "more", x: right, y: -5 + down, "text-anchor": "end" }, some || (node.kind === "app" || node.kind === "front" ? "" : node.system || (node.kind === "foreign" ? "" : node.kind))),
    figures(node, left, down),
  ];
}

function figures(node, left, down) {
  const quiet = QUIET.has(node.state);
  if (!node.count) return h("text", { class: "said", x: -W / 2 + left, y: 15 + down }, quiet ? (node.kind === "front" ? "nobody calls" : "no traffic") : node.state);
  const failed = node.errors > 0;
  return [
    h("text", { class: "figure", x: -W / 2 + left, y: 15 + down }, quiet ? often(node.rate) : node.state),
    h("text", { class: `figure ${failed ? "failed" : "none"}`, x: node.p99 === null ? W / 2 - left : 2, y: 15 + down, "text-anchor": node.p99 === null ? "end" : "middle" }, percent(node.errors, node.count)),
    node.p99 !== null && h("text", { class: "figure", x: W / 2 - left, y: 15 + down, "text-anchor": "end" }, took(node.p99)),
  ];
}

const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

export const legend = () => h("ul", { class: "legend", "aria-label": "What lines and colours mean" },
  [["", "calls"], ["events", "events"], ["undeclared", "calls without needing it"], ["unseen", "needs, not seen"]].map(([kind, text]) => h("li", { key: text }, h("svg", { width: 26, height: 8, "aria-hidden": "true" }, h("g", { class: `wire ${kind}` }, h("path", { class: "line", d: "M1 4H25" }))), text)),
  h("li", { key: "bad" }, h("i", { class: "bad" }), "failures are born here"), h("li", { key: "warn" }, h("i", { class: "warn" }), "fails for others’ sake"));

