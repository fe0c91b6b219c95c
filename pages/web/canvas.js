// The canvas that shows the desktop or the machine's screen, whoever draws on it.

/** The stage's canvas, or null. RDP's is in the component's shadow. */
export function canvasOf(stage) {
  return stage.querySelector('iron-remote-desktop')?.shadowRoot.querySelector('canvas') ?? stage.querySelector('canvas:not(.backdrop)');
}

const drawing = new WeakMap(); // canvas → what wants to know when it is drawn on

/** Calls `drawn` after each drawing on `canvas`, until the function that this returns is called. */
export function onDraw(canvas, drawn) {
  if (!drawing.has(canvas)) drawing.set(canvas, hook(canvas.getContext('2d')));
  const wanting = drawing.get(canvas);
  wanting.add(drawn);
  return () => wanting.delete(drawn);
}

function hook(context) {
  const wanting = new Set();
  for (const name of ['putImageData', 'drawImage']) {
    const draw = context[name];
    context[name] = (...given) => {
      draw.apply(context, given);
      for (const drawn of [...wanting]) drawn();
    };
  }
  return wanting;
}

/** A picture of what `canvas` shows, to stand on the stage while there is no other. */
export function backdrop(canvas) {
  const picture = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height, className: 'backdrop', ariaHidden: 'true' });
  picture.getContext('2d').drawImage(canvas, 0, 0);
  return picture;
}
