// The operations of an OpenAPI document, and requests made of what people have filled in.

import { resolved, sample, settled, textOf, valueOf } from "./schema.js";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];

export function operations(document) {
  const found = [];
  for (const [path, item] of Object.entries(document.paths || {})) {
    for (const method of METHODS) {
      const said = item[method];
      if (!said) continue;
      const parameters = [...(item.parameters || []), ...(said.parameters || [])].map((one) => resolved(one, document)).map((one) => ({ ...one, schema: settled(one.schema || {}, document) }));
      const body = resolved(said.requestBody, document);
      const media = Object.keys(body.content || {});
      const json = media.find((one) => /[/+]json$/.test(one.split(";")[0]));
      found.push({
        name: said.operationId || `${method} ${path}`, method: method.toUpperCase(), path, parameters, document,
        summary: said.summary || "", description: said.description || "", tags: said.tags || [], deprecated: !!said.deprecated,
        media: json || media[0] || "", json: !!json, must: !!body.required, schema: json ? settled(body.content[json].schema || {}, document) : {},
        answers: Object.entries(said.responses || {}).map(([code, answer]) => [code, resolved(answer, document).description || ""]),
      });
    }
  }
  return found;
}

/** What a form holds before anybody has written in it. */
export function draft(operation) {
  const values = {};
  for (const one of operation.parameters) values[one.name] = one.required ? textOf(one.example ?? sample(one.schema, operation.document), one.schema) : "";
  const fields = {};
  let body = "";
  if (operation.media) {
    const example = operation.json ? sample(operation.schema, operation.document) : "";
    body = operation.json ? JSON.stringify(example, null, 2) : "";
    for (const [name, schema] of Object.entries(operation.schema.properties || {})) fields[name] = textOf(example?.[name], settled(schema, operation.document));
  }
  return { values, fields, body, raw: !operation.schema.properties, headers: "" };
}

/** The body that the fields make. Throws a field's name and what is wrong with it. */
export function bodyOf(operation, form) {
  if (!operation.media) return null;
  if (form.raw) return form.body;
  const required = operation.schema.required || [];
  const whole = {};
  for (const [name, schema] of Object.entries(operation.schema.properties || {})) {
    const text = form.fields[name] ?? "";
    const found = settled(schema, operation.document);
    if (text === "" && !(required.includes(name) && found.type === "string")) continue;
    try { whole[name] = valueOf(text, found); } catch { throw new Error(`${name}: ${JSON.stringify(text)} is not ${found.type || "JSON"}`); }
  }
  return JSON.stringify(whole, null, 2);
}

export function request(operation, form) {
  let path = operation.path;
  const query = [];
  const headers = [];
  const cookies = [];
  for (const one of operation.parameters) {
    const text = form.values[one.name] ?? "";
    if (text === "" && one.in !== "path") {
      if (one.required) throw new Error(`${one.name} is required`);
      continue;
    }
    if (one.in === "path") {
      if (text === "") throw new Error(`${one.name} is required: it is a part of the path`);
      path = path.replace(`{${one.name}}`, encodeURIComponent(text));
    } else if (one.in === "query") {
      const many = one.schema.type === "array" && one.explode !== false ? text.replace(/^\[|\]$/g, "").split(",").map((part) => part.trim().replace(/^"|"$/g, "")) : [text];
      for (const part of many) query.push(`${encodeURIComponent(one.name)}=${encodeURIComponent(part)}`);
    } else if (one.in === "header") headers.push([one.name, text]);
    else cookies.push(`${one.name}=${encodeURIComponent(text)}`);
  }
  if (cookies.length) headers.push(["cookie", cookies.join("; ")]);
  for (const line of form.headers.split("\n").filter((one) => one.trim())) {
    const [name, ...rest] = line.split(":");
    if (!rest.length) throw new Error(`${JSON.stringify(line)} is no header: write Name: value`);
    headers.push([name.trim(), rest.join(":").trim()]);
  }
  const body = bodyOf(operation, form);
  if (body) headers.push(["content-type", operation.media]);
  return { method: operation.method, target: path + (query.length ? `?${query.join("&")}` : ""), headers, body };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The same as a command line. */
export function command(app, operation, form) {
  const said = ["skerry", "call", `${app}.${operation.name}`];
  for (const one of operation.parameters) if (form.values[one.name]) said.push(quoted(`${one.name}=${form.values[one.name]}`));
  const body = bodyOf(operation, form);
  if (body) said.push(operation.json ? "--json" : "--data", quoted(operation.json ? body.replace(/\s*\n\s*/g, " ") : body));
  return said.join(" ");
}
