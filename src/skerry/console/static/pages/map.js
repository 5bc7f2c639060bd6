// Map: who calls whom, how that goes, and where it breaks.

import { h, lazy } from "../dom.js";
import { percent, several } from "../format.js";
import { describe, edgeKey, graph, legend, nameOf, nodeTone, often } from "../graph.js";
import { layout } from "../layout.js";
import { docs, trouble } from "../live.js";
import { edgePanel, edgeParts, nodePanel, summary } from "../panel.js";
import { amend, go, link, route } from "../router.js";
import { button, empty, notice, search } from "../ui.js";
import { update } from "../update.js";

const WINDOWS = { 1: "1 m", 5: "5 m", 15: "15 m", 60: "1 h" };
const FAR = 0.58; // below this size nobody reads figures
const LEGIBLE = 0.8;
const CLOSEST = 3;
const MARGIN = 14;
const CHIPS = 30; // above, for what is wrong
const LEGEND = 34; // below

let placed = null; // where things stand; kept, so that nothing jumps
let structure = ""; // what that was made for
let last = null; // the map that was shown last, for as long as the next is on its way
let chosen = ""; // the node that keys are about
let camera = null; // { x, y, k }: null until something has been looked at
let moved = false; // the camera is where somebody put it
let canvas = null;
let room = ""; // that there was when everything was made to fit

const minutes = () => route.query.window || "5";
const feed = () => `map:${minutes()}`;
const events = () => route.query.events !== "off";

function current() {
  last = docs[feed()] || last;
  return last;
}

function shown(map) {
  return events() ? map : { ...map, edges: map.edges.filter((edge) => !edge.messaging) };
}

function place(map, anew = false) {
  const edges = map.edges.map((edge) => ({ key: edgeKey(edge), from: edge.caller, to: edge.callee, soft: edge.messaging || (edge.caller === "@outside" && !edge.declared) }));
  const now = [...map.nodes.map((node) => node.id), "", ...edges.map((edge) => edge.key)].join("\n\n");
  if (now === structure && !anew) return;
  structure = now;
  const before = JSON.stringify(placed?.box);
  placed = layout(map.nodes.map((node) => node.id), edges, placed, anew);
  if (anew || (!moved && !route.parts.length && JSON.stringify(placed.box) !== before)) fit();
}

// -- looking closer, and elsewhere -----------------------------------------------------------

/** What of the window is there for the page, whatever it tells beside the map. */
const roomNow = () => `${canvas.closest(".board").clientWidth} ${innerHeight}`;

function fit() {
  if (!canvas || !placed) return;
  room = roomNow();
  const [width, height] = [canvas.clientWidth, canvas.clientHeight - CHIPS - LEGEND];
  const { box } = placed;
  const k = Math.min(1.15, (width - 2 * MARGIN) / box.width, (height - 2 * MARGIN) / box.height);
  camera = { k, x: (width - k * box.width) / 2 - k * box.x, y: CHIPS + (height - k * box.height) / 2 - k * box.y };
}

function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const k = Math.max(0.12, Math.min(CLOSEST, camera.k * factor));
  camera = { k, x: x - ((x - camera.x) * k) / camera.k, y: y - ((y - camera.y) * k) / camera.k };
  moved = true;
  update();
}

function whole() {
  moved = false;
  fit();
  update();
}

/** Show what is open with what is around it, large enough to be read. */
function come(map) {
  const open = opened(map);
  const around = open.node ? map.edges.filter((edge) => [edge.caller, edge.callee].includes(open.node.id)) : open.edge ? [open.edge] : [];
  const all = [open.node?.id, ...around.flatMap((edge) => [edge.caller, edge.callee])].map((id) => placed.places.get(id)).filter(Boolean);
  if (!all.length || camera.k >= LEGIBLE) return;
  const middle = (key) => (Math.min(...all.map((one) => one[key])) + Math.max(...all.map((one) => one[key]))) / 2;
  const size = (key, beside) => Math.max(...all.map((one) => one[key])) - Math.min(...all.map((one) => one[key])) + beside;
  const k = Math.min(1, (canvas.clientWidth - 2 * MARGIN) / size("x", 190), (canvas.clientHeight - LEGEND) / size("y", 80));
  const at = open.node && k < LEGIBLE ? placed.places.get(open.node.id) : { x: middle("x"), y: middle("y") };
  camera = { k: Math.max(k, open.node ? LEGIBLE : camera.k) };
  camera.x = canvas.clientWidth / 2 - at.x * camera.k;
  camera.y = canvas.clientHeight / 2 - at.y * camera.k;
}

/** Move just enough for a node to be seen. */
function reveal(id) {
  const at = placed?.places.get(id);
  if (!at || !camera || !canvas) return;
  const [x, y] = [camera.x + at.x * camera.k, camera.y + at.y * camera.k];
  const [w, height] = [100 * camera.k + MARGIN, 40 * camera.k + MARGIN];
  const by = (v, edge, size) => (v < edge ? edge - v : v > size - edge ? size - edge - v : 0);
  const [dx, dy] = [by(x, w, canvas.clientWidth), by(y, height, canvas.clientHeight)];
  if (!dx && !dy) return;
  camera = { ...camera, x: camera.x + dx, y: camera.y + dy };
}

/** Drag to pan, two fingers or the wheel to zoom. What was dragged is no click. */
function mount(element) {
  canvas = element;
  const fingers = new Map();
  let dragged = 0;
  const at = (event) => { const box = element.getBoundingClientRect(); return { x: event.clientX - box.x, y: event.clientY - box.y }; };
  const apart = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
  element.onpointerdown = (event) => { if (event.button === 0) { dragged = fingers.size ? dragged : 0; fingers.set(event.pointerId, at(event)); } };
  element.onpointermove = (event) => {
    const before = fingers.get(event.pointerId);
    if (!before || !camera) return;
    const now = at(event);
    dragged += Math.hypot(now.x - before.x, now.y - before.y);
    if (dragged < 4) return;
    element.setPointerCapture(event.pointerId);
    const gap = fingers.size === 2 ? apart() : 0;
    fingers.set(event.pointerId, now);
    if (gap) return zoom(apart() / gap, now.x, now.y);
    camera = { ...camera, x: camera.x + now.x - before.x, y: camera.y + now.y - before.y };
    moved = true;
    update();
  };
  element.onpointerup = element.onpointercancel = (event) => fingers.delete(event.pointerId);
  element.addEventListener("click", (event) => { if (dragged >= 4) { event.stopPropagation(); dragged = 0; } else if (!event.target.closest("[data-node], [data-edge]") && route.parts.length) close(); }, true);
  element.addEventListener("wheel", (event) => { event.preventDefault(); const { x, y } = at(event); zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.06 : 0.0016)), x, y); }, { passive: false });
  const watching = new ResizeObserver(() => { // what is told beside it must not make everything smaller
    const first = !camera;
    if (!moved && (first || room !== roomNow())) fit();
    if (first) come(last);
    else route.parts.slice(0, 2).forEach(reveal);
    update();
  });
  watching.observe(element);
  return () => { watching.disconnect(); canvas = null; };
}

// -- choosing --------------------------------------------------------------------------------

const isNode = (parts) => parts.length === 1;
const close = () => go(link("map", [], route.query));
const openNode = (id, replace = false) => { chosen = id; go(link("map", [id], route.query), replace); };
const openEdge = (edge) => go(link("map", edgeParts(edge), route.query));

function inOrder() {
  if (!last || !placed) return [];
  const at = (node) => placed.places.get(node.id);
  return [...last.nodes].sort((a, b) => at(a).layer - at(b).layer || at(a).y - at(b).y).map((node) => node.id);
}

function choose(id) {
  chosen = id;
  reveal(id);
  if (isNode(route.parts)) openNode(id, true);
  update();
}

const step = (by) => () => {
  const all = inOrder();
  if (!all.length) return;
  const i = all.indexOf(chosen);
  choose(all[i < 0 ? (by > 0 ? 0 : all.length - 1) : (i + by + all.length) % all.length]);
};

/** The nearest node in a direction. */
const towards = (dx, dy) => () => {
  const here = placed?.places.get(chosen);
  if (!here) return step(1)();
  let [best, least] = [null, Infinity];
  for (const { id } of last.nodes) {
    const there = placed.places.get(id);
    const [along, aside] = dx ? [(there.x - here.x) * dx, Math.abs(there.y - here.y)] : [(there.y - here.y) * dy, Math.abs(there.x - here.x)];
    if (along > 1 && along + 2.5 * aside < least) [best, least] = [id, along + 2.5 * aside];
  }
  if (best) choose(best);
};

function nextTrouble() {
  const bad = inOrder().filter((id) => nodeTone(last.nodes.find((node) => node.id === id)) === "bad");
  if (!bad.length) return false;
  openNode(bad[(bad.indexOf(chosen) + 1) % bad.length]);
  reveal(chosen);
}

function nextWindow() {
  const all = Object.keys(WINDOWS);
  const next = all[(all.indexOf(minutes()) + 1) % all.length];
  amend({ window: next === "5" ? "" : next });
}

function found(map) {
  const q = (route.query.q || "").trim().toLowerCase();
  return q ? map.nodes.filter((node) => `${nameOf(node.id)} ${node.team} ${node.owner} ${node.kind} ${node.state}`.toLowerCase().includes(q)) : null;
}

/** Enter in the search field opens what it finds first. */
function entered(event) {
  if (event.key !== "Enter" || !last) return;
  const q = event.target.value.trim().toLowerCase();
  const best = last.nodes.find((node) => node.id === q) || last.nodes.find((node) => node.id.startsWith(q)) || last.nodes.find((node) => node.id.includes(q));
  if (!q || !best) return;
  event.target.value = "";
  event.target.blur();
  chosen = best.id;
  reveal(best.id);
  go(link("map", [best.id], { ...route.query, q: "" }));
}

// -- the page --------------------------------------------------------------------------------

/** What is open, as { node } or { edge }; neither where it is not on this map. */
function opened(map) {
  const [caller, callee, kind] = route.parts;
  if (isNode(route.parts)) return { node: map.nodes.find((node) => node.id === caller) };
  return { edge: map.edges.find((edge) => edge.caller === caller && edge.callee === callee && edge.messaging === (kind === "events")) };
}

function drawn(map, { node, edge }) {
  const fits = found(map);
  const touches = (one) => (node ? one.caller === node.id || one.callee === node.id : edge ? one.caller === edge.caller && one.callee === edge.callee : false);
  const near = node || edge ? new Set([node?.id, ...map.edges.filter(touches).flatMap((one) => [one.caller, one.callee])]) : null;
  const state = { chosen, open: node?.id || (edge && edgeKey(edge)), near, touches, fits: fits && new Set(fits.map((one) => one.id)), far: !camera || camera.k < FAR };
  const act = { node: (id) => openNode(id), edge: openEdge };
  const { x, y, k } = camera || { x: 0, y: 0, k: 1 };
  return h("svg", { class: `canvas ${state.far ? "far" : ""}`, mount, role: "group", "aria-label": `Map of ${several(map.nodes.length, "node")} and ${several(map.edges.length, "edge")}` },
    h("g", { transform: `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${k.toFixed(4)})` },
      lazy("all", [map, placed, chosen, state.open, route.query.q, state.far], () => h("g", null, graph(map, placed, state, act)))));
}

function figures(map) {
  const served = map.nodes.filter((node) => node.kind !== "front");
  const sum = (list, key) => list.reduce((total, one) => total + one[key], 0);
  const seen = map.edges.filter((edge) => edge.observed);
  const own = served.filter((node) => node.kind !== "foreign" && node.kind !== "backing").length;
  return `${several(own, "app")}${own < served.length ? `, ${several(served.length - own, "other")}` : ""}, ${several(seen.length, "edge")} · ${often(sum(served, "rate"))} · ${percent(sum(served, "errors"), sum(served, "count"))} failed`;
}

function tools(map) {
  const choice = minutes();
  return h("div", { class: "tools" }, h("div", { onkeydown: entered }, search(route.query.q || "", (text) => amend({ q: text }), { placeholder: "Find an app" })),
    h("div", { class: "windows", role: "group", "aria-label": "Traffic of the last" }, Object.entries(WINDOWS).map(([name, text]) => h("button", { key: name, type: "button", "aria-pressed": String(name === choice), onclick: () => amend({ window: name === "5" ? "" : name }) }, text))),
    h("button", { type: "button", class: "button toggle", "aria-pressed": String(events()), onclick: toggle, disabled: !map }, h("span", null, "Events")));
}

const toggle = () => amend({ events: events() ? "off" : "" });
const tidy = () => { const map = current(); if (map) { moved = false; place(map, true); update(); } };

function view() {
  const map = current();
  if (!map) return [h("div", { class: "headline", key: "headline" }, h("h1", null, "Map"), h("p", null), tools(null)), trouble[feed()] ? notice(trouble[feed()]) : empty("Looking", "Asking the collector what it has seen.", "map")];
  place(map);
  const visible = shown(map);
  const { node, edge } = opened(visible);
  const links = summary(map, route.query);
  return [
    trouble[feed()] && notice(`${trouble[feed()]} This is how it was.`),
    h("div", { class: "headline", key: "headline" }, h("h1", null, "Map"), h("p", null, figures(map)), tools(map)),
    h("div", { class: `board card flush ${node || edge ? "with-panel" : ""}`, key: "board" },
      h("div", { class: "sea", key: "sea" }, drawn(visible, { node, edge }),
        !map.nodes.length && empty("No apps", "fleet.toml names none, and no spans have come.", "map"),
        links.length > 0 && h("div", { class: "chips", key: "chips", role: "group", "aria-label": "What is wrong" }, links),
        h("p", { class: "sr", "aria-live": "polite" }, map.nodes.filter((one) => one.id === chosen).map(describe)),
        legend(),
        h("div", { class: "zoom", role: "group", "aria-label": "Size" }, button("+", () => zoom(1.3), { title: "Closer (+)", kind: "small" }), button("−", () => zoom(1 / 1.3), { title: "Farther (-)", kind: "small" }), button("Fit", whole, { title: "All of it (0)", kind: "small" }), button("Tidy", tidy, { title: "Place everything anew (z)", kind: "small" }))),
      (node || edge) && h("aside", { class: "side-panel", key: "panel", "aria-label": node ? nameOf(node.id) : "Edge" }, node ? nodePanel(map, node, route.query) : edgePanel(map, edge, route.query)),
      route.parts.length > 0 && !node && !edge && h("aside", { class: "side-panel", key: "panel" }, empty(route.parts.map(nameOf).join(" → "), "It is not on the map of this window.", "map", h("a", { class: "button", href: link("map", [], route.query) }, "Close")))),
  ];
}

export default {
  title: "Map", icon: "map", key: "m", order: 20, view,
  feeds: () => [feed()],
  commands: ({ fleet }) => (fleet?.apps || []).map((app) => ({ kind: "Map", icon: "map", label: `${app.app} on the map`, hash: link("map", [app.app]) })),
  keys: {
    j: step(1), k: step(-1), ArrowLeft: towards(-1, 0), ArrowRight: towards(1, 0), ArrowUp: towards(0, -1), ArrowDown: towards(0, 1),
    Enter: () => (chosen ? openNode(chosen) : false), Escape: () => (route.parts.length ? close() : false),
    "+": () => zoom(1.3), "=": () => zoom(1.3), "-": () => zoom(1 / 1.3), 0: whole, z: tidy, x: nextTrouble, v: toggle, w: nextWindow,
  },
  help: [["← → ↑ ↓", "To the next app"], ["j k", "Through all apps"], ["Enter", "More of it"], ["x", "To what is red"], ["+ - 0", "Closer, farther, all"], ["v", "Events, or calls alone"], ["w", "Another window"], ["z", "Place everything anew"]],
  leave() { moved = false; camera = null; },
};
