// Traces: search (`#/traces`), and one as a waterfall (`#/traces/ID`).

import { rowKeys } from "../keys.js";
import { go, link, route } from "../router.js";
import * as list from "../tracesearch.js";
import * as fall from "../waterfall.js";

const one = () => route.parts.length > 0;
const rows = rowKeys(list.names, list.at, list.choose, (id) => go(link("traces", [id])));
const names = new Set([...Object.keys(rows), ...Object.keys(list.keys), ...Object.keys(fall.keys)]);
const key = (name) => (event) => {
  const doing = (one() ? fall.keys : { ...rows, ...list.keys })[name];
  return doing ? doing(event) : false;
};

export default {
  title: "Traces", icon: "traces", key: "r", order: 40,
  feeds: (at) => (at.parts.length ? [] : list.feeds(at.query)),
  view: () => {
    if (one()) return fall.view();
    fall.end();
    return list.view();
  },
  leave: fall.end,
  keys: Object.fromEntries([...names].map((name) => [name, key(name)])),
  help: [["j k", "Next and previous"], ["Enter", "Open; more of a span"], ["h l", "Fold and unfold; l in the list: live"], ["e", "Next error; in the list: only errors"], ["z f", "Zoom to the span, and to all"], ["c o", "Critical path, logs"], ["r", "Look again"], ["Esc", "Back"]],
};
