// Bus: what waits for whom, what is dead, and what is to become of it.

import { del, post, url } from "../api.js";
import { h } from "../dom.js";
import { count, rate, several } from "../format.js";
import { rowKeys } from "../keys.js";
import { editor, letterDetail, reasonOf } from "../letters.js";
import { docs, trouble } from "../live.js";
import { amend, go, link, route } from "../router.js";
import { ago, attempt, button, confirm, empty, notice, search, sorted, sorter, tabs, tag, toast } from "../ui.js";
import { update } from "../update.js";

const FIELDS = /^(reason|error|stack|body|id|key|source|topic|version)[~=]/;
const KEYS = {
  name: (q) => q.subscription, ready: (q) => q.ready, delayed: (q) => q.delayed, leased: (q) => q.leased, dead: (q) => q.dead,
  oldest: (q) => (q.oldest ? Date.parse(q.oldest) : null), rate: (q) => q.recent?.per_second ?? null,
};
const marked = new Set(); // ids of dead letters that are chosen

const subscription = () => route.parts[0] || "";
const tab = () => route.query.tab || "dead";
const where = () => { const q = (route.query.q || "").trim(); return !q ? "" : FIELDS.test(q) ? q : `reason~${q}`; };
const letterFeed = () => `dead:${encodeURIComponent(subscription())}${where() ? `?${encodeURIComponent(where())}` : ""}`;
const waitingFeed = () => `waiting:${encodeURIComponent(subscription())}`;

function queues() {
  const recent = Object.fromEntries((docs.bus?.handlers || []).map((one) => [one.subscription, one.recent]));
  const found = (docs.bus?.queues || []).map((one) => ({ ...one, recent: recent[one.subscription] }));
  return sorted(found, route.query.sort || "-dead", KEYS);
}

function choose(name) {
  marked.clear();
  editor.close();
  go(link("bus", name === subscription() ? [] : [name], { sort: route.query.sort }));
}

function overview() {
  const sort = route.query.sort || "-dead";
  const by = (name) => amend({ sort: name === "-dead" ? "" : name });
  const number = (value, kind = "") => h("td", { class: `num ${value ? kind : "zero"}` }, count(value));
  return h("section", { class: "card flush queues", key: "queues" }, h("div", { class: "scroll" }, h("table", { class: "table" },
    h("thead", null, h("tr", null, sorter("name", "Subscription", sort, by), h("th", { scope: "col" }, "Topics"), sorter("ready", "Ready", sort, by, "num"), sorter("delayed", "Delayed", sort, by, "num"),
      sorter("leased", "Leased", sort, by, "num"), sorter("dead", "Dead", sort, by, "num"), sorter("oldest", "Oldest", sort, by, "num"), sorter("rate", "Handled", sort, by, "num"), h("th", { scope: "col", class: "num" }, "Consumers"))),
    h("tbody", null, queues().map((one) => h("tr", { key: one.subscription, class: `row ${one.subscription === subscription() ? "chosen" : ""}`, data: { row: one.subscription }, onclick: (event) => { if (!event.target.closest("a")) choose(one.subscription); } },
      h("td", { class: "name" }, h("a", { href: link("bus", [one.subscription], { sort: route.query.sort }), "aria-current": one.subscription === subscription() ? "true" : null }, h("strong", null, one.subscription))),
      h("td", { class: "mono" }, one.topics.join(" ")), number(one.ready), number(one.delayed), number(one.leased), number(one.dead, "bad"),
      h("td", { class: "num" }, one.oldest ? ago(one.oldest) : "–"),
      h("td", { class: "num" }, one.recent ? [rate(one.recent.per_second), h("small", null, " /s")] : "–"),
      h("td", { class: `num ${one.consumers === 0 ? "warn" : ""}` }, count(one.consumers))))))));
}

function jobs() {
  const shown = (docs.bus?.jobs || []).filter((job) => job.state === "running" || Date.now() / 1000 - job.began < 60);
  return shown.map((job) => h("div", { class: `job notice ${job.state === "failed" ? "bad" : "info"}`, key: `job ${job.number}` },
    h("span", null, job.state === "running" ? "Redriving" : job.state === "done" ? "Redriven" : job.state === "failed" ? "Redriving failed" : "Redriving stopped", " ", h("strong", null, job.subscription), job.rate && ` at ${job.rate}`),
    h("progress", { max: String(job.whole), value: job.done, "aria-label": "Progress" }), h("span", null, `${count(job.done)} of ${count(job.whole)}`), job.detail && h("span", null, job.detail),
    job.state === "running" && button("Stop", () => attempt(() => del(`/api/bus/jobs/${job.number}`)), { kind: "small" })));
}

const path = () => url`/api/bus/queues/${subscription()}/`;

async function redrive(chosen, what, most) {
  const said = await confirm({
    title: `Redrive ${what}?`, text: `They are delivered to ${subscription()} again, with no attempts counted.`, action: "Redrive",
    fields: most > 1 ? [{ name: "rate", label: "At most", placeholder: "as fast as it goes", hint: "like 10/s or 100/m", pattern: "\\d+(\\.\\d+)?/[smh]" }] : [],
  });
  if (!said) return;
  const done = await attempt(() => post(`${path()}redrive`, { ...chosen, rate: said.rate || "" }));
  if (!done) return;
  toast(done.done ? `${several(done.done, "letter")} redriven` : "Redriving has begun");
  marked.clear();
  update();
}

async function purge(dead, n) {
  const what = several(n, dead ? "dead letter" : "message");
  if (!await confirm({ title: `Delete ${what}?`, text: `All ${dead ? "dead letters" : "messages that wait"} of ${subscription()} are deleted for good.`, action: "Delete for good", danger: true })) return;
  await attempt(() => post(`${path()}purge`, { dead, count: Math.min(n, 1) }), (said) => `${several(said.deleted, "message")} deleted`);
}

function deadTools(found) {
  const matching = found?.matching ?? 0;
  const whole = found?.dead ?? 0;
  return [
    search(route.query.q || "", (q) => amend({ q, letter: "" }), { placeholder: "Reason, or body~text, key=text", wide: true }),
    h("span", { class: "grow" }),
    marked.size > 0 && button(`Redrive ${marked.size} chosen`, () => redrive({ ids: [...marked] }, several(marked.size, "dead letter"), marked.size), { kind: "primary", key: "some" }),
    where()
      ? button(`Redrive ${count(matching)} that fit`, () => redrive({ where: [where()] }, `the ${several(matching, "dead letter")} that fit`, matching), { name: "restart", disabled: !matching, key: "fit" })
      : button("Redrive all", () => redrive({ everything: true }, several(whole, "dead letter"), whole), { name: "restart", disabled: !whole, key: "all" }),
    button("Purge", () => purge(true, whole), { name: "trash", kind: "danger", disabled: !whole, key: "purge" }),
  ];
}

function mark(id) {
  if (!marked.delete(id)) marked.add(id);
  update();
}

function deadList(found) {
  if (trouble[letterFeed()]) return notice(trouble[letterFeed()]);
  if (!found) return h("p", { class: "quiet pad" }, "Looking…");
  if (!found.letters.length) return empty(found.dead ? "No dead letter fits" : "No dead letters", found.dead ? `${several(found.dead, "dead letter")} of this subscription say something else.` : "Everything that came was handled, or is still tried.", "bus");
  const all = found.letters.every((one) => marked.has(one.id));
  const chosen = found.letters.find((one) => one.id === route.query.letter);
  return h("div", { class: "split" },
    h("div", { class: "list", key: "list" },
      h("label", { class: "pick-all" }, h("input", { type: "checkbox", checked: all, onchange: () => { for (const one of found.letters) all ? marked.delete(one.id) : marked.add(one.id); update(); } }), ` ${several(found.matching, "letter")}${found.letters.length < found.matching ? `, the oldest ${found.letters.length} shown` : ""}`),
      h("ul", null, found.letters.map((one) => h("li", { key: one.id, class: one === chosen ? "chosen" : "", data: { row: one.id } },
        h("input", { type: "checkbox", "aria-label": `Choose ${one.id}`, checked: marked.has(one.id), onchange: () => mark(one.id) }),
        h("button", { type: "button", class: "plain", "aria-current": one === chosen ? "true" : null, onclick: () => amend({ letter: one.id }) },
          h("span", { class: "first" }, h("strong", null, one.error || "Dead"), h("span", { class: "when" }, ago(one.died))),
          h("span", { class: "reason" }, reasonOf(one)),
          h("span", { class: "last" }, h("code", null, one.topic), one.key && h("span", null, `key ${one.key}`), h("span", null, several(one.attempts, "attempt")))))))),
    chosen ? letterDetail(chosen, { redrive: (bodies) => redrive({ ids: [chosen.id], bodies }, "this letter", 1) }) : h("div", { class: "detail none", key: "none" }, empty("Choose a letter", "Its body, its error and its stack are shown here.", "bus")));
}

function waitingList() {
  const name = waitingFeed();
  if (trouble[name]) return notice(trouble[name]);
  const found = docs[name];
  if (!found) return h("p", { class: "quiet pad" }, "Looking…");
  if (!found.length) return empty("Nothing waits", "Whatever was published has been handled, or is out with a handler.", "bus");
  const chosen = found.find((one) => one.id === route.query.letter);
  return h("div", { class: "split" }, h("div", { class: "list", key: "list" }, h("ul", null, found.map((one) => h("li", { key: one.id, class: one === chosen ? "chosen" : "" },
    h("button", { type: "button", class: "plain", onclick: () => amend({ letter: one.id }) }, h("span", { class: "first" }, h("strong", null, one.topic), h("span", { class: "when" }, ago(one.time))), h("span", { class: "reason mono" }, JSON.stringify(one.body)), h("span", { class: "last" }, one.key && h("span", null, `key ${one.key}`), one.source && h("span", null, `from ${one.source}`))))))),
  chosen ? letterDetail(chosen, {}) : h("div", { class: "detail none", key: "none" }, empty("Choose a message", "It stays where it is.", "bus")));
}

function panel() {
  const one = (docs.bus?.queues || []).find((queue) => queue.subscription === subscription());
  if (!subscription()) return h("section", { class: "card panel", key: "panel" }, empty("Choose a subscription", "What waits for it and what has died of it is shown here. j and k walk, Enter opens.", "bus"));
  if (!one) return h("section", { class: "card panel", key: "panel" }, empty("There is no such subscription", subscription(), "bus"));
  const found = docs[letterFeed()];
  const waits = one.ready + one.delayed;
  return h("section", { class: "card flush panel", key: "panel" },
    h("div", { class: "panel-head" }, h("h2", null, one.subscription), one.topics.map((topic) => h("span", { key: topic }, tag(topic))),
      tabs(tab(), { dead: `Dead letters ${count(one.dead)}`, waiting: `Waiting ${count(waits)}` }, (name) => { marked.clear(); editor.close(); amend({ tab: name === "dead" ? "" : name, letter: "", q: "" }); })),
    h("div", { class: "panel-tools", key: `tools ${tab()} ${one.subscription}` }, tab() === "dead" ? deadTools(found) : [h("span", { class: "grow quiet" }, "The oldest first; they stay where they are."), button("Purge", () => purge(false, waits), { name: "trash", kind: "danger", disabled: !waits })]),
    tab() === "dead" ? deadList(found) : waitingList());
}

function view() {
  if (!docs.bus) return trouble.bus ? [h("div", { class: "headline" }, h("h1", null, "Bus")), h("section", { class: "card" }, empty("No bus", trouble.bus, "bus"))] : empty("Looking", "Asking the bus what lies on it.", "bus");
  const all = docs.bus.queues;
  const total = (key) => all.reduce((n, one) => n + one[key], 0);
  return [
    h("div", { class: "headline", key: "headline" }, h("h1", null, "Bus"), h("p", null, `${several(all.length, "subscription")}, ${several(total("ready") + total("delayed"), "message")} waiting, ${several(total("dead"), "dead letter")}`),
      h("div", { class: "tools" }, h("code", { class: "quiet", title: "Where it is" }, docs.bus.url))),
    trouble.bus && notice(trouble.bus), jobs(), overview(), panel(),
  ];
}

const inLetters = () => tab() === "dead" && route.query.letter;
const letters = () => (docs[letterFeed()]?.letters || []).map((one) => one.id);
const rows = rowKeys(() => (inLetters() ? letters() : queues().map((one) => one.subscription)), () => (inLetters() ? route.query.letter : subscription()),
  (name) => (inLetters() ? amend({ letter: name }) : go(link("bus", [name], { sort: route.query.sort }), true)),
  () => { if (!route.query.letter && letters().length) amend({ letter: letters()[0] }); });

export default {
  title: "Bus", icon: "bus", key: "b", order: 50, view, always: ["deaths"],
  feeds: () => ["bus", ...(subscription() ? [tab() === "dead" ? letterFeed() : waitingFeed()] : [])],
  badge: ({ deaths }) => (deaths ? { text: count(deaths), tone: "warn", title: several(deaths, "dead letter") } : null),
  commands: ({ bus }) => (bus?.queues || []).map((one) => ({ kind: "Subscription", icon: "bus", label: one.subscription, hash: link("bus", [one.subscription]) })),
  leave: () => { marked.clear(); editor.close(); },
  keys: {
    ...rows, x: () => (inLetters() ? mark(route.query.letter) : false),
    Escape: () => { if (editor.open) editor.close(); else if (route.query.letter) amend({ letter: "" }); else if (subscription()) go(link("bus", [], { sort: route.query.sort })); else return false; return true; },
  },
  help: [["j k", "Next and previous"], ["Enter", "Into the dead letters"], ["x", "Choose a letter"], ["Esc", "Back"]],
};

