// Where things stand on a map: a layered drawing, after Sugiyama, Tagawa and Toda (1981).
//
// Callers stand left of those they call. Cycles are broken by Eades, Lin and Smyth's heuristic,
// columns are no longer than fits the shape of a screen, crossings are reduced by barycentres, and rows
// are set by isotonic regression. The same graph gives the same drawing; once things stand
// somewhere they stay: what comes later is drawn between them.

import { acyclic, layered, paired, ranking } from "./columns.js";
import { ends, NODE, route, WIRE } from "./wiring.js";

const ROW = 22; // between two nodes of a column
const LOOSE = 124; // at most, where there is room
const WIDE = 124; // between two columns, with room for labels, and more where many edges cross
const NARROW = 64; // where there are so many that their labels would not be read
const MANY = 30;
const SWEEPS = 16; // at most; four without success are enough
const ASPECT = 1.7; // of the drawing, width to height
const CELL = NODE.width + NARROW + 40; // how wide a column is, with what is beside it

/** Places for `nodes`, which are names, and routes for `edges`: `{key, from, to, soft}`, where those
 *  that are `soft` do not say who stands left.
 *
 *  What has a place in `before`, an earlier result, keeps it, and who is new is put beside those it
 *  is joined to; with `anew`, or where most are new, everything is placed again in the order in
 *  which it stood.
 *  Gives `{places, routes, box}`: places by name with the centre `x`, `y` and the number of the
 *  column; routes by key with `d` (a path), `spots` (points for a label, best first) and `tip`. */
export function layout(nodes, edges, before = null, anew = false) {
  const fresh = nodes.filter((name) => !before?.places.has(name));
  const placed = before && !anew && fresh.length * 2 <= nodes.length ? joined(before, fresh, edges) : place(nodes, edges, before);
  return { ...placed, routes: route(edges, placed), box: boxOf(nodes.map((name) => placed.places.get(name)), [...placed.wires.values()].flat()) };
}

/** What stands, and who has come, each where there is room near those it is joined to. */
function joined(before, fresh, edges) {
  if (!fresh.length) return before;
  const places = new Map(before.places);
  const columns = [...before.columns];
  for (const name of fresh) {
    const edge = edges.find(({ from, to }) => (from === name && places.has(to)) || (to === name && places.has(from)));
    const by = edge && places.get(edge.from === name ? edge.to : edge.from);
    const layer = Math.max(0, by ? by.layer + (edge.from === name ? -1 : 1) : 0);
    while (layer >= columns.length) columns.push({ x: columns.length ? columns.at(-1).x + NODE.width + WIDE : NODE.width / 2 });
    const x = columns[layer].x;
    const wanted = by ? by.y : Infinity;
    const taken = [...places.values()].filter((one) => Math.abs(one.x - x) < NODE.width).map((one) => one.y);
    const room = NODE.height + ROW;
    const free = [by ? by.y : 0, ...taken.flatMap((y) => [y - room, y + room])].filter((y) => taken.every((one) => Math.abs(one - y) > room - 1));
    const y = free.reduce((best, one) => (Math.abs(one - wanted) < Math.abs(best - wanted) || (wanted === Infinity && one > best) ? one : best));
    places.set(name, { x, y, layer });
  }
  return { places, columns, wires: before.wires };
}

function place(nodes, edges, before) {
  const pairs = paired(nodes, edges);
  const joined = new Set(pairs.flatMap((pair) => [pair.from, pair.to]));
  const drawn = nodes.filter((name) => joined.has(name));
  const most = Math.max(4, Math.ceil(Math.sqrt((drawn.length * CELL) / (NODE.height + ROW) / ASPECT)));
  const layers = layered(drawn, acyclic(drawn, ranking(pairs)), most);
  const forward = pairs.filter(({ from, to }) => layers.get(from) !== layers.get(to))
    .map((pair) => (layers.get(pair.from) < layers.get(pair.to) ? pair : { ...pair, from: pair.to, to: pair.from }));
  const graph = wired(drawn, forward, layers);
  order(graph, before);
  rows(graph, roomy(graph.columns));
  return coordinates(graph, nodes.filter((name) => !joined.has(name)));
}

/** Columns of nodes and of places at which edges pass; segments join neighbouring columns. */
function wired(nodes, pairs, layers) {
  const columns = Array.from({ length: 1 + Math.max(-1, ...layers.values()) }, () => []);
  const spot = (name, layer, wire = null) => {
    const made = { name, layer, wire, left: [], right: [], y: 0, at: columns[layer].length };
    columns[layer].push(made);
    return made;
  };
  const spots = new Map(nodes.map((name) => [name, spot(name, layers.get(name))]));
  for (const pair of pairs) {
    let here = spots.get(pair.from);
    const end = spots.get(pair.to);
    for (let layer = here.layer + 1; layer <= end.layer; layer++) {
      const next = layer === end.layer ? end : spot("", layer, pair);
      const pull = here.wire && next.wire ? 8 : here.wire || next.wire ? 2 : 1;
      here.right.push({ spot: next, pull });
      next.left.push({ spot: here, pull });
      here = next;
    }
  }
  return { columns, spots };
}

/** Set the order within each column so that few edges cross. */
function order(graph, before) {
  const { columns } = graph;
  if (before) {
    const stood = (spot) => before.places.get(spot.name)?.y ?? null;
    for (const column of columns) {
      for (const spot of column) spot.y = stood(spot) ?? mean([...spot.left, ...spot.right].map((one) => stood(one.spot)).filter((y) => y !== null));
      column.sort((a, b) => a.y - b.y);
    }
  }
  number(columns);
  let best = columns.map((column) => [...column]);
  let fewest = crossings(columns);
  for (let sweep = 0, vain = 0; sweep < SWEEPS && fewest > 0 && vain < 4; sweep++, vain++) {
    const right = sweep % 2 === 0;
    const sides = right ? columns : [...columns].reverse();
    for (const column of sides) {
      const middle = new Map(column.map((spot) => {
        const next = right ? spot.left : spot.right;
        return [spot, next.length ? mean(next.map((one) => one.spot.at)) : spot.at];
      }));
      column.sort((a, b) => middle.get(a) - middle.get(b) || (sweep % 4 < 2 ? a.at - b.at : b.at - a.at));
      column.forEach((spot, i) => { spot.at = i; });
    }
    swap(columns);
    const now = crossings(columns);
    if (now < fewest) {
      [fewest, vain] = [now, -1];
      best = columns.map((column) => [...column]);
    }
  }
  best.forEach((column, i) => { columns[i] = column; });
  number(columns);
}

function number(columns) {
  for (const column of columns) column.forEach((spot, i) => { spot.at = i; });
}

/** Exchange neighbours as long as that saves a crossing. */
function swap(columns) {
  for (let again = true, times = 0; again && times < 6; times++) {
    again = false;
    for (const column of columns) {
      for (let i = 1; i < column.length; i++) {
        const [a, b] = [column[i - 1], column[i]];
        const saved = between(a.left, b.left) + between(a.right, b.right) - between(b.left, a.left) - between(b.right, a.right);
        if (saved <= 0) continue;
        [column[i - 1], column[i]] = [b, a];
        [a.at, b.at] = [b.at, a.at];
        again = true;
      }
    }
  }
}

/** How many of two spots' edges cross when the first stands above the second. */
function between(upper, lower) {
  let found = 0;
  for (const one of upper) for (const other of lower) if (one.spot.at > other.spot.at) found += 1;
  return found;
}

function crossings(columns) {
  let found = 0;
  for (const column of columns) {
    const ends = column.flatMap((spot) => spot.right.map((one) => one.spot.at).sort((a, b) => a - b));
    for (let i = 0; i < ends.length; i++) for (let j = i + 1; j < ends.length; j++) if (ends[i] > ends[j]) found += 1;
  }
  return found;
}

/** As much between two nodes as gives the drawing the shape of a screen. */
function roomy(columns) {
  const height = (columns.length * CELL) / ASPECT;
  const each = columns.map((column) => {
    const wires = column.filter((spot) => spot.wire).length;
    return (height - wires * WIRE) / Math.max(1, column.length - wires);
  });
  return Math.max(ROW, Math.min(LOOSE, ...each.map((room) => room - NODE.height)));
}

/** Set the height of everything: near what it is joined to, and apart from its neighbours. */
function rows({ columns }, gap) {
  const size = (spot) => (spot.wire ? WIRE : NODE.height + gap);
  for (const column of columns) {
    let y = -column.reduce((sum, spot) => sum + size(spot), 0) / 2;
    for (const spot of column) { spot.y = y + size(spot) / 2; y += size(spot); }
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const right = sweep % 2 === 0;
    for (const column of right ? columns : [...columns].reverse()) {
      const wanted = column.map((spot) => {
        const all = sweep >= SWEEPS - 4 ? [...spot.left, ...spot.right] : right ? spot.left : spot.right;
        const pull = all.reduce((sum, one) => sum + one.pull, 0);
        return { at: pull ? all.reduce((sum, one) => sum + one.pull * one.spot.y, 0) / pull : spot.y, pull: pull || 0.2 };
      });
      const apart = column.map((spot, i) => (i ? (size(column[i - 1]) + size(spot)) / 2 : 0));
      spread(wanted, apart).forEach((y, i) => { column[i].y = y; });
    }
  }
}

/** The positions nearest to those wanted that are as far apart: isotonic regression by pooling. */
function spread(wanted, apart) {
  let shift = 0;
  const shifts = apart.map((gap) => (shift += gap));
  const pools = [];
  wanted.forEach(({ at, pull }, i) => {
    pools.push({ at: at - shifts[i], pull, size: 1 });
    while (pools.length > 1 && pools.at(-2).at > pools.at(-1).at) {
      const [b, a] = [pools.pop(), pools.pop()];
      pools.push({ at: (a.at * a.pull + b.at * b.pull) / (a.pull + b.pull), pull: a.pull + b.pull, size: a.size + b.size });
    }
  });
  return pools.flatMap((pool) => Array(pool.size).fill(pool.at)).map((at, i) => at + shifts[i]);
}

function coordinates({ columns }, lonely) {
  const places = new Map();
  const wires = new Map();
  const found = [];
  const gutter = columns.flat().filter((spot) => !spot.wire).length > MANY ? NARROW : WIDE;
  let x = NODE.width / 2;
  columns.forEach((column, layer) => {
    found.push({ x });
    for (const spot of column) {
      if (!spot.wire) places.set(spot.name, { x, y: spot.y, layer });
      else {
        const key = ends(spot.wire.from, spot.wire.to);
        wires.set(key, [...(wires.get(key) || []), { x, y: spot.y }]);
      }
    }
    x += NODE.width + gutter + Math.min(70, 3 * column.reduce((sum, spot) => sum + spot.right.length, 0));
  });
  const lowest = Math.max(-NODE.height, ...[...places.values()].map((one) => one.y + NODE.height / 2));
  const across = Math.max(found.length, Math.ceil(Math.sqrt(lonely.length)));
  while (found.length < across) found.push({ x: found.length ? found.at(-1).x + NODE.width + NARROW : NODE.width / 2 });
  lonely.forEach((name, i) => { // whom nobody calls, and who calls nobody: below
    const layer = i % across;
    places.set(name, { x: found[layer].x, y: lowest + 40 + NODE.height / 2 + Math.floor(i / across) * (NODE.height + ROW), layer });
  });
  return { places, wires, columns: found };
}

const mean = (list) => (list.length ? list.reduce((a, b) => a + b, 0) / list.length : 0);

function boxOf(all, wires) {
  if (!all.length) return { x: 0, y: 0, width: 1, height: 1 };
  const ys = [...all, ...wires].map((one) => one.y);
  const x = Math.min(...all.map((one) => one.x)) - NODE.width / 2 - 14;
  const y = Math.min(...ys) - NODE.height / 2 - 20;
  return { x, y, width: Math.max(...all.map((one) => one.x)) + NODE.width / 2 + 14 - x, height: Math.max(...ys) + NODE.height / 2 + 20 - y };
}
