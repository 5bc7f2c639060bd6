// The address is the state: page, what is looked at, and every filter, so that any view is a link.
//
// `#/bus/ledger.book?tab=dead&q=timeout` is page "bus", parts ["ledger.book"], and a query.

const listeners = new Set();

export function parse(hash = location.hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const [page, ...parts] = path.split("/").map((part) => decodeURIComponent(part));
  return { page: page || "fleet", parts, query: Object.fromEntries(new URLSearchParams(query || "")) };
}

/** The address of a view. Empty values of the query are left out. */
export function link(page, parts = [], query = {}) {
  const path = [page, ...parts].map(encodeURIComponent).join("/");
  const kept = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== false);
  const text = new URLSearchParams(kept.map(([name, value]) => [name, value === true ? "1" : value])).toString();
  return `#/${path}${text ? `?${text}` : ""}`;
}

export let route = parse();

/** Go to a view; with `replace`, without a step back to this one. */
export function go(hash, replace = false) {
  if (hash === location.hash) return;
  if (replace) {
    history.replaceState(null, "", hash);
    arrive();
  } else location.hash = hash;
}

/** Change some of the query, and nothing else. */
export function amend(changes, replace = true) {
  go(link(route.page, route.parts, { ...route.query, ...changes }), replace);
}

export function onRoute(listener) {
  listeners.add(listener);
}

function arrive() {
  route = parse();
  for (const listener of listeners) listener(route);
}

addEventListener("hashchange", arrive);
