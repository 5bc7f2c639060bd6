// Elements as values, and the smallest change that turns the old ones into the new.
//
// h() describes an element, render() makes the document look like that. What is keyed keeps its
// element wherever it moves, so that focus, selection and scrolling survive every update.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `props`: attributes; `onclick`… listeners; `style` and `data` objects; `key`;
 *  `mount(element)` once it stands in the document, which may return what is called at its end;
 *  `own: true` where its children are somebody else's affair. */
export function h(tag, props, ...kids) {
  return { tag, props: props || {}, kids: flat(kids, []), key: props?.key };
}

/** What `make()` describes, made again only when one of `deps` has changed. */
export function lazy(key, deps, make) {
  return { lazy: make, deps, key, tag: "lazy", props: {}, kids: [] };
}

function flat(kids, into) {
  for (const kid of kids) {
    if (Array.isArray(kid)) flat(kid, into);
    else if (kid !== null && kid !== undefined && kid !== false && kid !== true) {
      into.push(typeof kid === "object" ? kid : { text: String(kid) });
    }
  }
  return into;
}

/** Let the children of `host` be what `kids` describe. */
export function render(host, ...kids) {
  const wanted = flat(kids, []);
  patchKids(host, host.__kids || [], wanted);
  host.__kids = wanted;
}

const one = (node) => flat([node], [])[0] || { text: "" };

function create(node, svg) {
  if (node.lazy) {
    node.inner = one(node.lazy());
    return (node.el = create(node.inner, svg));
  }
  if (node.text !== undefined) return (node.el = document.createTextNode(node.text));
  const drawn = svg || node.tag === "svg";
  const el = drawn ? document.createElementNS(SVG, node.tag) : document.createElement(node.tag);
  node.el = el;
  if (!node.props.own) for (const kid of node.kids) el.append(create(kid, drawn));
  for (const name in node.props) set(el, name, undefined, node.props[name]);
  if (node.props.mount) queueMicrotask(() => { el.__end = node.props.mount(el); });
  return el;
}

function patch(old, node, svg) {
  if (!alike(old, node)) {
    const el = create(node, svg);
    old.el.replaceWith(el);
    gone(old);
    return el;
  }
  if (node.lazy) {
    const same = old.deps.length === node.deps.length && old.deps.every((dep, i) => Object.is(dep, node.deps[i]));
    node.inner = same ? old.inner : one(node.lazy());
    return (node.el = same ? old.el : patch(old.inner, node.inner, svg));
  }
  const el = (node.el = old.el);
  if (node.text !== undefined) {
    if (old.text !== node.text) el.data = node.text;
    return el;
  }
  for (const name in old.props) if (!(name in node.props)) set(el, name, old.props[name], undefined);
  if (!node.props.own) patchKids(el, old.kids, node.kids, svg || node.tag === "svg");
  for (const name in node.props) set(el, name, old.props[name], node.props[name]);
  return el;
}

function patchKids(host, before, after, svg = host.namespaceURI === SVG) {
  const keyed = new Map();
  const loose = [];
  for (const old of before) old.key === undefined ? loose.push(old) : keyed.set(old.key, old);
  let next = 0;
  const pairs = after.map((node) => {
    if (node.key === undefined) return loose[next++] || null;
    const old = keyed.get(node.key) || null;
    keyed.delete(node.key);
    return old;
  });
  for (const old of [...keyed.values(), ...loose.slice(next)]) {
    old.el.remove();
    gone(old);
  }
  let at = host.firstChild;
  after.forEach((node, i) => {
    const stood = pairs[i] && pairs[i].el === at;
    const el = pairs[i] ? patch(pairs[i], node, svg) : create(node, svg);
    if (stood) at = el.nextSibling;
    else host.insertBefore(el, at);
  });
}

function alike(old, node) {
  if (node.text !== undefined) return old.text !== undefined;
  return old.tag === node.tag && !!old.lazy === !!node.lazy && old.key === node.key;
}

function gone(node) {
  if (node.inner) gone(node.inner);
  node.el?.__end?.();
  for (const kid of node.kids || []) gone(kid);
}

function set(el, name, was, is) {
  if (name === "key" || name === "mount" || name === "own") return;
  if (name === "style" || name === "data") {
    for (const part in was || {}) if (!is || !(part in is)) put(el, name, part, null);
    for (const part in is || {}) if (!was || was[part] !== is[part]) put(el, name, part, is[part]);
  } else if (name.startsWith("on")) {
    if (was !== is) el[name] = is || null;
  } else if (name === "value" || name === "checked" || name === "selected" || name === "indeterminate") {
    if (el[name] !== is && is !== undefined) el[name] = is;
  } else if (was !== is) {
    if (is === undefined || is === null || is === false) el.removeAttribute(name);
    else el.setAttribute(name, is === true ? "" : is);
  }
}

function put(el, name, part, value) {
  if (name === "data") {
    if (value === null || value === undefined || value === false) delete el.dataset[part];
    else el.dataset[part] = value;
  } else el.style.setProperty(part, value ?? "");
}
