// JSON Schema, as far as a form needs it: what a value is, an example of one, and its errors.

/** What a node refers to, or itself. */
export function resolved(node, document) {
  for (let i = 0; i < 20 && node && typeof node.$ref === "string"; i++) {
    let at = document;
    for (const step of node.$ref.replace(/^#\//, "").split("/")) at = at?.[step.replaceAll("~1", "/").replaceAll("~0", "~")];
    node = at;
  }
  return node && typeof node === "object" ? node : {};
}

/** The schema without null and without a choice of one. */
export function settled(schema, document) {
  const found = resolved(schema, document);
  const arms = (found.anyOf || found.oneOf || []).map((arm) => resolved(arm, document)).filter((arm) => arm.type !== "null");
  if (arms.length === 1) return { ...settled(arms[0], document), ...(found.description ? { description: found.description } : {}), ...("default" in found ? { default: found.default } : {}) };
  if (found.allOf?.length === 1) return { ...settled(found.allOf[0], document), ...found, allOf: undefined };
  return found;
}

export function kindOf(schema) {
  const kinds = Array.isArray(schema.type) ? schema.type.filter((one) => one !== "null") : [schema.type];
  if (schema.enum || "const" in schema) return "choice";
  if (kinds.length === 1 && ["string", "integer", "number", "boolean"].includes(kinds[0])) return kinds[0];
  if (!schema.type && schema.properties) return "object";
  return kinds.length === 1 && kinds[0] ? kinds[0] : "any";
}

const FORMATS = {
  "date-time": () => new Date().toISOString().replace(/\.\d+Z$/, "Z"), date: () => new Date().toISOString().slice(0, 10), time: () => "12:00:00Z",
  uuid: () => crypto.randomUUID(), email: () => "ann@example.org", uri: () => "https://example.org/", duration: () => "PT1M", decimal: () => "1.00", ipv4: () => "127.0.0.1",
};

/** A value that the schema allows, as far as that can be told without solving it. */
export function sample(schema, document, depth = 0) {
  const found = settled(schema, document);
  if ("default" in found) return found.default;
  if (found.examples?.length) return found.examples[0];
  if ("example" in found) return found.example;
  if ("const" in found) return found.const;
  if (found.enum) return found.enum[0];
  if (depth > 5) return null;
  const first = (found.anyOf || found.oneOf || [])[0];
  if (first) return sample(first, document, depth + 1);
  const kind = kindOf(found);
  if (kind === "object") {
    const required = found.required || [];
    const names = Object.keys(found.properties || {}).filter((name) => required.includes(name) || "default" in settled(found.properties[name], document) || depth === 0);
    return Object.fromEntries(names.map((name) => [name, sample(found.properties[name], document, depth + 1)]));
  }
  if (kind === "array") return found.minItems ? [sample(found.items || {}, document, depth + 1)] : [];
  if (kind === "integer" || kind === "number") return found.minimum ?? (found.exclusiveMinimum !== undefined ? found.exclusiveMinimum + 1 : found.maximum ?? 0);
  if (kind === "boolean") return false;
  if (kind === "string") return FORMATS[found.format]?.() ?? (found.pattern ? "" : found.minLength > 0 ? "text".padEnd(found.minLength, "t") : "");
  return null;
}

/** In some words, what a value is: "integer, from 0 to 9". */
export function words(schema) {
  const kind = kindOf(schema);
  const said = [kind === "choice" ? "" : kind === "any" ? "anything" : schema.format || kind];
  const low = schema.minimum ?? schema.exclusiveMinimum;
  const high = schema.maximum ?? schema.exclusiveMaximum;
  if (low !== undefined && high !== undefined) said.push(`${low} to ${high}`);
  else if (low !== undefined) said.push(schema.exclusiveMinimum !== undefined ? `above ${low}` : `at least ${low}`);
  else if (high !== undefined) said.push(`at most ${high}`);
  if (schema.maxLength !== undefined) said.push(`at most ${schema.maxLength} characters`);
  if (schema.items?.type) said[0] = `list of ${schema.items.format || schema.items.type}`;
  return said.filter(Boolean).join(", ");
}

/** What a field's text stands for. Throws where it stands for nothing. */
export function valueOf(text, schema) {
  const kind = kindOf(schema);
  if (kind === "string") return text;
  if (kind === "choice") return (schema.enum || [schema.const]).find((one) => String(one) === text) ?? text;
  return JSON.parse(text);
}

export const textOf = (value, schema) => (value === undefined || value === null ? "" : typeof value === "string" && ["string", "choice"].includes(kindOf(schema)) ? value : JSON.stringify(value));
