// One stream for everything that a page watches; it comes back by itself.
//
// While the tab cannot be seen there is no stream: browsers have six connections to a host, and
// a fleet should not work for a page that nobody looks at.

/** The last document of each feed; `trouble[name]` says what is wrong with it, if anything is. */
export const docs = {};
export const trouble = {};

/** `connecting`, `live`, `lost` or `asleep`. */
export let connection = "connecting";

let names = "";
let source = null;
let again = null;
let failures = 0;
let tell = () => {};

export function onLive(listener) {
  tell = listener;
}

/** Watch exactly these feeds from now on. */
export function watch(wanted) {
  const next = [...new Set(wanted)].sort().join(",");
  if (next === names) return;
  names = next;
  open();
}

function open() {
  clearTimeout(again);
  source?.close();
  source = null;
  if (!names) return;
  if (document.hidden) return say("asleep");
  const opened = (source = new EventSource(`/api/live?watch=${encodeURIComponent(names)}`));
  opened.addEventListener("feed", (event) => {
    const { name, value } = JSON.parse(event.data);
    docs[name] = value;
    delete trouble[name];
    failures = 0;
    say("live");
  });
  opened.addEventListener("trouble", (event) => {
    const { name, value } = JSON.parse(event.data);
    trouble[name] = value;
    say("live");
  });
  opened.onerror = () => {
    opened.close();
    if (opened !== source) return;
    failures += 1;
    say("lost");
    again = setTimeout(open, Math.min(5000, 250 * 2 ** failures));
  };
}

function say(state) {
  connection = state;
  tell();
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden !== (source === null)) open();
});
