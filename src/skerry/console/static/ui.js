// The parts that pages are made of.

import { h } from "./dom.js";
import { age, since } from "./format.js";
import { icon } from "./icons.js";

const TONES = {
  ready: "good", external: "info", starting: "warn", stopping: "warn", backoff: "warn",
  unhealthy: "bad", crashed: "bad", stopped: "off",
  closed: "good", open: "bad", avoided: "warn", probing: "info",
  done: "good", running: "info", failed: "bad",
};

export const tone = (state) => TONES[state] || "off";

/** A state: a dot in its colour, and the word, for nobody sees every colour. */
export function state(word, text = word) {
  return h("span", { class: "state", data: { tone: tone(word) } }, h("i", { "aria-hidden": "true" }), text);
}

export const tag = (text, kind = "", title = null) => h("span", { class: `tag ${kind}`, title }, text);

export function button(label, onclick, { kind = "", name = "", title = "", disabled = false, key } = {}) {
  return h("button", { type: "button", class: `button ${kind} ${label ? "" : "square"}`, onclick, disabled, title: title || null, "aria-label": label ? null : title, key },
    name && icon(name), label && h("span", null, label));
}

/** Rates over time as a line, with what failed below it in red. */
export function sparkline(values, failed = [], { width = 96, height = 22, label = "" } = {}) {
  const n = values.length;
  const most = Math.max(...values, 0.000001);
  const x = (i) => ((i * width) / Math.max(1, n - 1)).toFixed(1);
  const y = (v) => (height - 1.5 - (v / most) * (height - 4)).toFixed(1);
  const line = (list) => list.map((v, i) => `${i ? "L" : "M"}${x(i)} ${y(v)}`).join("");
  const quiet = !values.some(Boolean);
  const fell = (list) => list.map((v, i) => (v || list[i - 1] || list[i + 1] ? `${i && (list[i - 1] || v) ? "L" : "M"}${x(i)} ${y(v)}` : "")).join("");
  return h("svg", { class: `spark ${quiet ? "quiet" : ""}`, viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label || "rate over two minutes", preserveAspectRatio: "none" },
    n > 1 && !quiet && [
      h("path", { class: "area", d: `${line(values)}L${width} ${height}L0 ${height}Z` }),
      h("path", { class: "line", d: line(values) }),
      failed.some(Boolean) && h("path", { class: "failed", d: fell(failed) }),
    ],
    (n < 2 || quiet) && h("path", { class: "line", d: `M0 ${height - 1.5}H${width}` }));
}

/** How long ago, kept up to date by whoever renders. */
export const ago = (moment) => h("time", { title: new Date(typeof moment === "number" ? moment * 1000 : moment).toLocaleString() }, age(since(moment)));

export function stat(name, value, unit = "", extra = null, kind = "") {
  return h("div", { class: `stat ${kind}` }, h("span", { class: "name" }, name),
    h("span", { class: "value" }, value, unit && h("small", null, unit)), extra);
}

/** A number with its unit apart, so that columns line up: "12.3 ms" is 12.3 and ms. */
export function measure(text) {
  const [number, ...unit] = text.split(" ");
  return [number, unit.length > 0 && h("small", null, ` ${unit.join(" ")}`)];
}

export function empty(title, detail, name = "fleet", ...more) {
  return h("div", { class: "empty" }, icon(name), h("strong", null, title), detail && h("p", null, detail), ...more);
}

export function notice(text, kind = "bad") {
  return h("div", { class: `notice ${kind}`, role: kind === "bad" ? "alert" : "status" }, text);
}

/** A search field; what is typed goes to `input` after a moment. */
export function search(value, input, { placeholder = "Filter", id = "filter", wide = false } = {}) {
  let timer;
  const typed = (event) => {
    clearTimeout(timer);
    const text = event.target.value;
    timer = setTimeout(() => input(text), 120);
  };
  const escaped = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    if (event.target.value) { event.target.value = ""; input(""); } else event.target.blur();
  };
  return h("label", { class: `search ${wide ? "wide" : ""}` }, icon("search"),
    h("input", { id, type: "search", autocomplete: "off", spellcheck: "false", placeholder, "aria-label": placeholder, oninput: typed, onkeydown: escaped, mount: (el) => { el.value = value; } }),
    h("kbd", { "aria-hidden": "true" }, "/"));
}

export function tabs(current, names, choose) {
  return h("div", { class: "tabs", role: "tablist" }, Object.entries(names).map(([name, label]) =>
    h("button", { key: name, type: "button", role: "tab", "aria-selected": String(name === current), onclick: () => choose(name) }, label)));
}

/** A column's head that sorts by it. `-name` is descending. */
export function sorter(name, label, sort, choose, kind = "") {
  const on = sort === name ? "ascending" : sort === `-${name}` ? "descending" : "none";
  return h("th", { scope: "col", class: kind, "aria-sort": on === "none" ? null : on },
    h("button", { type: "button", onclick: () => choose(sort === `-${name}` ? name : `-${name}`) }, label,
      h("span", { class: "arrow", "aria-hidden": "true" }, on === "none" ? "" : on === "ascending" ? "↑" : "↓")));
}

export function sorted(rows, sort, keys) {
  const name = sort.replace(/^-/, "");
  const key = keys[name];
  if (!key) return rows;
  const way = sort.startsWith("-") ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === y) return 0;
    if (x === null || x === undefined) return 1;
    if (y === null || y === undefined) return -1;
    return (x < y ? -1 : 1) * way;
  });
}

// -- what lies over the page -------------------------------------------------------------------

/** Ask before something is done. Resolves to the form's values, or null. */
export function confirm({ title, text, action, danger = false, fields = [] }) {
  return new Promise((resolve) => {
    const before = document.activeElement;
    const dialog = document.createElement("dialog");
    dialog.className = "dialog";
    dialog.setAttribute("aria-labelledby", "dialog-title");
    dialog.innerHTML = `<form method="dialog"><h2 id="dialog-title"></h2><p></p><div class="fields"></div>
      <footer><button value="no" type="button" class="button">Cancel</button>
      <button value="yes" class="button primary"></button></footer></form>`;
    dialog.querySelector("h2").textContent = title;
    dialog.querySelector("p").textContent = text;
    const yes = dialog.querySelector("[value=yes]");
    yes.textContent = action;
    yes.classList.toggle("danger", danger);
    for (const { name, label, value = "", type = "text", hint = "", ...more } of fields) {
      const field = document.createElement("label");
      field.textContent = label;
      const input = document.createElement("input");
      Object.assign(input, { name, type, value, ...more });
      field.append(input);
      if (hint) field.append(Object.assign(document.createElement("small"), { textContent: hint }));
      dialog.querySelector(".fields").append(field);
    }
    const end = (values) => {
      dialog.close();
      dialog.remove();
      before?.focus?.();
      resolve(values);
    };
    dialog.querySelector("[value=no]").onclick = () => end(null);
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); end(null); });
    dialog.querySelector("form").onsubmit = (event) => {
      event.preventDefault();
      end(Object.fromEntries(new FormData(event.target)));
    };
    document.body.append(dialog);
    dialog.showModal();
    (dialog.querySelector("input") || yes).focus();
  });
}

/** Say something for a few seconds, below on the right; `undo` takes back what was done. */
export function toast(text, kind = "good", undo = null) {
  let host = document.getElementById("toasts");
  if (!host) {
    host = Object.assign(document.createElement("div"), { id: "toasts" });
    host.setAttribute("role", "status");
    document.body.append(host);
  }
  const said = Object.assign(document.createElement("div"), { className: `toast ${kind}`, textContent: text });
  if (undo) {
    const back = Object.assign(document.createElement("button"), { type: "button", textContent: "Undo" });
    back.onclick = () => { said.remove(); undo(); };
    said.append(back);
  }
  host.append(said);
  setTimeout(() => said.remove(), kind === "bad" || undo ? 8000 : 4000);
}

/** Do something, and say how it went. */
export async function attempt(doing, said) {
  try {
    const result = await doing();
    if (said) toast(typeof said === "function" ? said(result) : said);
    return result;
  } catch (error) {
    toast(error.message, "bad");
    return undefined;
  }
}

export async function copy(text) {
  await attempt(() => navigator.clipboard.writeText(text), "Copied");
}

/** JSON with its words in colours; `value` is text or any value. */
export function json(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  const parts = text.split(/("(?:[^"\\]|\\.)*"(?:\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/);
  return h("pre", { class: "json", tabindex: "0" }, parts.map((part, i) => {
    if (i % 2 === 0) return part;
    const kind = part.endsWith(":") ? "key" : part[0] === '"' ? "text" : /^[tfn]/.test(part) ? "word" : "number";
    return h("span", { class: kind }, part);
  }));
}
