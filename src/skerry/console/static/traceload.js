// One trace from the console: its rows made ready, its links, and the lines that were logged in it.

import { get, lines } from "./api.js";
import { exceptionOf } from "./exception.js";

const BARE = { duration: 0, depth: 0, size: 1, own: 0, parent: -1, start: null, error: "" };
const LINES = 2000;

const path = (id, rest = "") => `/api/traces/${encodeURIComponent(id)}${rest}`;

/** The trace, with what each row needs to know of others:
 *  `stacked`, an exception with its stack; `hurt`, something below it failed; `retried`, how many
 *  attempts are below it. `pieces`: whether it hangs together. */
export async function readTrace(id, signal) {
  const trace = await get(path(id), signal);
  const { rows } = trace;
  rows.forEach((row, number) => {
    for (const name in BARE) if (row[name] === undefined) row[name] = BARE[name];
    row.number = number;
    row.stacked = !!exceptionOf(row)?.stack;
    if (row.attempt?.[1] && row.parent >= 0) rows[row.parent].retried = row.attempt[1];
  });
  for (const row of [...rows].reverse()) {
    const above = rows[row.parent];
    if (above && (row.error || row.hurt)) above.hurt = true;
  }
  // A caller that sends no spans here is nothing unusual; several beginnings are.
  trace.pieces = rows.some((row) => row.missing) && (!rows[0].missing || rows.filter((row) => !row.depth).length > 1);
  return trace;
}

/** What it comes from and what came of it: lists by the id of its span. */
export async function readLinks(id, signal) {
  const found = await get(path(id, "/links"), signal);
  return { before: grouped(found.before, (one) => one.span), after: grouped(found.after, (one) => one.span) };
}

/** The lines that were logged in it, by span; those that name none are its root's. */
export async function readLines(trace, signal) {
  const known = new Set(trace.rows.map((row) => row.id));
  const low = trace.trace_id.slice(-16);
  const found = [];
  await lines(`/api/logs?trace=${trace.trace_id}&lines=${LINES}`, (line) => { if (line.trace?.slice(-16) === low) found.push(line); }, signal);
  return { count: found.length, bySpan: grouped(found, (line) => (known.has(line.span) ? line.span : trace.rows[0].id)) };
}

function grouped(list, key) {
  const found = new Map();
  for (const one of list) {
    if (!found.has(key(one))) found.set(key(one), []);
    found.get(key(one)).push(one);
  }
  return found;
}
