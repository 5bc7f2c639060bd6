// Numbers and times as people read them in a column.

const NONE = "–";

export function count(n) {
  if (n === null || n === undefined) return NONE;
  if (Math.abs(n) < 10000) return n.toLocaleString("en-US");
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(n) >= size) return `${(n / size).toFixed(n / size < 100 ? 1 : 0)}${unit}`;
  }
}

export function rate(n) {
  if (n === null || n === undefined) return NONE;
  if (n === 0) return "0";
  return n >= 1000 ? count(Math.round(n)) : n >= 100 ? n.toFixed(0) : n.toFixed(1);
}

export function ms(value) {
  if (value === null || value === undefined) return NONE;
  if (value >= 10000) return `${(value / 1000).toFixed(1)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(2)} s`;
  return `${value.toFixed(value >= 100 ? 0 : value >= 1 ? 1 : 2)} ms`;
}

export function percent(part, whole) {
  if (!whole) return NONE;
  const share = (100 * part) / whole;
  return share === 0 ? "0 %" : share < 0.1 ? "< 0.1 %" : `${share.toFixed(share < 10 ? 1 : 0)} %`;
}

export function mib(value) {
  if (value === null || value === undefined) return NONE;
  return value >= 1024 ? `${(value / 1024).toFixed(1)} GiB` : `${value.toFixed(0)} MiB`;
}

export function bytes(n) {
  if (n < 1024) return `${n} B`;
  return n < 1 << 20 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 2 ** 20).toFixed(1)} MiB`;
}

export function age(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${s % 60 ? `${s % 60}s` : ""}`.trim();
  if (s < 86400) return `${Math.floor(s / 3600)}h ${Math.floor((s % 3600) / 60)}m`;
  return `${Math.floor(s / 86400)}d ${Math.floor((s % 86400) / 3600)}h`;
}

/** Seconds since a moment, given in Unix seconds or as ISO 8601. */
export function since(moment, now = Date.now()) {
  return now / 1000 - (typeof moment === "number" ? moment : Date.parse(moment) / 1000);
}

export const clock = (iso) => new Date(iso).toLocaleTimeString("en-GB", { hour12: false }) + "." + String(new Date(iso).getMilliseconds()).padStart(3, "0");

export const several = (n, what, many = `${what}s`) => `${count(n)} ${n === 1 ? what : many}`;

/** A colour for a name, the same wherever it appears: one of twelve hues. */
export function hue(name) {
  let hash = 2166136261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  return (hash >>> 0) % 12;
}
