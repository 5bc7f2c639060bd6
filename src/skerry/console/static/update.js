// Draw again, once a frame at most, whoever asks and however often.

let draw = () => {};
let asked = false;

export function onUpdate(listener) {
  draw = listener;
}

export function update() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    draw();
  });
}
