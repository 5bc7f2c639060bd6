"use strict";
// The forms: build a request from what was filled in, send it, show the answer as it arrives.
const LONGEST = 200000;
const base = location.pathname.replace(/\/[^/]*$/, "");

function request(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = {};
  for (const input of form.querySelectorAll("[data-where]")) {
    const { where, name, many } = input.dataset;
    if (where === "path") {
      path = path.replace(`{${name}}`, encodeURIComponent(input.value));
    } else if (input.value !== "") {
      const values = many ? input.value.split(",") : [input.value];
      if (where === "query") values.forEach((value) => query.append(name, value.trim()));
      if (where === "header") headers[name] = input.value;
    }
  }
  const body = form.querySelector("textarea");
  const init = { method: form.dataset.method, headers };
  if (body && body.value !== "") {
    headers["content-type"] = body.dataset.media;
    init.body = body.value;
  }
  const search = query.toString();
  return [base + path + (search ? "?" + search : ""), init];
}

function pretty(text, type) {
  if (!/[/+]json/.test(type)) return text;
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

async function send(form) {
  const [url, init] = request(form);
  const output = form.querySelector("output");
  const [head, shown] = [output.querySelector("p"), output.querySelector("pre")];
  const stop = form.querySelector("button.second");
  const abort = new AbortController();
  stop.onclick = () => abort.abort();
  stop.hidden = output.hidden = false;
  head.textContent = `${init.method} ${url} …`;
  shown.textContent = "";
  const start = performance.now();
  try {
    const response = await fetch(url, { ...init, signal: abort.signal });
    const type = response.headers.get("content-type") || "";
    const took = Math.round(performance.now() - start);
    head.textContent = `${response.status} ${response.statusText} · ${type || "no body"} · ${took} ms`;
    const reader = response.body ? response.body.getReader() : null;
    const decoder = new TextDecoder();
    let text = "";
    while (reader) {
      const { done, value } = await reader.read();
      if (done || text.length > LONGEST) break;
      text += decoder.decode(value, { stream: true });
      shown.textContent = text;
    }
    if (reader && text.length > LONGEST) await reader.cancel();
    shown.textContent = pretty(text, type);
  } catch (error) {
    head.textContent = error.name === "AbortError" ? "Stopped." : `No answer: ${error.message}`;
  } finally {
    stop.hidden = true;
  }
}

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
}

function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") {
    target.open = true;
    target.scrollIntoView();
  }
}
addEventListener("hashchange", reveal);
reveal();
