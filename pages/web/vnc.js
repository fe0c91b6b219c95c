// The machine's screen: noVNC.

import RFB from '@novnc/novnc';
import { closing } from './door.js';

export async function preload() {}

/** As show() in rdp.js. */
export async function show(stage, open, shown) {
  const door = await open();
  const closed = closing(door.socket);
  stage.replaceChildren();
  const screen = new RFB(stage, door.socket, { shared: true });
  let connected = true;
  screen.addEventListener('disconnect', () => { connected = false; });
  try {
    screen.scaleViewport = true;
    screen.background = 'transparent';
    screen.addEventListener('connect', () => {
      shown({
        ctrlAltDel: () => screen.sendCtrlAltDel(),
        /** Says whether there was somebody to send to. */
        sendKey(keysym, code, down) {
          if (connected) screen.sendKey(keysym, code, down);
          return connected;
        },
      });
      screen.focus({ preventScroll: true });
    });
    // QEMU speaks first: what it said since the proof is delivered now.
    door.handOver();
    return await closed;
  } finally {
    if (connected) screen.disconnect();
    stage.replaceChildren();
  }
}
