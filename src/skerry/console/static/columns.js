// In which column each node of a layered drawing stands: callers left of those they call.

import { ends } from "./wiring.js";

/** The pairs that say who stands left of whom: calls, and events between apps that no calls join. */
export function ranking(pairs) {
  const group = new Map();
  const of = (name) => { let at = name; while (group.has(at)) at = group.get(at); return at; };
  for (const { from, to, soft } of pairs) if (!soft && of(from) !== of(to)) group.set(of(from), of(to));
  return pairs.filter(({ from, to, soft }) => !soft || of(from) !== of(to));
}

/** One pair for all edges between two, in the direction that weighs more. */
export function paired(nodes, edges) {
  const known = new Set(nodes);
  const found = new Map();
  for (const { from, to, soft } of edges) {
    if (from === to || !known.has(from) || !known.has(to)) continue;
    const [a, b] = from < to ? [from, to] : [to, from];
    const pair = found.get(ends(a, b)) || { a, b, way: 0, hard: 0 };
    pair.way += (from === a ? 1 : -1) * (soft ? 1 : 4);
    pair.hard += soft ? 0 : 1;
    found.set(ends(a, b), pair);
  }
  return [...found.keys()].sort().map((key) => {
    const { a, b, way, hard } = found.get(key);
    return { from: way < 0 ? b : a, to: way < 0 ? a : b, soft: !hard, weight: Math.abs(way) };
  });
}

/** The pairs with as little as possible turned around so that there are no cycles. */
export function acyclic(nodes, pairs) {
  const left = new Map(nodes.map((name) => [name, { out: 0, in: 0, outs: 0, ins: 0 }]));
  for (const { from, to, weight } of pairs) {
    left.get(from).out += weight + 0.01; left.get(from).outs += 1;
    left.get(to).in += weight + 0.01; left.get(to).ins += 1;
  }
  const first = [];
  const last = [];
  const take = (name, into) => {
    into.push(name);
    left.delete(name);
    for (const { from, to, weight } of pairs) {
      if (from === name && left.has(to)) { left.get(to).in -= weight + 0.01; left.get(to).ins -= 1; }
      if (to === name && left.has(from)) { left.get(from).out -= weight + 0.01; left.get(from).outs -= 1; }
    }
  };
  while (left.size) {
    const names = [...left.keys()];
    const sink = names.find((name) => !left.get(name).outs);
    const source = names.find((name) => !left.get(name).ins);
    if (sink !== undefined) take(sink, last);
    else if (source !== undefined) take(source, first);
    else take(names.reduce((best, name) => (left.get(name).out - left.get(name).in > left.get(best).out - left.get(best).in + 1e-9 ? name : best)), first);
  }
  const at = new Map([...first, ...last.reverse()].map((name, i) => [name, i]));
  return pairs.map((pair) => (at.get(pair.from) < at.get(pair.to) ? pair : { from: pair.to, to: pair.from, weight: pair.weight }));
}

/** A column for each node: right of all who call it, and none longer than `most`. */
export function layered(nodes, pairs, most) {
  const below = new Map(nodes.map((name) => [name, []]));
  const above = new Map(nodes.map((name) => [name, []]));
  for (const { from, to } of pairs) { below.get(from).push(to); above.get(to).push(from); }
  const depth = new Map();
  const deep = (name) => {
    if (!depth.has(name)) depth.set(name, 1 + Math.max(-1, ...below.get(name).map(deep)));
    return depth.get(name);
  };
  nodes.forEach(deep);
  const layers = new Map();
  const taken = [];
  const waiting = new Set(nodes);
  while (waiting.size) { // those with the longest way below them first
    const ready = [...waiting].filter((name) => above.get(name).every((one) => layers.has(one)));
    const name = ready.reduce((best, one) => (depth.get(one) > depth.get(best) ? one : best));
    let layer = Math.max(0, ...above.get(name).map((one) => layers.get(one) + 1));
    while ((taken[layer] || 0) >= most) layer += 1;
    layers.set(name, layer);
    taken[layer] = (taken[layer] || 0) + 1;
    waiting.delete(name);
  }
  for (let again = 0; again < 4; again++) { // callers move towards those they call
    for (const name of [...nodes].sort((a, b) => layers.get(b) - layers.get(a))) {
      const highest = Math.min(...below.get(name).map((one) => layers.get(one))) - 1;
      if (highest === Infinity || above.get(name).length > below.get(name).length) continue;
      let layer = highest;
      while (layer > layers.get(name) && taken[layer] >= most) layer -= 1;
      if (layer <= layers.get(name)) continue;
      taken[layers.get(name)] -= 1;
      taken[layer] += 1;
      layers.set(name, layer);
    }
  }
  const used = [...new Set(layers.values())].sort((a, b) => a - b);
  return new Map([...layers].map(([name, layer]) => [name, used.indexOf(layer)]));
}
