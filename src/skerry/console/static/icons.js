// Drawn on a grid of 16, in the colour of the text around them.

import { h } from "./dom.js";

const PATHS = {
  fleet: "M2.5 3h4.5v4H2.5zM9 3h4.5v4H9zM2.5 9h4.5v4H2.5zM9 9h4.5v4H9z",
  logs: "M2.5 3.5h11M2.5 6.5h7M2.5 9.5h11M2.5 12.5h5",
  bus: "M2 5h9.5M9 2.5 11.5 5 9 7.5M14 11H4.5M7 8.5 4.5 11 7 13.5",
  stacks: "M8 2 14 5 8 8 2 5zM2 8l6 3 6-3M2 11l6 3 6-3",
  try: "M4 3.2v9.6L12.5 8z",
  map: "M3.5 4.5a1.5 1.5 0 1 0 0-.01M12.5 4.5a1.5 1.5 0 1 0 0-.01M8 13a1.5 1.5 0 1 0 0-.01M5 4.5h5.2M4.6 5.8 7.2 11M11.6 5.8 8.9 11",
  traces: "M2 3.5h8M4 6.5h9M6 9.5h5M6 12.5h8",
  errors: "M8 2 14.5 13.5h-13zM8 6.5v3.2M8 11.6v.1",
  alerts: "M8 2a4 4 0 0 1 4 4c0 4 1.5 5 1.5 5h-11S4 10 4 6a4 4 0 0 1 4-4zM6.6 13.4a1.5 1.5 0 0 0 2.8 0",
  endpoints: "M2 13V8M6 13V4M10 13V9.5M14 13V2.5",
  journeys: "M3.5 13a1.5 1.5 0 1 0 0-.01M12.5 4a1.5 1.5 0 1 0 0-.01M5 13h5a2.5 2.5 0 0 0 0-5H6a2.5 2.5 0 0 1 0-5h3",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.6 10.6 14 14",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.8M8 13.2V15M1 8h1.8M13.2 8H15M3 3l1.3 1.3M11.7 11.7 13 13M13 3l-1.3 1.3M4.3 11.7 3 13",
  moon: "M13.5 9.6A6 6 0 0 1 6.4 2.5a6 6 0 1 0 7.1 7.1z",
  keys: "M1.5 4h13v8h-13zM4 6.8h.1M6.7 6.8h.1M9.3 6.8h.1M12 6.8h.1M5 9.5h6",
  chevron: "M6 3.5 10.5 8 6 12.5",
  down: "M3.5 6 8 10.5 12.5 6",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  restart: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
  stop: "M4 4h8v8H4z",
  play: "M5 3.5v9l7.5-4.5z",
  pause: "M5 3.5v9M11 3.5v9",
  scale: "M2.5 11 6 7.5 8.5 10 13.5 5M10 5h3.5v3.5",
  edit: "M10.5 3 13 5.5 6 12.5l-3 .5.5-3z",
  trash: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5",
  copy: "M6 6h7.5v7.5H6zM3.5 10H2.5V2.5H10v1",
  link: "M6.5 9.5 9.5 6.5M7 4.5l1.5-1.5a3 3 0 0 1 4.5 4.5L11.5 9M9 11.5 7.5 13A3 3 0 0 1 3 8.5L4.5 7",
  external: "M9 2.5h4.5V7M13.5 2.5 7.5 8.5M11.5 9v4h-9V4h4",
  menu: "M3 4h10M3 8h10M3 12h10",
  dots: "M3.5 8h.1M8 8h.1M12.5 8h.1",
  filter: "M2 3.5h12L9.5 8.7V13l-3-1.5V8.7z",
};

export function icon(name, label) {
  const shape = h("path", { d: PATHS[name] || PATHS.dots });
  const names = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return h("svg", { class: `icon icon-${name}`, viewBox: "0 0 16 16", ...names }, shape);
}

/** The mark: three rocks, and the sea. */
export function mark() {
  return h("svg", { class: "mark", viewBox: "0 0 24 24", "aria-hidden": "true" },
    h("path", { class: "rock", d: "M3 15.5 6.5 10l3 5.5zM8.6 15.5 13 5l4.6 10.5zM16.4 15.5l2.3-4 2.6 4z" }),
    h("path", { class: "sea", d: "M2 19c1.7 0 1.7-1.2 3.4-1.2S7.1 19 8.8 19s1.7-1.2 3.4-1.2S13.9 19 15.6 19s1.7-1.2 3.4-1.2S20.7 19 22 19" }));
}
