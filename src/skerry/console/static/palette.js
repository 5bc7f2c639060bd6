// Ctrl-K: type some letters of where to go.

import { h, render } from "./dom.js";
import { icon } from "./icons.js";
import { go, link } from "./router.js";

const MOST = 12;

/** How well `text` fits what was typed: the lower the better; null for not at all. */
export function fit(text, wanted) {
  const low = text.toLowerCase();
  const at = low.indexOf(wanted);
  if (at === 0) return 0;
  if (at > 0) return /[\s._:/-]/.test(low[at - 1]) ? 1 : 2 + at / 100;
  let from = 0;
  let gaps = 0;
  for (const letter of wanted) {
    const next = low.indexOf(letter, from);
    if (next < 0) return null;
    gaps += next - from;
    from = next + 1;
  }
  return 5 + gaps;
}

export function openPalette(entries) {
  if (document.querySelector("dialog[open]")) return;
  const before = document.activeElement;
  const dialog = document.createElement("dialog");
  dialog.className = "palette";
  dialog.setAttribute("aria-label", "Jump to");
  document.body.append(dialog);
  let typed = "";
  let at = 0;

  const found = () => {
    const wanted = typed.trim().toLowerCase();
    if (!wanted) return entries.slice(0, MOST);
    const scored = entries
      .map((entry) => ({ entry, score: fit(`${entry.label} ${entry.more || ""}`.trim(), wanted) }))
      .filter(({ score }) => score !== null)
      .sort((a, b) => a.score - b.score)
      .map(({ entry }) => entry);
    if (/^[0-9a-f]{16}([0-9a-f]{16})?$/.test(wanted)) {
      scored.unshift({ kind: "Trace", icon: "traces", label: wanted, hash: link("traces", [wanted]) });
    }
    return scored.slice(0, MOST);
  };
  const choose = (entry) => {
    end();
    if (entry?.run) entry.run();
    else if (entry) go(entry.hash);
  };
  const end = () => {
    dialog.close();
    dialog.remove();
    before?.focus?.();
  };
  const pressed = (event) => {
    const list = found();
    if (event.key === "ArrowDown" || (event.ctrlKey && event.key === "n")) at = Math.min(list.length - 1, at + 1);
    else if (event.key === "ArrowUp" || (event.ctrlKey && event.key === "p")) at = Math.max(0, at - 1);
    else if (event.key === "Enter") return choose(list[at]);
    else return undefined;
    event.preventDefault();
    return draw();
  };
  function draw() {
    const list = found();
    render(dialog,
      h("div", { class: "field" }, icon("search"),
        h("input", { type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-activedescendant": list.length ? `palette-${at}` : null, placeholder: "App, page, command, or a trace id", spellcheck: "false", autocomplete: "off", onkeydown: pressed, oninput: (event) => { typed = event.target.value; at = 0; draw(); } }),
        h("kbd", null, "Esc")),
      h("ul", { id: "palette-list", role: "listbox", "aria-label": "Results" }, list.map((entry, i) =>
        h("li", { key: `${entry.kind}:${entry.label}`, id: `palette-${i}`, role: "option", "aria-selected": String(i === at), onclick: () => choose(entry), onmousemove: () => { if (at !== i) { at = i; draw(); } } },
          icon(entry.icon), h("span", { class: "label" }, entry.label, entry.more && h("small", null, entry.more)), h("span", { class: "kind" }, entry.kind), entry.hint && h("kbd", null, entry.hint)))),
      !list.length && h("p", { class: "none" }, "Nothing is called that."));
    dialog.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); end(); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) end(); });
  draw();
  dialog.showModal();
  dialog.querySelector("input").focus();
}
