// The canvas that shows the desktop or the machine's screen, whoever draws on it.

/** The stage's canvas, or null. RDP's is in the component's shadow. */
export function canvasOf(stage) {
  return stage.querySelector('iron-remote-desktop')?.shadowRoot.querySelector('canvas') ?? stage.querySelector('canvas:not(.backdrop)');
}

/** Calls `drawn` after each drawing on `canvas`, until the function that this returns is called. */
export function onDraw(canvas, drawn) {
  const context = canvas.getContext('2d');
  const putImageData = context.putImageData;
  const drawImage = context.drawImage;
  const after = (draw) => function (...given) {
    draw.apply(this, given);
    drawn();
  };
  Object.assign(context, { putImageData: after(putImageData), drawImage: after(drawImage) });
  return () => Object.assign(context, { putImageData, drawImage });
}

/** A picture of what `canvas` shows, to stand on the stage while there is no other. */
export function backdrop(canvas) {
  const picture = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height, className: 'backdrop', ariaHidden: 'true' });
  picture.getContext('2d').drawImage(canvas, 0, 0);
  const { width, height } = canvas.getBoundingClientRect();
  picture.style.width = `${width}px`;
  picture.style.height = `${height}px`;
  return picture;
}
