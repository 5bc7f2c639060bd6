// How edges run between things that stand: from side to side, past what stands between.

export const NODE = { width: 172, height: 50 };
export const WIRE = 12; // that an edge takes up where it passes through a column

/** A pair of names, whichever way round. */
export const ends = (a, b) => (a < b ? `${a}\n${b}` : `${b}\n${a}`);

/** Routes by key for `edges`, `{key, from, to}`, between `places`, through what was kept free for
 *  them in `wires` or else through gaps: `{d, spots, tip}`, see layout.js. */
export function route(edges, placed) {
  const { places } = placed;
  const bundles = new Map();
  for (const edge of edges) {
    if (!places.has(edge.from) || !places.has(edge.to)) continue;
    const key = ends(edge.from, edge.to);
    bundles.set(key, [...(bundles.get(key) || []), edge]);
  }
  const lines = [];
  for (const [key, bundle] of bundles) {
    const [a, b] = [places.get(bundle[0].from), places.get(bundle[0].to)];
    const back = b.x < a.x;
    const [from, to] = back ? [bundle[0].to, bundle[0].from] : [bundle[0].from, bundle[0].to];
    const wire = placed.wires.get(key) || detour(places, from, to);
    bundle.forEach((edge, i) => lines.push({ edge, from, to, way: edge.from === from ? 1 : -1, wire: wire.map(({ x, y }) => ({ x, y: y + (i - (bundle.length - 1) / 2) * 6 })), turn: i }));
  }
  dock(lines, places);
  return new Map(lines.map((line) => [line.edge.key, drawn(line, places)]));
}

/** Through which gaps an edge goes that nothing was kept free for. */
function detour(places, from, to) {
  const [a, b] = [places.get(from), places.get(to)];
  const between = new Map();
  for (const place of places.values()) if (place.x > a.x && place.x < b.x) between.set(place.x, [...(between.get(place.x) || []), place.y]);
  return [...between.keys()].sort((one, other) => one - other).map((x) => {
    const straight = a.y + ((b.y - a.y) * (x - a.x)) / (b.x - a.x);
    const column = between.get(x).sort((one, other) => one - other);
    const free = [column[0] - NODE.height / 2 - WIRE, column.at(-1) + NODE.height / 2 + WIRE];
    column.forEach((y, i) => { if (i && y - column[i - 1] > NODE.height + 2) free.push((y + column[i - 1]) / 2); });
    return { x, y: free.reduce((best, y) => (Math.abs(y - straight) < Math.abs(best - straight) ? y : best)) };
  });
}

/** Spread the ends of edges over the sides of nodes, in the order of where they lead. */
function dock(lines, places) {
  const sides = new Map();
  const put = (name, side, line, towards, set) => {
    const key = `${name}\n${side}`;
    sides.set(key, [...(sides.get(key) || []), { line, towards, set }]);
  };
  for (const line of lines) {
    const level = places.get(line.from).x === places.get(line.to).x;
    if (line.from === line.to) continue;
    const points = [places.get(line.from), ...line.wire, places.get(line.to)];
    put(line.from, "right", line, points[1].y + line.turn * 0.01, (y) => { line.start = y; });
    put(line.to, level ? "right" : "left", line, points.at(-2).y + line.turn * 0.01, (y) => { line.end = y; });
  }
  for (const docked of sides.values()) {
    docked.sort((a, b) => a.towards - b.towards);
    const step = Math.min(9, (NODE.height - 14) / docked.length);
    docked.forEach((one, i) => one.set((i - (docked.length - 1) / 2) * step));
  }
}

function drawn(line, places) {
  const [a, b] = [places.get(line.from), places.get(line.to)];
  const half = NODE.width / 2;
  if (line.from === line.to) {
    const [x, y] = [a.x + half - 34, a.y - NODE.height / 2];
    return { d: `M${x} ${y}c-2 -26 28 -26 24 0`, spots: [{ x: x + 12, y: y - 24 }], tip: { x: x + 24, y, way: 0 } };
  }
  const begin = { x: a.x + half, y: a.y + line.start };
  const level = a.x === b.x;
  const end = { x: level ? b.x + half : b.x - half, y: b.y + line.end };
  if (level) {
    const out = begin.x + 30 + Math.min(40, Math.abs(a.y - b.y) / 8);
    const tip = line.way > 0 ? end : begin;
    return { d: `M${p(begin)}C${n(out)} ${n(begin.y)} ${n(out)} ${n(end.y)} ${p(end)}`, spots: [{ x: out + 34, y: (begin.y + end.y) / 2 }], tip: { ...tip, way: -1 } };
  }
  const points = [begin, ...line.wire.flatMap(({ x, y }) => [{ x: x - half, y }, { x: x + half, y }]), end];
  let d = `M${p(begin)}`;
  for (let i = 1; i < points.length; i++) {
    const [one, next] = [points[i - 1], points[i]];
    const bend = (next.x - one.x) / 2;
    d += i % 2 ? `C${n(one.x + bend)} ${n(one.y)} ${n(next.x - bend)} ${n(next.y)} ${p(next)}` : `L${p(next)}`;
  }
  const tip = line.way > 0 ? { ...end, way: 1 } : { ...begin, way: -1 };
  const curves = points.flatMap((one, i) => (i % 2 ? [[points[i - 1], one]] : []));
  if (line.way > 0) curves.reverse(); // near who is called
  return { d, spots: curves.flatMap(([one, next]) => ALONG.map((t) => on(one, next, t))), tip };
}

const ALONG = [0.5, 0.42, 0.58, 0.35, 0.65];

/** A point of the curve between two, which leaves and arrives level. */
function on(a, b, t) {
  const bend = 3 * t * (1 - t) ** 2 + 3 * t ** 2 * (1 - t);
  return { x: a.x * (1 - t) ** 3 + ((a.x + b.x) / 2) * bend + b.x * t ** 3, y: a.y + (b.y - a.y) * (3 * t ** 2 - 2 * t ** 3) };
}

const n = (value) => Math.round(value * 10) / 10;
const p = ({ x, y }) => `${n(x)} ${n(y)}`;
