// What apps have promised of their endpoints, and how that stands.

import { h } from "./dom.js";
import { count, ms } from "./format.js";
import { link } from "./router.js";
import { tag } from "./ui.js";

/** How many times too fast a budget may go in each window before somebody hears of it: as docs/errors.md says. */
export const LIMITS = { "10s": 144, "1h": 14.4, "6h": 6, "3d": 1 };
const DANGER = ["page", "ticket", null];

/** `99.9 % answered`, `99 % in 500 ms`. */
export const promise = (one) => (one.latency === null ? `${one.target} % answered` : `${one.target} % in ${round(ms(one.latency * 1000))}`);

const round = (text) => text.replace(/\.0+ /, " ");

/** What is promised of an endpoint itself; of its app, where there is nothing. */
export function promisesOf(app, name, all) {
  const own = all.filter((one) => one.app.toLowerCase() === app);
  const named = own.filter((one) => one.endpoint.toLowerCase() === name.toLowerCase());
  return named.length ? named : own.filter((one) => !one.endpoint);
}

/** The one in the greatest danger; undefined of none. */
export const worst = (some) => [...some].sort((a, b) => DANGER.indexOf(a.burning) - DANGER.indexOf(b.burning) || a.left - b.left)[0];

const CALLED = { page: ["pages", "bad"], ticket: ["ticket", "warn"] };

/** How it stands, as a tag; paler where it is a promise of the whole app. */
export function standingOf(one) {
  if (!one) return h("span", { class: "quiet" }, "–");
  const whole = one.endpoint ? "" : " whole";
  const of = `${promise(one)}${one.endpoint ? "" : `, of all that ${one.app} does`}; ${left(one)}`;
  const [text, kind] = CALLED[one.burning] || (one.left < 0 ? ["overdrawn", "bad"] : [`${Math.floor(100 * one.left)} % left`, one.left < 0.25 ? "warn" : "kept"]);
  return tag(text, kind + whole, of);
}

const left = (one) => (one.left < 0 ? "its budget is overdrawn" : `${Math.floor(100 * one.left)} % of its budget are left`);

const share = (value) => `${(Math.floor(value * 1000) / 1000).toLocaleString("en-US", { maximumFractionDigits: 3 })} %`;

/** How many times as fast as it may the budget goes. */
const times = (rate) => `${rate >= 100 ? count(Math.round(rate)) : Math.round(rate * 10) / 10}×`;

/** Rows of windows: what was measured, and how fast the budget went. */
function windows(one) {
  const measured = Object.entries(one.burn).map(([span, rate]) => [span, 100 - rate * (100 - one.target), rate, LIMITS[span]]);
  return h("table", { class: "table windows" },
    h("thead", null, h("tr", null, [["Last", ""], ["Measured", "num"], ["Burns", "num"], ["Calls at", "num"]].map(([text, kind]) => h("th", { key: text, scope: "col", class: kind }, text)))),
    h("tbody", null,
      measured.map(([span, good, rate, limit]) => h("tr", { key: span, class: limit && rate >= limit ? "hot" : "" },
        h("td", null, span), h("td", { class: `num ${good < one.target ? "bad" : ""}` }, share(good)), h("td", { class: "num" }, times(rate)), h("td", { class: "num quiet" }, limit ? times(limit) : "–"))),
      h("tr", { key: "30d" }, h("td", null, "30d"), h("td", { class: `num ${one.good !== null && one.good < one.target ? "bad" : ""}` }, one.good === null ? "–" : share(one.good)),
        h("td", { class: "num" }, times(1 - one.left)), h("td", { class: "num quiet" }, "–"))));
}

/** How many more may fail, or how many too many have. */
function rest(one) {
  const allowed = one.total * (1 - one.target / 100);
  const more = Math.floor(allowed - one.bad);
  const bad = one.measure === "latency" ? "slow" : "failed";
  const so = `${count(one.bad)} of ${count(one.total)} in thirty days ${bad}`;
  return one.left < 0 ? `${so}: ${count(-more)} too many` : `${so}: ${more > 0 ? `${count(more)} more may` : "no more may"}`;
}

/** One promise with all that is known of it. `alerts` are those that go on. */
export function promised(one, alerts) {
  const about = alerts.filter((alert) => [...alert.causes, ...alert.victims].some((broken) => broken.app === one.app && broken.endpoint === one.endpoint && broken.measure === one.measure));
  return h("article", { class: `promised ${one.left < 0 || one.burning === "page" ? "broken" : ""}`, key: `${one.endpoint} ${one.measure}` },
    h("header", null, h("strong", null, promise(one)), !one.endpoint && h("small", null, `of all that ${one.app} does`), h("span", { class: "grow" }),
      about.map((alert) => h("a", { key: alert.id, class: `tag ${alert.severity === "page" ? "bad" : "warn"}`, href: link("alerts", [alert.id]), title: alert.summary }, alert.causes.some((cause) => cause.app === one.app && cause.endpoint === one.endpoint) ? (alert.severity === "page" ? "pages" : "ticket") : `suffers of ${alert.app}`))),
    h("div", { class: `budget-of ${one.left < 0 ? "over" : one.left < 0.25 ? "low" : ""}`, role: "meter", "aria-label": "Budget left", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(Math.max(0, Math.floor(100 * one.left))) },
      h("i", { style: { "--part": Math.max(0, Math.min(1, one.left)).toFixed(3) } }), h("b", null, one.left < 0 ? "overdrawn" : `${Math.floor(100 * one.left)} % left`)),
    h("p", { class: "quiet" }, rest(one)),
    windows(one));
}
