// Keys: those of the shell, `g` and a letter for each page, and those of the page itself.

import { go, link } from "./router.js";

let leading = 0;

const inField = (target) => target.closest?.("input, textarea, select, [contenteditable]");

export function typed(event, { pages, page, palette, flip }) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    palette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (inField(event.target)) return;
  if (Date.now() - leading < 1200) {
    leading = 0;
    const wanted = pages.find((one) => one.key === event.key);
    if (wanted) {
      event.preventDefault();
      go(link(wanted.name));
      return;
    }
  }
  const own = page?.keys?.[event.key];
  if (own && !(event.key === "Enter" && event.target.closest?.("button, a"))) {
    if (own(event) !== false) event.preventDefault();
    return;
  }
  const common = {
    g: () => { leading = Date.now(); },
    t: flip,
    "?": () => openHelp(pages, page),
    "/": () => { document.getElementById("filter")?.focus(); document.getElementById("filter")?.select(); },
    Escape: () => document.activeElement?.blur?.(),
  }[event.key];
  if (common) {
    event.preventDefault();
    common();
  }
}

export function openHelp(pages, page) {
  if (document.querySelector("dialog[open]")) return;
  const dialog = document.createElement("dialog");
  dialog.className = "dialog help";
  dialog.setAttribute("aria-label", "Keyboard shortcuts");
  const rows = (title, entries) => {
    const section = document.createElement("section");
    section.append(Object.assign(document.createElement("h3"), { textContent: title }));
    const list = document.createElement("dl");
    for (const [keys, text] of entries) {
      const term = document.createElement("dt");
      for (const key of keys.split(" ")) term.append(Object.assign(document.createElement("kbd"), { textContent: key }), " ");
      list.append(term, Object.assign(document.createElement("dd"), { textContent: text }));
    }
    section.append(list);
    return section;
  };
  const columns = document.createElement("div");
  columns.className = "columns";
  columns.append(
    rows("Go to", pages.filter((one) => one.key).map((one) => [`g ${one.key}`, one.title])),
    rows("Everywhere", [["Ctrl K", "Jump to an app, a page, a trace"], ["/", "Filter"], ["t", "Light or dark"], ["Esc", "Close, or leave a field"], ["?", "This"]]),
  );
  if (page?.help) columns.append(rows(page.title || "This page", page.help));
  dialog.append(Object.assign(document.createElement("h2"), { textContent: "Keyboard shortcuts" }), columns);
  const end = () => dialog.remove();
  dialog.addEventListener("close", end);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => { if (event.key === "?") dialog.close(); });
  document.body.append(dialog);
  dialog.tabIndex = -1;
  dialog.showModal();
  dialog.focus();
}

/** Keys j, k and Enter for rows: `names()` in their order, `at()` the chosen one. */
export function rowKeys(names, at, choose, open) {
  const step = (by) => () => {
    const all = names();
    if (!all.length) return;
    const i = all.indexOf(at());
    const next = all[i < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, i + by))];
    choose(next);
    requestAnimationFrame(() => requestAnimationFrame(() =>
      document.querySelector(`[data-row="${CSS.escape(next)}"]`)?.scrollIntoView({ block: "nearest" })));
  };
  return { j: step(1), k: step(-1), ArrowDown: step(1), ArrowUp: step(-1), Enter: () => (at() ? open(at()) : false) };
}
