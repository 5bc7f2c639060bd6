// Runs of a journey: as bars, step by step, and what failed and why.

import { get, post, url } from "./api.js";
import { h } from "./dom.js";
import { ms } from "./format.js";
import { icon } from "./icons.js";
import { docs } from "./live.js";
import { go, link, route } from "./router.js";
import { ago, attempt, measure, notice, state, toast } from "./ui.js";
import { update } from "./update.js";

const asked = new Set(); // journeys that somebody here waits for
const runs = {}; // runs that were looked at; what has ended does not change
const KEPT = 200;

export const isRunning = (one) => !!one.running || asked.has(one.name);

export async function runNow(name) {
  if (asked.has(name)) return;
  asked.add(name);
  update();
  const result = await attempt(() => post(url`/api/journeys/${name}/runs`));
  asked.delete(name);
  if (result) {
    runs[result.run] = result;
    toast(result.ok ? `${name} passes, in ${ms(result.duration * 1000)}` : `${name} fails at “${result.error.step || "its start"}”`, result.ok ? "good" : "bad");
    if (route.page === "journeys" && route.parts[0] === name && route.parts[1]) go(link("journeys", [name, result.run]), true);
  }
  update();
}

/** One bar for each run, oldest first: its colour says how it ended, its height how long it took. */
export function strip(name, marks, at = "") {
  const longest = Math.max(...marks.map((mark) => mark.duration), 0.001);
  return h("div", { class: "strip", role: "list", "aria-label": `Last runs of ${name}` }, marks.map((mark) => {
    const said = `${mark.ok ? "passed" : "failed"} in ${ms(mark.duration * 1000)}, ${new Date(mark.started).toLocaleString()}`;
    return h("a", { key: mark.run, role: "listitem", class: mark.ok ? "good" : "bad", href: link("journeys", [name, mark.run]), title: said, "aria-label": said, "aria-current": mark.run === at ? "true" : null }, h("i", { style: { "--part": (0.25 + (0.75 * mark.duration) / longest).toFixed(3) } }));
  }));
}

/** The run that the address names, else the newest. */
export const chosenRun = (one) => route.parts[1] || one.last?.run || "";

function wanted(one) {
  const id = chosenRun(one);
  if (one.last?.run === id) return one.last;
  if (!(id in runs)) {
    runs[id] = null; // on its way
    const old = Object.keys(runs);
    if (old.length > KEPT) delete runs[old[0]];
    get(url`/api/journeys/${one.name}/runs/${id}`).then((run) => { runs[id] = run; }, (error) => { runs[id] = { trouble: error.message }; }).finally(update);
  }
  return runs[id];
}

/** Steps below each other, each where it was in time. */
function steps(list, whole, known = "") {
  const most = Math.max(whole, 0.001);
  return h("ol", { class: "steps" }, list.map((step, i) => {
    const [left, width] = [Math.min(100, (100 * step.at) / most), Math.min(100, (100 * step.ms) / most)];
    return h("li", { key: `${i} ${step.name}`, class: `${step.state} ${step.slow ? "slow" : ""}`, style: { "--depth": step.depth } },
      h("span", { class: "step" }, h("span", { class: "mark", "aria-label": { ok: "passed", failed: "failed", open: "running" }[step.state] }, { ok: "✓", failed: "✗", open: "…" }[step.state]), step.name, step.slow && h("span", { class: "tag warn" }, "slow")),
      h("span", { class: "track", "aria-hidden": "true" }, h("i", { style: { left: `${left.toFixed(2)}%`, width: `${Math.min(width, 100 - left).toFixed(2)}%` } })),
      h("span", { class: "took" }, measure(ms(step.ms))),
      step.error && step.error !== known && h("p", { class: "said" }, step.error));
  }));
}

export function liveCard(one) {
  const live = one.running;
  const list = live?.steps || [];
  const whole = Math.max((one.p95 || 0) * 1000, ...list.map((step) => step.at + step.ms));
  return h("section", { class: "card run live", key: "live", role: "status" }, h("div", { class: "run-head" }, h("h2", null, "Running now"), live && h("span", { class: "quiet" }, "begun ", ago(live.started), " ago")),
    list.length ? steps(list, whole) : h("p", { class: "quiet" }, "Getting what it asks for…"));
}

/** An assertion as explain.py tells it: what was asserted, and the values in it, each in a line. */
function explained(text) {
  const [asserted, values] = text.startsWith("assert ") ? text.split(/, where (?=[^]*\bis\b)/) : [text];
  return [h("pre", { class: "why-text" }, asserted), values && h("ul", { class: "values" }, values.split(/ and (?=[\w.[\]"'()]+ is )/).map((value) => {
    const at = value.indexOf(" is ");
    return h("li", { key: value }, h("code", null, value.slice(0, at)), " is ", h("code", { class: "value" }, value.slice(at + 4)));
  }))];
}

function failure(error) {
  return h("div", { class: "failure", role: "alert" }, h("p", { class: "first" }, h("strong", null, error.type), error.step && [" in ", h("strong", null, `“${error.step}”`)], error.where && h("code", null, error.where)),
    explained(error.message), error.stack && h("details", null, h("summary", null, "Stack"), h("pre", { class: "frame", tabindex: "0" }, error.stack)));
}

function shots(one, run) {
  return h("div", { class: "shots" }, run.screenshots.map((shot) => {
    const place = url`/api/journeys/${one.name}/runs/${run.run}/screenshots/${shot.file}`;
    return h("figure", { key: shot.file }, h("a", { href: place, target: "_blank", rel: "noopener" }, h("img", { src: place, alt: `${shot.name}: what the browser showed`, loading: "lazy" })), h("figcaption", null, h("strong", null, shot.name), shot.step && ` in “${shot.step}”`));
  }));
}

export function runCard(one) {
  if (!chosenRun(one)) return null;
  const run = wanted(one);
  const key = `run ${chosenRun(one)}`;
  if (!run) return h("section", { class: "card run", key }, h("p", { class: "quiet" }, "Looking…"));
  if (run.trouble) return h("section", { class: "card run", key }, notice(run.trouble));
  const told = run.steps.map((step) => ({ ...step, state: step.ok ? "ok" : "failed" }));
  return h("section", { class: `card run ${run.ok ? "" : "failed"}`, key },
    h("div", { class: "run-head" }, h("h2", null, run.run === one.last?.run ? "Last run" : "Run"), run.ok ? state("ready", "passed") : state("failed", "failed"), h("strong", null, measure(ms(run.duration * 1000))),
      h("span", { class: "quiet" }, new Date(run.started).toLocaleString(), ", ", ago(run.started), " ago"), h("span", { class: "grow" }), h("code", { class: "quiet id" }, run.run),
      docs.fleet?.collector && h("a", { class: "button small", href: link("traces", [run.trace]) }, icon("traces"), h("span", null, "Trace"))),
    run.error && failure(run.error),
    told.length ? steps(told, run.duration * 1000, run.error?.message) : h("p", { class: "quiet" }, "It has no steps."),
    run.screenshots.length > 0 && shots(one, run));
}

/** Runs one below the other, newest first. */
export function history(one) {
  if (!one.history.length) return null;
  return h("section", { class: "card flush", key: "history" }, h("div", { class: "scroll" }, h("table", { class: "table history" },
    h("thead", null, h("tr", null, ["Run", "Started", "Took", "What failed", "Trace"].map((head) => h("th", { key: head, scope: "col", class: { Took: "num", "What failed": "failed-of", Trace: "trace-of" }[head] }, head)))),
    h("tbody", null, one.history.map((run) => h("tr", { key: run.run, class: `row ${run.run === chosenRun(one) ? "chosen" : ""}`, data: { row: run.run }, onclick: (event) => { if (!event.target.closest("a")) go(link("journeys", [one.name, run.run]), true); } },
      h("td", null, h("a", { class: "plain", href: link("journeys", [one.name, run.run]) }, run.ok ? state("ready", "passed") : state("failed", "failed"))),
      h("td", null, ago(run.started), " ago"), h("td", { class: "num" }, measure(ms(run.duration * 1000))),
      h("td", { class: "failed-of", title: run.message }, run.step && h("strong", null, run.step), run.message && ` ${run.message.split("\n")[0]}`),
      h("td", { class: "mono trace-of" }, docs.fleet?.collector ? h("a", { href: link("traces", [run.trace]) }, run.trace.slice(0, 8)) : run.trace.slice(0, 8))))))));
}
