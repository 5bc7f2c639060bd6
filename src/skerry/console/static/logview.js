// Lines of logs: thousands of them, of which only those in sight are elements.

import { h } from "./dom.js";
import { clock, hue } from "./format.js";
import { link } from "./router.js";

export const ROW = 20; // pixels
const KEPT = 20000;

/** The app that a source belongs to: `quotes-2` is of quotes. */
export const appOf = (source) => source.replace(/[-.]\d+$/, "");

const LEVELS = [[/\b(error|critical|fatal|traceback|exception)\b|^\s*[\w.]+(Error|Exception)\b/i, "bad"], [/\b(warn|warning)\b/i, "warn"]];

const KNOWN = { critical: "bad", error: "bad", warning: "warn", info: "", debug: "" };

/** How bad a line is: by its level, or what it sounds like where it tells none. */
export function level({ level: told, text }) {
  if (told in KNOWN) return KNOWN[told];
  for (const [pattern, kind] of LEVELS) if (pattern.test(text)) return kind;
  return "";
}

// What terminals would take for colours.
export const plain = (text) => text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, "");

const STACKS = ["exception", "exc_info", "stack_trace", "stacktrace", "stack"];

/** The stack that a line was logged with; empty for none. */
export const stackOf = (line) => STACKS.map((name) => line.fields?.[name]).find((text) => typeof text === "string" && text) || "";

/** What else it says, but for stacks: pairs of name and text. */
export const fieldsOf = (line) => Object.entries(line.fields || {}).filter(([name]) => !STACKS.includes(name)).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);

const oneLine = (text) => plain(text).replace(/\s*\n\s*/g, " ↵ ");

/** A row; `choose(line)` where it can be chosen. */
export function logLine(line, i, chosen = null, choose = null) {
  const stack = stackOf(line);
  const born = stack && stack.trimEnd().split("\n").reverse().find((text) => /^\S*(Error|Exception|Exit|Warning|Interrupt|\w+\.\w+)\b/.test(text));
  return h("div", { class: `log ${level(line)} ${choose ? "pick" : ""} ${chosen !== null && line.id === chosen ? "chosen" : ""}`, key: line.id ?? i, onclick: choose && ((event) => { if (!event.target.closest("a") && !String(getSelection())) choose(line); }) },
    h("time", null, clock(line.time)), h("span", { class: `source hue-${hue(appOf(line.source))}` }, line.source),
    h("span", { class: "level", key: "level" }, line.level || ""),
    h("code", null, line.logger && h("span", { class: "who" }, `${line.logger} `), oneLine(line.text),
      born && h("span", { class: "born" }, ` ${born}`),
      fieldsOf(line).map(([name, text]) => h("span", { class: "pair", key: name }, h("i", null, ` ${name}=`), oneLine(text).slice(0, 200)))),
    line.trace && h("a", { class: "of-trace", key: "trace", href: link("traces", [line.trace], { span: line.span }), title: `Trace ${line.trace}` }, line.trace.slice(0, 8)));
}

/** The lines that were kept, those that fit, and what has come while nothing was to move. */
export class Lines {
  constructor() {
    this.all = [];
    this.serial = 0;
    this.fits = () => true;
    this.found = [];
  }

  add(line) {
    line.id = this.serial++;
    this.all.push(line);
    if (this.fits(line)) this.found.push(line);
    if (this.all.length > KEPT * 1.1) {
      this.all.splice(0, this.all.length - KEPT);
      const first = this.all[0].id;
      this.found = this.found.filter((one) => one.id >= first);
    }
  }

  filter(fits) {
    this.fits = fits;
    this.found = this.all.filter(fits);
  }

  clear() {
    this.all = [];
    this.found = [];
  }
}
