// The shell: navigation, top bar, keys, and the page that the address names.
//
// A page is a module in pages/, found by itself: see docs/design/console.md.

import { get } from "./api.js";
import { h, render } from "./dom.js";
import { openHelp, typed } from "./keys.js";
import { icon, mark } from "./icons.js";
import { connection, docs, onLive, watch } from "./live.js";
import { openPalette } from "./palette.js";
import { link, onRoute, route } from "./router.js";
import { empty, notice } from "./ui.js";
import { onUpdate, update } from "./update.js";

const pages = {};
let fleet = "";
let menuOpen = false;
let failure = "";

const host = document.getElementById("app");
const current = () => pages[route.page];
const inOrder = () => Object.values(pages).filter((page) => page.title).sort((a, b) => a.order - b.order);

function nav() {
  return h("nav", { id: "nav", class: menuOpen ? "open" : "", "aria-label": "Pages" },
    h("a", { class: "brand", href: "#/fleet", "aria-label": "Skerry: the fleet" }, mark(), h("span", null, "Skerry")),
    h("ul", null, inOrder().map((page) => {
      const badge = page.badge?.(docs);
      const here = page === current() || current()?.under === page.name;
      return h("li", { key: page.name }, h("a", { href: link(page.name), "aria-current": here ? "page" : null },
        icon(page.icon), h("span", null, page.title),
        badge && h("span", { class: `badge ${badge.tone || ""}`, title: badge.title || null }, badge.text)));
    })),
    h("div", { class: "foot" },
      h("button", { type: "button", class: "plain", onclick: () => openHelp(inOrder(), current()) }, icon("keys"), h("span", null, "Shortcuts"), h("kbd", null, "?"))));
}

const SAYS = {
  live: ["good", "Live"], connecting: ["warn", "Connecting"], lost: ["bad", "Reconnecting"], asleep: ["off", "Paused"],
};

function top() {
  const [tone, text] = SAYS[connection];
  const status = docs.fleet;
  const dark = document.documentElement.dataset.theme === "dark";
  return h("header", { id: "top" },
    h("button", { type: "button", class: "button square menu", "aria-label": "Menu", "aria-expanded": String(menuOpen), onclick: () => { menuOpen = !menuOpen; update(); } }, icon("menu")),
    h("div", { class: "where" }, h("strong", null, status?.fleet || fleet || "Fleet"), status && h("span", { class: "root", title: "The folder of fleet.toml" }, status.root)),
    h("button", { type: "button", class: "jump", onclick: palette, "aria-label": "Search: jump to an app, a page or a trace" },
      icon("search"), h("span", null, "Jump to app, page, trace…"), h("kbd", null, /Mac/.test(navigator.platform) ? "⌘K" : "Ctrl K")),
    status?.front && h("a", { class: "button quiet", href: status.front, target: "_blank", rel: "noopener", title: `Front door: ${status.front}` }, icon("external"), h("span", null, "Front door")),
    h("span", { class: "connection", data: { tone, state: connection }, role: "status" }, h("i"), text),
    h("button", { type: "button", class: "button square quiet", id: "theme", "aria-label": dark ? "Light colours" : "Dark colours", title: dark ? "Light colours (t)" : "Dark colours (t)", onclick: flip }, icon(dark ? "sun" : "moon")));
}

function content() {
  const page = current();
  if (failure) return notice(failure);
  if (!page) {
    if (!Object.keys(pages).length) return null;
    return empty(`There is no page “${route.page}”`, "It may belong to a newer Skerry, or to a part that is not installed.", "search", h("a", { href: "#/fleet", class: "button" }, "Go to the fleet"));
  }
  return page.view(route);
}

function draw() {
  const page = current();
  document.title = `${page?.title || "Skerry"} · ${docs.fleet?.fleet || fleet || "Skerry"}`;
  render(host,
    h("a", { class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); document.getElementById("main").focus(); } }, "Skip to content"),
    nav(), menuOpen && h("div", { class: "veil", key: "veil", onclick: () => { menuOpen = false; update(); } }),
    top(), h("main", { id: "main", tabindex: "-1", key: "main" }, h("div", { class: `page page-${route.page}`, key: route.page }, content())));
}

function flip() {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  if (next === system) localStorage.removeItem("skerry-theme"); else localStorage.setItem("skerry-theme", next);
  dispatchEvent(new Event("skerry-theme"));
  update();
}

function palette() {
  openPalette([
    ...inOrder().map((page) => ({ kind: "Page", icon: page.icon, label: page.title, hint: page.key ? `g ${page.key}` : "", hash: link(page.name) })),
    ...Object.values(pages).flatMap((page) => page.commands?.(docs) || []),
    { kind: "Command", icon: "moon", label: "Switch light and dark", hint: "t", run: flip },
    { kind: "Command", icon: "keys", label: "Keyboard shortcuts", hint: "?", run: () => openHelp(inOrder(), current()) },
  ]);
}

function arrived() {
  menuOpen = false;
  const feeds = current()?.feeds?.(route) || [];
  watch(["fleet", ...Object.values(pages).flatMap((page) => page.always || []), ...feeds]);
  update();
}

addEventListener("keydown", (event) => {
  typed(event, { pages: inOrder(), page: current(), palette, flip });
});

let before;
onRoute(() => {
  if (before !== route.page) {
    pages[before]?.leave?.();
    document.getElementById("main")?.scrollTo(0, 0);
  }
  before = route.page;
  arrived();
});
onLive(update);
onUpdate(draw);
setInterval(() => { if (!document.hidden) update(); }, 1000);

try {
  const said = await get("/api/pages");
  fleet = said.fleet;
  for (const name of said.styles) {
    document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: `/static/pages/${name}.css` }));
  }
  const found = await Promise.all(said.pages.map((name) => import(`./pages/${name}.js`)));
  said.pages.forEach((name, i) => { pages[name] = { order: 99, name, ...found[i].default }; });
} catch (error) {
  failure = `The console could not be loaded: ${error.message}`;
}
before = route.page;
arrived();
