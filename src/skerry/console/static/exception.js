// An exception as people read it: its last line, and the stack with what is theirs in front.

import { h } from "./dom.js";

/** Files that are not the app's own. */
export const LIBRARY = /(?:site|dist)-packages|[\\/]lib[\\/]python\d|[\\/]skerry[\\/](?:app|bus|clients|collector|core|data|discovery|filters|fleet|journeys|observe|stack|telemetry|transport)[\\/]|^<|<frozen/;

/** The last exception that a row tells of; null for none. */
export function exceptionOf(row) {
  const event = (row.events || []).filter((one) => one.name === "exception").pop();
  if (!event) return null;
  const { "exception.type": type = "exception", "exception.message": message = "", "exception.stacktrace": stack = "", "skerry.locals": variables = "" } = event.attributes || {};
  return { type, message, stack, variables, at: event.at };
}

/** The stack's lines: those of the app's own frames, others in groups that are folded away.
 *  `{kind: "own" | "library" | "text" | "fold", text, count}` */
export function stackLines(stack, unfolded) {
  const groups = [];
  for (const text of stack.replace(/\n+$/, "").split("\n")) {
    const frame = /^\s+File "([^"]+)", line \d+/.exec(text);
    const last = groups[groups.length - 1];
    if (frame) {
      const kind = LIBRARY.test(frame[1]) ? "library" : "own";
      if (last?.kind === kind) { last.lines.push(text); last.frames += 1; } else groups.push({ kind, lines: [text], frames: 1 });
    } else if (/^\s{4,}\S/.test(text) && last && last.kind !== "text") last.lines.push(text);
    else if (last?.kind === "text") last.lines.push(text);
    else groups.push({ kind: "text", lines: [text], frames: 0 });
  }
  return groups.flatMap((group) => {
    const lines = group.lines.map((text) => ({ kind: group.kind, text }));
    if (group.kind !== "library") return lines;
    const fold = { kind: "fold", count: group.frames, text: `${unfolded ? "▾" : "▸"} ${group.frames} ${group.frames === 1 ? "frame" : "frames"} of libraries` };
    return unfolded ? [fold, ...lines] : [fold];
  });
}

/** Stack and variables; `flip()` folds and unfolds what is not the app's own. */
export function stackView({ stack, variables }, unfolded, flip) {
  return [
    stack && h("pre", { class: "stack-lines", key: "stack", tabindex: "0", "aria-label": "Stack" }, stackLines(stack, unfolded).map((line, i) =>
      line.kind === "fold" ? h("button", { key: i, type: "button", class: "fold", "aria-expanded": String(unfolded), onclick: (event) => { event.stopPropagation(); flip(); } }, line.text)
        : h("span", { key: i, class: line.kind }, line.text))),
    variables && h("div", { class: "locals", key: "locals" }, h("h3", null, "Variables"), h("pre", { tabindex: "0", "aria-label": "Variables" }, variables)),
  ];
}
