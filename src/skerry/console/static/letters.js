// One message of the bus, or one dead letter: all there is to know, and its body to be changed.

import { h } from "./dom.js";
import { several } from "./format.js";
import { icon } from "./icons.js";
import { link } from "./router.js";
import { ago, button, copy, json, tabs } from "./ui.js";
import { update } from "./update.js";

/** The body that is being written, if any. */
export const editor = {
  open: false, text: "", id: "", fault: "",
  begin(letter) { Object.assign(editor, { open: true, id: letter.id, text: JSON.stringify(letter.body, null, 2), fault: "" }); update(); },
  change(text) {
    editor.text = text;
    try { JSON.parse(text); editor.fault = ""; } catch (error) { editor.fault = error.message; }
    update();
  },
  close() { editor.open = false; },
};

let part = "body";

/** Why it died, without the exception's name where that stands before it. */
export const reasonOf = (letter) => (letter.error && letter.reason.startsWith(`${letter.error}: `) ? letter.reason.slice(letter.error.length + 2) : letter.reason);

const traceOf = (letter) => /^00-([0-9a-f]{32})-/.exec(letter.headers?.traceparent || "")?.[1];

function facts(letter) {
  const trace = traceOf(letter);
  const rows = [["Id", h("button", { type: "button", class: "plain mono", title: "Copy", onclick: () => copy(letter.id) }, letter.id)], ["Topic", h("code", null, `${letter.topic} v${letter.version}`)], letter.key && ["Key", h("code", null, letter.key)], letter.source && ["From", letter.source],
    ["Published", [ago(letter.time), " ago"]], letter.died && ["Died", [ago(letter.died), " ago, after ", several(letter.attempts, "attempt"), letter.permanent && ", for good"]],
    trace && ["Trace", h("a", { href: link("traces", [trace]), class: "mono" }, trace)]];
  return h("dl", { class: "pairs" }, rows.filter(Boolean).map(([name, value]) => [h("dt", { key: `${name}?` }, name), h("dd", { key: name }, value)]));
}

function body(letter, redrive) {
  if (editor.open && editor.id === letter.id) {
    return [
      h("textarea", { key: "edit", "aria-label": "Body", spellcheck: "false", rows: "14", mount: (el) => { el.value = editor.text; el.focus(); }, oninput: (event) => editor.change(event.target.value), "aria-invalid": editor.fault ? "true" : null }),
      h("div", { class: "actions", key: "actions" }, editor.fault && h("span", { class: "fault", role: "alert" }, editor.fault), h("span", { class: "grow" }),
        button("Cancel", () => { editor.close(); update(); }), button("Redrive with this body", () => redrive({ [letter.id]: editor.text }), { kind: "primary", disabled: !!editor.fault })),
    ];
  }
  return [h("div", { class: "frame", key: "body" }, json(letter.body)), redrive && h("div", { class: "actions", key: "actions" }, h("span", { class: "grow" }), button("Copy", () => copy(JSON.stringify(letter.body, null, 2)), { name: "copy" }), button("Edit", () => editor.begin(letter), { name: "edit" }), button("Redrive", () => redrive({}), { kind: "primary", name: "restart" }))];
}

export function letterDetail(letter, { redrive }) {
  const dead = !!letter.died;
  const shown = dead ? part : "body";
  return h("div", { class: "detail", key: `letter ${letter.id}` },
    dead && h("div", { class: "why" }, icon("errors"), h("div", null, h("strong", null, letter.error || "Dead"), h("p", null, reasonOf(letter)))),
    facts(letter),
    dead && tabs(part, { body: "Body", stack: "Stack", headers: "Headers" }, (name) => { part = name; update(); }),
    shown === "body" && body(letter, redrive),
    shown === "stack" && h("pre", { class: "block stack", tabindex: "0", key: "stack" }, letter.stack || "No stack was kept."),
    shown === "headers" && h("div", { class: "frame", key: "headers" }, json(letter.headers)));
}
