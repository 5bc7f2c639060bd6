// What the pages Errors and Alerts say of incidents in the same way, and what is done with them.

import { post } from "./api.js";
import { h } from "./dom.js";
import { count, several } from "./format.js";
import { docs } from "./live.js";
import { link } from "./router.js";
import { ago, attempt, tag, toast } from "./ui.js";

const NEW = 3600; // seconds for which an incident is new

/** What it is, in a word or two. */
export const titleOf = (one) => (one.kind === "unanswered" ? `${one.service} does not answer` : one.type);

/** The same, with the module of an exception less in sight than its name. */
export function heading(one) {
  const at = one.kind === "unanswered" ? -1 : one.type.lastIndexOf(".");
  return at < 0 ? titleOf(one) : [h("span", { class: "module" }, one.type.slice(0, at + 1)), one.type.slice(at + 1)];
}

/** Where an operation of an app is looked at. */
export const operationLink = (app, operation) => (app === "journeys" ? link("journeys", [operation]) : link("endpoints", [app, operation]));

/** An operation, with a link to it; what callers call it who got no answer is none of the app's. */
export const operationOf = (app, operation, unanswered) => (unanswered ? h("code", null, operation) : h("a", { href: operationLink(app, operation), class: "mono" }, operation));

/** Function and place of the app's own code where it happened. */
export function placeOf(one) {
  const [file, ...name] = one.where.split(" ");
  return { name: name.join(" "), file: one.line ? `${file}:${one.line}` : file };
}

/** The alert that goes on and names this incident; null for none. */
export const alertOf = (one) => (docs.troubles?.alerts || []).find((alert) => alert.incidents.includes(one.id)) || null;

const isNew = (one) => one.state === "open" && Date.now() / 1000 - one.first < NEW;

/** How it stands, in colours and words. */
export function tagsOf(one, whole = false) {
  const alert = alertOf(one);
  return [
    one.state === "regressed" && tag("regressed", "bad", "It was resolved, and has come back"),
    one.state === "resolved" && tag("resolved", "good"),
    isNew(one) && tag("new", "info", "First seen within the last hour"),
    whole && one.state === "open" && !isNew(one) && tag("open"),
    one.kind === "problem" && tag("declared", "", "An answer that the contract declares"),
    one.kind === "unanswered" && tag(one.type, "warn", "What the caller got instead of an answer"),
    one.handled >= one.count ? tag("handled", "", "Each was made good: nobody’s request failed of it") : whole && one.handled > 0 && tag(`${count(one.handled)} handled`, "", "So many hurt nobody’s request"),
    alert && h("a", { class: `tag ${alert.severity === "page" ? "bad" : "warn"}`, href: link("alerts", [alert.id]), title: alert.summary }, alert.severity === "page" ? "pages" : "ticket"),
  ];
}

/** Failures over time as bars; `marks` are `{at, text}`, with `at` from 0 to 1. */
export function bars(values, { width = 150, height = 26, label, each = "", marks = [] }) {
  const most = Math.max(1, ...values);
  const step = width / values.length;
  return h("svg", { class: "bars", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, preserveAspectRatio: "none" },
    h("path", { class: "ground", d: `M0 ${height - 0.5}H${width}` }),
    values.map((n, i) => {
      const tall = n ? Math.max(2, (n / most) * (height - 2)) : 0;
      return n > 0 && h("rect", { key: i, x: (i * step + 0.25).toFixed(2), y: (height - tall).toFixed(2), width: Math.max(0.8, step - 0.9).toFixed(2), height: tall.toFixed(2) }, each && h("title", null, `${several(n, "failure")}, ${each(i)}`));
    }),
    marks.map((one) => h("path", { key: one.text, class: "mark-at", d: `M${(one.at * width).toFixed(1)} 0V${height}` }, h("title", null, one.text))));
}

export const lastHour = (one, size = {}) => bars(one.sparkline, { ...size, label: `${several(one.sparkline.reduce((a, b) => a + b, 0), "failure")} in the last hour` });

/** Whose it is: the team, or the owner. */
export function ownerOf(one) {
  return one.team || one.owner ? h("span", { class: "owner", title: one.owner || null }, one.team || whom(one.owner)) : null;
}

/** An address in few letters: the host of a webhook. */
export function whom(owner) {
  if (!owner) return "nobody";
  return owner.includes("://") ? owner.replace(/^\w+:\/\/(?:[^@/]*@)?/, "").split(/[/?]/)[0] : owner;
}

/** A time gone by, in one unit: columns of it line up, and do not change all the time. */
export function roughly(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  return s < 60 ? `${s}s` : s < 3600 ? `${Math.floor(s / 60)}m` : s < 172800 ? `${Math.floor(s / 3600)}h` : `${Math.floor(s / 86400)}d`;
}

export const when = (seconds) => [ago(seconds), " ago"];

/** Resolve incidents, or reopen them, and offer to take that back.
 *  @param verb `resolve` or `reopen` @param next whether the releases they were seen in may have them */
export async function settle(verb, ids, next = false) {
  if (!ids.length) return false;
  const body = { ids, ...(verb === "resolve" ? { by_next_release: next } : {}) };
  const said = await attempt(() => post(`/api/incidents/${verb}`, body));
  if (!said) return false;
  const { done, unknown } = said;
  const what = verb === "reopen" ? "reopened" : next ? "resolved by the next release" : "resolved";
  const back = verb === "reopen" ? "resolve" : "reopen";
  if (done.length) toast(`${several(done.length, "incident")} ${what}`, "good", () => void settle(back, done));
  if (unknown.length) toast(`${several(unknown.length, "incident")} are not known any more`, "bad");
  return true;
}
