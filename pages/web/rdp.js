// The desktop: IronRDP's engine (WebAssembly) and its web component.

import '@devolutions/iron-remote-desktop';
import { Backend, init } from '@devolutions/iron-remote-desktop-rdp';
import { closing } from './door.js';
import { lend } from './lent-socket.js';

/** The engine's last word and the closing of the socket come together, in any order: so long each waits for the other. */
const LAST_WORD_MS = 300;
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
 * Shows the desktop in `stage` until it is over. Resolves if the server said goodbye (a sign-out, another program that
 * took the desktop over): then a new connection is the user's to ask for. Rejects with DoorClosed, or with an Error with
 * `why`, a key of strings.deskWhy. `open` opens the proven door, `shown` hears that the desktop is there.
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
  const ui = await ready;
  const door = await open();
  const closed = closing(door.socket);
  const closedForGood = closing(door.socket, LAST_WORD_MS);
  let failure = null;
  try {
    lend(door);
    // Required by the builder, used by nobody: the connector knows its machine and holds the user's real credentials.
    const config = ui.configBuilder()
      .withUsername('casement').withPassword('casement').withServerDomain('')
      .withDestination('desktop').withAuthToken('proven').withProxyAddress(door.socket.url)
      .withDesktopSize({ width: side(stage.clientWidth, WIDTH_STEP), height: side(stage.clientHeight, 2) })
      .build();
    const session = await Promise.race([ui.connect(config), closedForGood]);
    ui.setVisibility(true);
    shown({});
    setTimeout(() => element.focus({ preventScroll: true })); // the component shows its canvas in a task of its own
    await Promise.race([session.run(), closedForGood]);
  } catch (error) {
    failure = error;
  }
  const close = await Promise.race([closed.catch((reason) => reason), new Promise((resolve) => { setTimeout(resolve, LAST_WORD_MS); })]);
  door.socket.close();
  element.remove();
  if (close && close.kind !== 'lost') throw close;
  if (failure && !isGoodbye(failure)) throw explained(failure);
}

function side(pixels, step) {
  const bounded = Math.min(SIDE.most, Math.max(SIDE.least, pixels));
  return bounded - (bounded % step);
}

/** The engine takes MCS' way to say goodbye (T.125, Disconnect Provider Ultimatum) for an error. */
function isGoodbye(error) {
  return typeof error?.kind === 'function' && error.backtrace().includes('disconnect provider ultimatum');
}

/** The engine's errors are objects of its own. */
function explained(error) {
  if (typeof error?.kind !== 'function') return error;
  const readable = new Error(error.backtrace());
  readable.why = error.kind();
  return readable;
}
