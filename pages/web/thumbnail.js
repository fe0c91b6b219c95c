// The machine's screen, small, while it boots: the connector sends pictures as long as somebody watches.

import { Backoff } from './backoff.js';
import { closing } from './door.js';

/**
 * Keeps `image` showing the machine's screen while `wanted()`, and hides it else. `open()` opens the proven door, `until`
 * and `pause` are main.js'. Ends when `over()`.
 */
export async function keepThumbnail(image, { open, until, pause, wanted, over }) {
  const backoff = new Backoff();
  for (;;) {
    await until(() => over() || wanted());
    if (over()) return;
    const began = performance.now();
    let shown = null;
    try {
      const door = await open();
      door.socket.addEventListener('message', ({ data }) => {
        const before = shown;
        shown = URL.createObjectURL(new Blob([data], { type: 'image/png' }));
        Object.assign(image, { src: shown, hidden: false });
        if (before) URL.revokeObjectURL(before);
      });
      door.handOver();
      until(() => over() || !wanted() || door.socket.readyState === WebSocket.CLOSED).then(() => door.socket.close());
      await closing(door.socket);
    } catch {
      // Closed, for whatever reason: the events' socket hears of those that matter.
    }
    image.hidden = true;
    image.removeAttribute('src');
    if (shown) URL.revokeObjectURL(shown);
    if (wanted()) await pause(backoff.delay(performance.now() - began));
  }
}
