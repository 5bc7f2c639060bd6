// Traces: search (`#/traces`), and one as a waterfall (`#/traces/ID`).

import { rowKeys } from "../keys.js";
import { route } from "../router.js";
import * as list from "../tracesearch.js";
import * as fall from "../waterfall.js";

const one = () => route.parts.length > 0;
const rows = rowKeys(list.names, list.at, list.choose, list.open);
const names = new Set([...Object.keys(rows), ...Object.keys(list.keys), ...Object.keys(fall.keys)]);
const key = (name) => (event) => {
  const doing = (one() ? fall.keys : { ...rows, ...list.keys })[name];
  return doing ? doing(event) : false;
};

let top = 0; // how far the list was scrolled when one was opened

function view() {
  const main = document.getElementById("main");
  if (one()) {
    if (!fall.shown()) top = main?.scrollTop || 0;
    return fall.view();
  }
  if (fall.shown()) requestAnimationFrame(() => main.scrollTo(0, top));
  fall.end();
  return list.view();
}

export default {
  title: "Traces", icon: "traces", key: "r", order: 40,
  feeds: (at) => (at.parts.length ? [] : list.feeds(at.query)),
  view,
  leave: () => { fall.end(); list.reload(); },
  keys: Object.fromEntries([...names].map((name) => [name, key(name)])),
  help: [["j k", "Next and previous"], ["Enter", "Open; more of a span"], ["h l", "Fold and unfold; l in the list: live"], ["e", "Next error; in the list: only errors"], ["z f", "Zoom to the span, and to all"], ["c o", "Critical path, logs"], ["r", "Look again"], ["Esc", "Back"]],
};
