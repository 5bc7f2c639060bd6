// A Python traceback as frames, each with its line and its variables: the innermost first, what is
// not the app's own folded away.

import { h } from "./dom.js";
import { LIBRARY } from "./exception.js";
import { several } from "./format.js";
import { icon } from "./icons.js";

const CHAINED = /\n\n((?:During handling of the above exception|The above exception was the direct cause)[^\n]*)\n\n/;
const REDACTED = "[redacted]";

/** The tracebacks of a chain of exceptions, the last one first: `{frames, said, how}`. A frame is
 *  `{file, line, function, own, code}`; `how` is what led from this one to the next. Null where it
 *  is no traceback of Python's. */
export function tracebacks(stack) {
  const parts = stack.replace(/\s+$/, "").split(CHAINED);
  const found = [];
  for (let i = 0; i < parts.length; i += 2) found.unshift({ ...traceback(parts[i]), how: parts[i + 1] || "" });
  return found.some((one) => one.frames.length) ? found : null;
}

function traceback(text) {
  const frames = [];
  const said = [];
  for (const line of text.split("\n")) {
    const head = /^\s+File "([^"]+)", line (\d+)(?:, in (.+))?$/.exec(line);
    if (head) frames.push({ file: head[1], line: Number(head[2]), function: head[3] || "", own: !LIBRARY.test(head[1]), code: [] });
    else if (frames.length && /^ {4}/.test(line) && !said.length) {
      if (!/^[\s~^]+$/.test(line)) frames[frames.length - 1].code.push(line.slice(4));
    } else if (!/^Traceback \(most recent call last\)/.test(line.trim())) said.push(line);
  }
  return { frames: frames.reverse(), said: said.join("\n").trim() };
}

/** Variables by frame, as an exception tells of them: `{"FILE:LINE FUNCTION": [[name, value]]}`. */
export function variables(text) {
  const found = {};
  let at = null;
  for (const line of text.split("\n")) {
    const pair = /^ {4}(\S+) = (.*)$/.exec(line);
    if (pair && at) at.push([pair[1], pair[2]]);
    else if (/^\S.*:\d+ \S/.test(line)) at = found[line] = found[line] || [];
    else if (at?.length) at[at.length - 1][1] += `\n${line}`;
  }
  return found;
}

/** The end of a path that tells a file from others: two folders, or what comes after the packages. */
export const shortPath = (file) => file.replace(/^.*[\\/](?:site|dist)-packages[\\/]/, "").split(/[\\/]/).slice(-3).join("/");

function table(pairs) {
  return h("table", { class: "variables" }, h("tbody", null, pairs.map(([name, value]) => h("tr", { key: name },
    h("th", { scope: "row" }, name),
    h("td", null, value === REDACTED ? h("span", { class: "tag hidden", title: "Its name says that it is secret" }, "redacted") : h("code", null, value))))));
}

function frame(one, key, local, opened, flip) {
  const pairs = local[`${one.file}:${one.line} ${one.function}`] || [];
  const open = opened(key, one);
  return h("li", { key, class: `frame-of ${one.own ? "own" : "library"}` },
    h("button", { type: "button", class: "head", "aria-expanded": String(open), onclick: () => flip(key, !open) },
      icon("chevron"), h("strong", null, one.function || "?"), h("span", { class: "file", title: one.file }, `${shortPath(one.file)}:${one.line}`),
      pairs.length > 0 && !open && h("small", null, several(pairs.length, "variable"))),
    open && h("div", { class: "inside-of" },
      one.code.length > 0 ? h("pre", { class: "code", tabindex: "0", "aria-label": `Line ${one.line}` }, h("span", { class: "number", "aria-hidden": "true" }, one.line), one.code.join("\n")) : h("p", { class: "quiet" }, "The line was not told."),
      pairs.length > 0 && table(pairs)));
}

/** Frames of libraries that follow each other are one fold. */
function runs(frames) {
  const found = [];
  for (const one of frames) {
    const last = found[found.length - 1];
    if (last && last.own === one.own) last.frames.push(one);
    else found.push({ own: one.own, frames: [one] });
  }
  return found;
}

/** The stack of an exception.
 *  @param state `open(key)`: true, false, or undefined while nobody has said; `flip(key, to)` */
export function framesView({ stack, local }, state) {
  const chain = tracebacks(stack);
  const raw = h("pre", { class: "block raw", tabindex: "0", key: "raw", "aria-label": "Traceback" }, stack);
  if (!chain) return raw;
  const values = variables(local || "");
  return chain.map((part, i) => {
    const first = part.frames.find((one) => one.own) || part.frames[0];
    const opened = (key, one) => state.open(key) ?? (i === 0 && one === first);
    const foldable = part.frames.some((one) => one.own);
    return h("section", { key: `part${i}`, class: "traceback" },
      i > 0 && h("p", { class: "how" }, part.how.startsWith("During") ? "while this was handled:" : "caused by:", " ", h("strong", null, part.said.split("\n")[0])),
      h("ol", { class: "frames" }, runs(part.frames).flatMap((run, n) => {
        const key = `${i}/${n}`;
        if (run.own || !foldable) return run.frames.map((one, m) => frame(one, `${key}/${m}`, values, opened, state.flip));
        const open = !!state.open(key);
        return [
          h("li", { key, class: "fold-of" }, h("button", { type: "button", "aria-expanded": String(open), onclick: () => state.flip(key, !open) }, icon("chevron"), `${several(run.frames.length, "frame")} of libraries`)),
          ...(open ? run.frames.map((one, m) => frame(one, `${key}/${m}`, values, opened, state.flip)) : []),
        ];
      })));
  });
}
