// Try: an app's contract, and calls by it.

import { get, post, url } from "../api.js";
import { h } from "../dom.js";
import { bytes, ms } from "../format.js";
import { rowKeys } from "../keys.js";
import { docs } from "../live.js";
import { bodyOf, command, draft, operations, request } from "../operations.js";
import { amend, go, link, route } from "../router.js";
import { kindOf, settled, words } from "../schema.js";
import { button, copy, empty, json, notice, search, tabs, tag } from "../ui.js";
import { update } from "../update.js";

const contracts = {}; // by app: { loading }, { failed } or { list, info }
const forms = {}; // by app and operation: what was filled in, and what came of it

const callable = () => (docs.fleet?.apps || []).map((one) => one.app);
const app = () => route.parts[0] || callable()[0] || "";

function contract(name) {
  const known = contracts[name];
  const version = docs.fleet?.apps.find((one) => one.app === name)?.versions.join() || "";
  if (known && (known.loading || (known.version === version && !known.failed) || Date.now() - known.at < 3000)) return known;
  const made = (contracts[name] = { ...known, loading: true, version, at: Date.now() });
  get(url`/api/apps/${name}/contract`)
    .then((document) => Object.assign(made, { list: operations(document), info: document.info || {}, failed: "" }))
    .catch((error) => Object.assign(made, { failed: error.message }))
    .finally(() => { made.loading = false; made.at = Date.now(); update(); });
  return made;
}

const fitting = (list) => {
  const wanted = (route.query.q || "").toLowerCase().split(/\s+/).filter(Boolean);
  return list.filter((one) => wanted.every((word) => `${one.name} ${one.method} ${one.path} ${one.summary}`.toLowerCase().includes(word)));
};
const chosen = (list) => list.find((one) => one.name === route.parts[1]) || (route.parts[1] ? null : fitting(list)[0]);
const formOf = (operation) => (forms[`${app()} ${operation.name}`] ??= { ...draft(operation), answer: null, busy: null, part: "body" });
const choose = (name) => go(link("try", [app(), name], { q: route.query.q }), true);

function side(found) {
  const list = fitting(found?.list || []);
  const now = found?.list && chosen(found.list);
  return h("aside", { class: "card flush side wide", key: "side" },
    h("div", { class: "side-head" },
      h("label", null, h("span", { class: "sr" }, "App"), h("select", { value: app(), onchange: (event) => go(link("try", [event.target.value])) }, callable().map((name) => h("option", { key: name, value: name, selected: name === app() }, name)))),
      search(route.query.q || "", (q) => amend({ q }), { placeholder: "Filter endpoints" })),
    h("ul", null, list.map((one) => h("li", { key: one.name, data: { row: one.name } }, h("a", { class: "operation", href: link("try", [app(), one.name], { q: route.query.q }), "aria-current": one === now ? "true" : null },
      h("span", { class: `method ${one.method.toLowerCase()}` }, one.method), h("span", { class: "names" }, h("strong", { class: one.deprecated ? "deprecated" : "" }, one.name), h("code", null, one.path)))))),
    found?.info?.version && h("p", { class: "foot quiet" }, `${found.info.title || app()} ${found.info.version}, ${found.list.length} endpoints`));
}

function field(name, schema, value, set, { required = false, where = "", description = "" } = {}) {
  const kind = kindOf(schema);
  const id = `field-${where}-${name}`;
  const common = { id, "aria-required": required ? "true" : null, class: "input" };
  let input;
  if (kind === "choice") input = h("select", { ...common, value, onchange: (event) => set(event.target.value) }, !required && h("option", { value: "" }, "–"), (schema.enum || [schema.const]).map((one) => h("option", { key: String(one), value: String(one), selected: String(one) === value }, String(one))));
  else if (kind === "boolean") input = h("select", { ...common, value, onchange: (event) => set(event.target.value) }, !required && h("option", { value: "", selected: value === "" }, "–"), ["true", "false"].map((one) => h("option", { key: one, value: one, selected: one === value }, one)));
  else if (["object", "array", "any"].includes(kind)) input = h("textarea", { ...common, class: "", rows: "2", spellcheck: "false", value, oninput: (event) => set(event.target.value) });
  else input = h("input", { ...common, type: "text", inputmode: kind === "string" ? null : "decimal", spellcheck: "false", autocomplete: "off", value, oninput: (event) => set(event.target.value) });
  return h("div", { class: "field", key: `${where} ${name}` }, h("label", { for: id }, h("strong", null, name), required && h("span", { class: "needed", title: "required" }, "*"), where && where !== "body" && h("small", null, where)), input, h("small", { class: "hint" }, words(schema), description && ` · ${description}`));
}

function writing(operation, form) {
  const set = (group, name) => (value) => { form[group][name] = value; update(); };
  const properties = Object.entries(operation.schema.properties || {});
  const required = operation.schema.required || [];
  const toRaw = () => { if (!form.raw) { try { form.body = bodyOf(operation, form); } catch { /* its last text, then */ } } form.raw = true; update(); };
  const toForm = () => {
    try {
      const whole = JSON.parse(form.body);
      for (const [name, schema] of properties) form.fields[name] = whole[name] === undefined ? "" : typeof whole[name] === "string" && ["string", "choice"].includes(kindOf(settled(schema, operation.document))) ? whole[name] : JSON.stringify(whole[name]);
      form.raw = false;
    } catch (error) { form.fault = error.message; }
    update();
  };
  return h("section", { class: "card request", key: `request ${operation.name}` },
    h("div", { class: "request-head" }, h("span", { class: `method ${operation.method.toLowerCase()}` }, operation.method), h("code", null, operation.path), operation.deprecated && tag("deprecated", "warn"), h("span", { class: "grow" }),
      button("", () => copy(command(app(), operation, form)), { name: "copy", title: "Copy as skerry call", kind: "quiet", key: "copy" }),
      form.busy ? button("Cancel", () => form.busy.abort(), { name: "stop", key: "stop" }) : button("Send", () => send(operation, form), { name: "play", kind: "primary", title: "Ctrl-Enter", key: "send" })),
    operation.summary && h("p", { class: "summary" }, operation.summary), operation.description && operation.description !== operation.summary && h("p", { class: "quiet" }, operation.description),
    form.fault && notice(form.fault),
    operation.parameters.length > 0 && h("div", { class: "fields" }, operation.parameters.map((one) => field(one.name, one.schema, form.values[one.name], set("values", one.name), { required: one.required, where: one.in, description: one.description }))),
    operation.media && [h("div", { class: "body-head", key: "body-head" }, h("h3", null, "Body"), h("small", null, operation.media), h("span", { class: "grow" }), properties.length > 0 && tabs(form.raw ? "raw" : "form", { form: "Form", raw: "JSON" }, (name) => (name === "raw" ? toRaw() : toForm()))),
      form.raw ? h("textarea", { key: "raw", rows: "10", spellcheck: "false", "aria-label": "Body", value: form.body, oninput: (event) => { form.body = event.target.value; update(); } })
        : h("div", { class: "fields", key: "fields" }, properties.map(([name, schema]) => { const known = settled(schema, operation.document); return field(name, known, form.fields[name], set("fields", name), { required: required.includes(name), where: "body", description: known.description }); }))],
    h("details", { class: "more-headers" }, h("summary", null, "Headers"), h("textarea", { rows: "2", spellcheck: "false", placeholder: "X-Tenant: acme", "aria-label": "Headers", value: form.headers, oninput: (event) => { form.headers = event.target.value; } })),
    h("p", { class: "answers quiet" }, "Answers ", operation.answers.filter(([code]) => code !== "default").map(([code, text]) => h("span", { key: code, class: "tag mono", title: text }, code))));
}

async function send(operation, form) {
  form.fault = "";
  let call;
  try { call = request(operation, form); } catch (error) { form.fault = error.message; update(); return; }
  form.busy = new AbortController();
  update();
  try {
    form.answer = await post(url`/api/apps/${app()}/try`, call, form.busy.signal);
  } catch (error) {
    if (error.name !== "AbortError") form.fault = error.message;
  }
  form.busy = null;
  update();
}

const toneOf = (status) => (status >= 500 ? "bad" : status >= 400 ? "warn" : status >= 300 ? "info" : "good");

function pretty(text) {
  // As it was written: numbers keep every digit.
  const parts = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) || [];
  let depth = 0;
  const indent = () => `\n${"  ".repeat(depth)}`;
  return parts.map((part, i) => {
    if (part === "{" || part === "[") { depth += 1; return "}]".includes(parts[i + 1]) ? part : part + indent(); }
    if (part === "}" || part === "]") { depth -= 1; return "{[".includes(parts[i - 1]) ? part : indent() + part; }
    return part === "," ? part + indent() : part === ":" ? ": " : part;
  }).join("");
}

function content(answer) {
  const kind = answer.headers.find(([name]) => name === "content-type")?.[1] || "";
  if (!answer.body) return h("p", { class: "quiet" }, "No body.");
  if (answer.binary) return h("p", { class: "quiet" }, `${kind || "Something"} that is no text, ${bytes(atob(answer.body).length)}.`);
  if (/[/+]json/.test(kind)) {
    try { JSON.parse(answer.body); if (answer.body.length < 100000) return json(pretty(answer.body)); } catch { /* shown as it is */ }
  }
  return h("pre", { tabindex: "0" }, answer.body);
}

const CUT = { long: "It is longer: this is its beginning.", endless: "It goes on: this is what came in five seconds." };

function answered(form) {
  const { answer } = form;
  if (form.busy) return h("section", { class: "card answer", key: "busy" }, empty("Waiting for the answer", "", "try"));
  if (!answer) return h("section", { class: "card answer", key: "none" }, empty("No answer yet", "Fill in what is needed and send: Ctrl-Enter.", "try"));
  if (answer.failed) return h("section", { class: "card answer", key: "failed" }, notice(`${answer.sent}: ${answer.failed}`), trace(answer));
  return h("section", { class: "card answer", key: "answer" },
    h("div", { class: "answer-head" }, h("span", { class: "status", data: { tone: toneOf(answer.status) } }, String(answer.status)),
      h("span", { title: `until the answer began; ${ms(answer.milliseconds[1])} until its end` }, h("b", null, ms(answer.milliseconds[0]))), h("span", null, bytes(new Blob([answer.body]).size)), trace(answer), h("span", { class: "grow" }),
      tabs(form.part, { body: "Body", headers: `Headers ${answer.headers.length}` }, (name) => { form.part = name; update(); }), button("", () => copy(answer.body), { name: "copy", title: "Copy the body", kind: "quiet" })),
    answer.cut && notice(CUT[answer.cut], "info"),
    form.part === "headers" ? h("dl", { class: "pairs mono frame", key: "headers" }, answer.headers.map(([name, value], i) => [h("dt", { key: `${i}?` }, name), h("dd", { key: i }, value)])) : h("div", { class: "frame", key: "body" }, content(answer)));
}

const trace = (answer) => h("span", { class: "trace" }, h("small", null, "trace "), h("a", { href: link("traces", [answer.trace]), class: "mono" }, answer.trace));

function main(found) {
  if (found?.failed && !found.list) return h("section", { class: "card", key: "failed" }, empty("No contract", found.failed, "try"));
  if (!found?.list) return empty("Looking", `Asking ${app()} for its contract.`, "try");
  const operation = chosen(found.list);
  if (!operation) return h("section", { class: "card", key: "none" }, empty("There is no such endpoint", route.parts[1] || "The contract has none.", "try"));
  const form = formOf(operation);
  return [writing(operation, form), answered(form)];
}

function view() {
  if (!docs.fleet) return empty("Connecting", "Waiting for the fleet’s first word.", "try");
  const found = app() ? contract(app()) : null;
  return [
    h("div", { class: "headline", key: "headline" }, h("h1", null, "Try"), h("p", null, "Calls by an app’s contract, through the console; each is a trace of its own.")),
    h("div", { class: "columns wide", key: "columns" }, side(found), h("div", { class: "body", key: `body ${app()}`, onkeydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); sendNow(); } } }, main(found))),
  ];
}

function sendNow() {
  const list = contracts[app()]?.list;
  const operation = list && chosen(list);
  if (operation) void send(operation, formOf(operation));
}

const names = () => fitting(contracts[app()]?.list || []).map((one) => one.name);

export default {
  title: "Try", icon: "try", key: "y", order: 70, view,
  commands: ({ fleet }) => [
    ...(fleet?.apps || []).map((one) => ({ kind: "Try", icon: "try", label: `Try ${one.app}`, hash: link("try", [one.app]) })),
    ...Object.entries(contracts).flatMap(([name, one]) => (one.list || []).map((operation) => ({ kind: "Endpoint", icon: "try", label: `${name}.${operation.name}`, more: `${operation.method} ${operation.path}`, hash: link("try", [name, operation.name]) }))),
  ],
  keys: { ...rowKeys(names, () => chosen(contracts[app()]?.list || [])?.name, choose, () => { document.querySelector(".request .input, .request textarea")?.focus(); }) },
  help: [["j k", "Next and previous endpoint"], ["Enter", "Into its form"], ["Ctrl Enter", "Send"]],
};

