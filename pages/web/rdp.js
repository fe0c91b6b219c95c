// The desktop: IronRDP's engine (WebAssembly) and its web component.

import '@devolutions/iron-remote-desktop';
import { Backend, init } from '@devolutions/iron-remote-desktop-rdp';
import { closing } from './door.js';
import { lend } from './lent-socket.js';

/** A goodbye of the RDP server and the closing of the socket come together; the goodbye says more. */
const GOODBYE_MS = 300;
/** What RDP allows (MS-RDPBCGR, desktopWidth); the width's odd pixels smear in the engine's bitmaps. */
const WIDTH_STEP = 4;
const SIDE = { least: 200, most: 8192 };

let engine = null;

/** Loads and compiles the engine, so that the desktop shows at once when it is there. */
export function preload() {
  engine ??= init('WARN').catch((error) => {
    engine = null;
    throw error;
  });
  return engine;
}

/**
 * Shows the desktop in `stage` until it is over: resolves with the server's reason if it said goodbye, rejects with
 * DoorClosed or an Error with `why`, an index of strings.deskWhy. `open` opens the proven door, `shown` hears that the
 * desktop is there.
 */
export async function show(stage, open, shown) {
  await preload();
  const element = document.createElement('iron-remote-desktop');
  element.module = Backend;
  element.setAttribute('scale', 'fit');
  element.setAttribute('flexcenter', 'true');
  const ready = new Promise((resolve) => {
    element.addEventListener('ready', ({ detail: { irgUserInteraction: ui } }) => {
      // Both, and now: else the component polls the clipboard, and the browser asks for permission.
      ui.setEnableClipboard(false);
      ui.setEnableAutoClipboard(false);
      resolve(ui);
    }, { once: true });
  });
  stage.replaceChildren(element);
  let door = null;
  try {
    const ui = await ready;
    door = await open();
    const closed = closing(door.socket, GOODBYE_MS);
    lend(door);
    // Required by the builder, used by nobody: the connector knows its machine and holds the user's real credentials.
    const config = ui.configBuilder()
      .withUsername('casement').withPassword('casement').withServerDomain('')
      .withDestination('desktop').withAuthToken('proven').withProxyAddress(door.socket.url)
      .withDesktopSize({ width: side(stage.clientWidth, WIDTH_STEP), height: side(stage.clientHeight, 2) })
      .build();
    const session = await Promise.race([ui.connect(config), closed]);
    ui.setVisibility(true);
    shown({});
    element.focus({ preventScroll: true });
    return (await Promise.race([session.run(), closed])).reason();
  } catch (error) {
    throw explained(error);
  } finally {
    door?.socket.close();
    element.remove();
  }
}

function side(pixels, step) {
  const bounded = Math.min(SIDE.most, Math.max(SIDE.least, pixels));
  return bounded - (bounded % step);
}

/** The engine's errors are objects of its own. */
function explained(error) {
  if (typeof error?.kind !== 'function') return error;
  const readable = new Error(error.backtrace());
  readable.why = error.kind();
  return readable;
}
