// An incident as text: as the command line prints it, and as Markdown for an issue tracker.

import { count, several } from "./format.js";
import { placeOf, titleOf } from "./incidents.js";
import { link } from "./router.js";

const STACK = 60; // lines of a stack that an issue needs

const moment = (seconds) => new Date(seconds * 1000).toISOString().replace("T", " ").replace(/\.\d+Z$/, "Z");
const tail = (text) => text.trimEnd().split("\n").slice(-STACK).join("\n");

function facts(one) {
  const place = placeOf(one);
  return [
    ["app", one.service], ["operation", one.operation], ["where", place.name && `${place.name} in ${place.file}`],
    ["seen", `${several(one.count, "time")}, ${moment(one.first)} to ${moment(one.last)}`], ["state", one.state],
    ["releases", one.releases.join(", ")], ["owner", [one.owner, one.team && `(${one.team})`].filter(Boolean).join(" ")],
    ["hurts", one.services.slice(1).sort((a, b) => one.hurts[b] - one.hurts[a]).map((app) => `${app} ${count(one.hurts[app])}`).join(", ")],
  ].filter(([, value]) => value);
}

export function asText(one) {
  const lines = [`${one.service}: ${titleOf(one)}${one.message ? `: ${one.message}` : ""}`, ...facts(one).map(([name, value]) => `  ${name.padEnd(10)} ${value}`),
    ...one.seen.slice(0, 3).map((seen, i) => `  ${(i ? "" : "traces").padEnd(10)} ${seen.trace_id}`)];
  for (const part of [one.stack, one.local]) if (part) lines.push("", tail(part));
  return `${lines.join("\n")}\n`;
}

/** @param here the address of the incident in the console */
export function asMarkdown(one, here) {
  const base = here.split("#")[0];
  const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
  const fence = (text, kind) => ["", `\`\`\`${kind}`, tail(text), "```"];
  const lines = [`## ${titleOf(one)} in ${one.service}`, "", ...(one.message ? [`> ${one.message.replaceAll("\n", "\n> ")}`, ""] : []),
    "| | |", "|---|---|", ...facts(one).map(([name, value]) => `| ${name} | ${cell(value)} |`),
    `| traces | ${one.seen.slice(0, 3).map((seen) => `[${seen.trace_id.slice(0, 8)}](${base}${link("traces", [seen.trace_id])})`).join(", ")} |`,
    ...(one.stack ? fence(one.stack, "pytb") : []),
    ...(one.local ? ["", "<details><summary>Variables</summary>", ...fence(one.local, "text"), "", "</details>"] : []),
    "", `[In the console](${here}) · \`skerry errors show ${one.id}\``];
  return `${lines.join("\n")}\n`;
}
