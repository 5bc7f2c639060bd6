// What the list of endpoints and a single one say in the same way, and what both ask for.

import { get, url } from "./api.js";
import { h } from "./dom.js";
import { rate } from "./format.js";
import { docs } from "./live.js";
import { operations } from "./operations.js";
import { took } from "./span.js";
import { measure, tabs } from "./ui.js";
import { amend, route } from "./router.js";
import { update } from "./update.js";

export const WINDOWS = { "15m": [900, "15 minutes"], "1h": [3600, "Hour"], "6h": [21600, "6 hours"], "24h": [86400, "Day"] };
const LIVE = 3600; // seconds up to which a window moves while somebody looks
const TICK = "process skerry.tick."; // what the events of schedules are named

const span = () => (WINDOWS[route.query.since] ? route.query.since : "1h");
export const spoken = () => WINDOWS[span()][1].toLowerCase().replace(/^(\D)/, "last $1");

/** The feed of `kind`, `endpoints` or `series`, for the window of this address. */
export function feed(kind, given = {}) {
  const [window] = WINDOWS[span()];
  const query = new URLSearchParams({ window, ...given }).toString();
  return `${kind}${window > LIVE ? "-long" : ""}:${encodeURIComponent(query)}`;
}

/** `request`, `event`, or `schedule`: an event that comes by the clock. */
export const kindOf = (one) => (one.kind === "SERVER" ? "request" : one.name.startsWith(TICK) ? "schedule" : "event");

/** What it is called: a method or what stands for one, and the rest. Spans have names in lower case. */
export function partsOf(one) {
  const [first, ...rest] = one.name.split(" ");
  const kind = kindOf(one);
  if (kind === "schedule") return ["clock", one.name.slice(TICK.length)];
  if (kind === "event") return ["event", rest[0] ? rest.join(" ") : first];
  return rest.length ? [first.toUpperCase(), rest.join(" ")] : ["", one.name];
}

export const titleOf = (one) => {
  const [method, rest] = partsOf(one);
  return kindOf(one) === "request" ? `${method} ${rest}`.trim() : one.name;
};

export const nameOf = (one) => {
  const [method, rest] = partsOf(one);
  return [method && h("span", { class: `method ${method.toLowerCase()}` }, method), h("span", { class: "path" }, rest || "/")];
};

/** So many in a second, or in a minute where that is few. */
export const often = (value) => (value === 0 ? "0 /s" : value >= 0.995 ? `${rate(value)} /s` : value * 60 >= 0.095 ? `${rate(value * 60)} /min` : `${(value * 3600).toFixed(1)} /h`);

/** Seconds, with their unit apart. */
export const timed = (seconds) => measure(seconds === null ? "–" : took(seconds * 1e6));

/** Counts as a line can show them: what has begun of the last step stands for all of it. */
export function trendOf(one, list) {
  const covered = list.until - list.since - (one.counts.length - 1) * list.step;
  if (!list.partial) return [one.counts, one.failed];
  if (covered < list.step / 4) return [one.counts.slice(0, -1), one.failed.slice(0, -1)];
  const whole = (values) => values.map((value, i) => (i === values.length - 1 ? (value * list.step) / covered : value));
  return [whole(one.counts), whole(one.failed)];
}

const choose = (name) => amend({ since: name === "1h" ? "" : name });

/** The next of the windows. */
export function turn() {
  const names = Object.keys(WINDOWS);
  choose(names[(names.indexOf(span()) + 1) % names.length]);
}

export const choices = () => tabs(span(), Object.fromEntries(Object.entries(WINDOWS).map(([name, [, text]]) => [name, text])), choose);

// -- contracts ---------------------------------------------------------------------------------

const contracts = {}; // by app: {version, list}, the list empty where there is no contract

/** The operations of an app's contract; undefined while they are on their way. */
export function contractOf(app) {
  const version = docs.fleet?.apps.find((one) => one.app === app)?.versions.join();
  if (version === undefined) return undefined;
  if (contracts[app]?.version !== version) {
    const made = (contracts[app] = { version, list: contracts[app]?.list });
    get(url`/api/apps/${app}/contract`).then(operations, () => []).then((list) => { made.list = list; update(); });
  }
  return contracts[app].list;
}

/** The operation of the contract that an endpoint is. */
export const operationOf = (one) => contractOf(one.service)?.find((each) => `${each.method} ${each.path}`.toLowerCase() === one.name.toLowerCase());

/** Endpoints that a contract has and that nobody asked, as rows of the list. */
export function silent(app, asked) {
  const known = new Set(asked.filter((one) => one.service === app).map((one) => one.name.toLowerCase()));
  const whose = docs.fleet?.apps.find((one) => one.app === app);
  return (contractOf(app) || []).filter((each) => !known.has(`${each.method} ${each.path}`.toLowerCase())).map((each) => ({
    service: app, name: `${each.method} ${each.path}`, kind: "SERVER", owner: whose?.owner || "", team: whose?.team || "", silent: true,
    count: 0, errors: 0, rate: 0, p50: null, p95: null, p99: null, slowest: [], counts: [], failed: [], incidents: [],
  }));
}
