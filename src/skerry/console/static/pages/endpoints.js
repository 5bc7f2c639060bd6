// Endpoints: how often, how well and how fast each answers (`#/endpoints`), those of an app
// (`#/endpoints/APP`), and one of them (`#/endpoints/APP/OPERATION`).

import * as one from "../endpoint.js";
import * as list from "../endpointlist.js";
import { titleOf, turn } from "../endpoints.js";
import { rowKeys } from "../keys.js";
import { go, link, route } from "../router.js";

const charted = () => route.parts.length > 0; // an app, or one of its endpoints
const single = () => route.parts.length > 1;
const rows = rowKeys(list.names, list.at, list.choose, list.open);

/** Out of an endpoint to its app, out of an app to all. */
function up() {
  if (charted() && one.steered("Escape")) return true;
  if (!charted()) return list.choose("");
  go(link("endpoints", route.parts.slice(0, -1), { since: route.query.since }));
  return true;
}

const inList = (name) => (event) => (single() ? name === "Enter" && one.steered("Enter") : rows[name](event));
const steering = (event) => charted() && one.steered(event.key);

export default {
  title: "Endpoints", icon: "endpoints", key: "p", order: 43,
  feeds: () => (charted() ? one.feeds() : [list.asked()]),
  view: () => (charted() ? one.view() : list.view()),
  leave: () => { one.leave(); list.choose(""); },
  commands: () => list.rows().slice(0, 200).map((each) => ({ kind: "Endpoint", icon: "endpoints", label: titleOf(each), more: each.service, hash: list.address(each) })),
  keys: { ...Object.fromEntries(Object.keys(rows).map((name) => [name, inList(name)])), ArrowLeft: steering, ArrowRight: steering, Home: steering, End: steering, Escape: up, w: turn },
  help: [["j k", "Next and previous"], ["Enter", "Open it, or the trace at the crosshair"], ["← →", "Along the charts"], ["w", "Another time"], ["Esc", "Back"]],
};
