// Questions to the console's own process. What goes wrong is a Problem, with words for people.

export class Problem extends Error {
  constructor(status, document) {
    const faults = (document?.errors || []).map((fault) => fault.detail).join("; ");
    super(faults || document?.detail || document?.title || `status ${status}`);
    this.status = status;
  }
}

async function ask(method, path, body, signal) {
  const headers = { "x-skerry-console": "1" };
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "the console does not answer" });
  }
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => null));
  return response;
}

async function decoded(response) {
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

export const get = async (path, signal) => decoded(await ask("GET", path, undefined, signal));
export const post = async (path, body, signal) => decoded(await ask("POST", path, body, signal));
export const del = async (path) => decoded(await ask("DELETE", path));
export const url = (strings, ...values) => String.raw({ raw: strings }, ...values.map(encodeURIComponent));

/** Call `line` with each JSON value of a body that has one on each line, as they come. */
export async function lines(path, line, signal) {
  const response = await ask("GET", path, undefined, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part.trim()) line(JSON.parse(part));
  }
}
