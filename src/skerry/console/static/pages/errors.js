// Errors: what is wrong, each trouble once (`#/errors`), and one of them (`#/errors/ID`).

import { count, several } from "../format.js";
import * as one from "../incident.js";
import * as list from "../incidentlist.js";
import { titleOf } from "../incidents.js";
import { rowKeys } from "../keys.js";
import { go, link, route } from "../router.js";

const single = () => route.parts.length > 0;
const rows = rowKeys(list.names, list.at, list.choose, list.open);
const listKeys = {
  ...rows, r: () => void list.act(), n: () => void list.act(true), x: () => list.mark(list.at()), p: list.flipProblems, Escape: list.clear,
};
const oneKeys = {
  r: () => void one.act(), n: () => void one.act(true), c: () => one.copyAs(), j: () => one.step(list.names(), 1), k: () => one.step(list.names(), -1),
  Escape: () => { list.choose(one.shown()?.id || ""); one.leave(); go(link("errors", [], route.query)); },
};
const key = (name) => (event) => {
  const doing = (single() ? oneKeys : listKeys)[name];
  return doing ? doing(event) : false;
};

let top = 0; // how far the list was scrolled when one was opened
let was = false;

function view() {
  const main = document.getElementById("main");
  if (single() !== was) {
    if (single()) top = main?.scrollTop || 0;
    requestAnimationFrame(() => main?.scrollTo(0, single() ? 0 : top));
    was = single();
  }
  return single() ? one.view() : list.view();
}

export default {
  title: "Errors", icon: "errors", key: "e", order: 42, always: ["troubles"],
  feeds: () => (single() ? [list.feed(), one.feed()] : [list.feed()]),
  view,
  leave: () => { one.leave(); was = false; },
  badge: ({ troubles }) => {
    const open = troubles ? troubles.open + troubles.regressed : 0;
    return open ? { text: count(open), tone: troubles.regressed ? "bad" : "warn", title: `${several(open, "incident")} unresolved${troubles.regressed ? `, ${troubles.regressed} regressed` : ""}` } : null;
  },
  commands: () => list.rows().slice(0, 50).map((row) => ({ kind: "Error", icon: "errors", label: titleOf(row), more: row.service, hash: link("errors", [row.id]) })),
  keys: Object.fromEntries([...new Set([...Object.keys(listKeys), ...Object.keys(oneKeys)])].map((name) => [name, key(name)])),
  help: [["j k", "Next and previous"], ["Enter", "Open it"], ["r", "Resolve, or reopen"], ["n", "Resolve by the next release"], ["x", "Choose it, for doing many at once"], ["p", "Declared problems too"], ["c", "Copy as Markdown"], ["Esc", "Back"]],
};
