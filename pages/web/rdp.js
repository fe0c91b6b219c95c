// The desktop: IronRDP's engine (WebAssembly) and its web component.

import '@devolutions/iron-remote-desktop';
import { Backend, displayControl, init } from '@devolutions/iron-remote-desktop-rdp';
import { backdrop, canvasOf, onDraw } from './canvas.js';
import { chosen } from './choices.js';
import { DesktopClipboard } from './clipboard.js';
import { keyboardLayout } from './desktop-menu.js';
import { DoorClosed, closing } from './door.js';
import { Follower, desktopSize, shownSize } from './follow.js';
import { lend } from './lent-socket.js';

/** The engine's last word and the closing of the socket come together, in any order: so long each waits for the other. */
const LAST_WORD_MS = 300;
/** A server that ends the connection so soon after we have changed its size, or come anew, does so because of that (xrdp 0.9.21). */
const OWN_DOING_MS = 15_000;
/** So often in a row such an end is answered by coming again. */
const SILENT_TRIES = 3;
const SILENT_PAUSE_MS = 500;
/** A new picture is drawn piece by piece: so long the old one stays over it, at least and at most. */
const DRAWING_MS = 400;
const UNDRAWN_MS = 10_000;
/** IronRDP's ScreenScale.Fit. */
const FIT = 1;

/** The component sizes its picture by the window; ours stands on the stage. */
const sheet = new CSSStyleSheet();
sheet.replaceSync(`
  :host > div { display: flex !important; height: 100%; align-items: center !important; justify-content: center !important; }
  .screen-viewer { width: var(--shown-width) !important; min-width: 0 !important; max-width: none !important; height: var(--shown-height) !important; min-height: 0 !important; max-height: none !important; }
`);

let engine = null;

/** Loads and compiles the engine, so that the desktop shows at once when it is there. */
export function preload() {
  engine ??= init('WARN').catch((error) => {
    engine = null;
    throw error;
  });
  return engine;
}

/** How many pixels of the desktop a CSS pixel is: those of the screen, or one where the user wants everything larger. */
function ratio() {
  return chosen('sharp', 'yes') === 'yes' ? devicePixelRatio : 1;
}

/**
 * Shows the desktop in `stage` until it is over. Resolves if the server said goodbye (a sign-out, another program that
 * took the desktop over): then a new connection is the user's to ask for. Rejects with DoorClosed, or with an Error with
 * `why`, a key of strings.deskWhy. `open` opens the proven door; `shown` hears, at each connection, that the desktop is
 * there, and gets `{reconnect, received, clipboard}`: connect again with what is chosen now, how many bytes have come so far, and
 * the DesktopClipboard.
 */
export async function show(stage, open, shown) {
  await preload();
  const wanted = () => desktopSize(stage.clientWidth, stage.clientHeight, ratio());
  let connection = null;
  let everShown = false;
  let ownDoing = -Infinity;
  let silent = 0;
  const reconnect = () => connection?.leave();
  const follower = new Follower({
    ask(size) {
      ownDoing = performance.now();
      connection.resize(size);
    },
    reconnect,
  });
  const follow = () => {
    connection?.fit();
    follower.want(wanted());
  };
  const observer = new ResizeObserver(follow);
  observer.observe(stage);
  let received = 0;
  const clipboard = new DesktopClipboard(Backend);
  const controls = { reconnect, received: () => received, clipboard };
  try {
    for (;;) {
      const begun = performance.now();
      connection = new Connection(stage, follower, clipboard);
      try {
        await connection.run(open, wanted(), (bytes) => { received += bytes; }, () => {
          everShown = true;
          shown(controls);
        });
        if (!connection.left && !silently()) return;
      } catch (error) {
        if ((error instanceof DoorClosed && error.kind !== 'lost') || !silently()) throw error;
      }
      // A connection that held for a while starts the count again.
      silent = performance.now() - begun > OWN_DOING_MS ? 0 : silent + 1;
      ownDoing = performance.now();
      if (!connection.left) await new Promise((resolve) => { setTimeout(resolve, SILENT_PAUSE_MS); });
    }
  } finally {
    observer.disconnect();
    follower.gone();
    stage.replaceChildren();
  }

  /** Whether the end that has just come is ours to mend. */
  function silently() {
    return everShown && silent < SILENT_TRIES && performance.now() - ownDoing < OWN_DOING_MS;
  }
}

/** One connection to the desktop. */
class Connection {
  left = false; // we closed it, to open another
  wasShown = false;
  #stage;
  #follower;
  #clipboard;
  #element = null;
  #ui = null;
  #socket = null;
  #asking = null; // the picture as it was when another size was asked for

  constructor(stage, follower, clipboard) {
    this.#stage = stage;
    this.#follower = follower;
    this.#clipboard = clipboard;
  }

  leave() {
    this.left = true;
    this.leaveBackdrop();
    this.#socket?.close();
  }

  resize({ width, height, scale }) {
    this.#asking = backdrop(canvasOf(this.#stage));
    this.#ui.resize(width, height, scale);
    this.#ui.setScale(FIT); // resize() has changed the component's idea of the picture's size before there is one
  }

  /** The picture stands on the stage as shownSize() has it. */
  fit() {
    const canvas = canvasOf(this.#stage);
    if (!canvas || !this.#element) return;
    const { width, height } = shownSize(canvas, { width: this.#stage.clientWidth, height: this.#stage.clientHeight }, ratio());
    this.#element.style.setProperty('--shown-width', `${width}px`);
    this.#element.style.setProperty('--shown-height', `${height}px`);
  }

  /** The last picture stays on the stage until the next connection has one. */
  leaveBackdrop() {
    if (this.wasShown && !this.#stage.querySelector('.backdrop')) this.#stage.append(backdrop(canvasOf(this.#stage)));
  }

  /** Until the connection is over; see show(). */
  async run(open, size, received, shown) {
    const old = this.#stage.querySelector('.backdrop');
    const destination = `desktop?keyboard=${await keyboardLayout()}&scale=${size.scale}`;
    const focus = !old || document.activeElement === document.body || this.#stage.contains(document.activeElement);
    this.#element = document.createElement('iron-remote-desktop');
    this.#ui = await this.#insert(old);
    if (this.left) return;
    const door = await open();
    this.#socket = door.socket;
    if (this.left) door.socket.close();
    door.socket.addEventListener('message', (event) => {
      if (typeof event.data !== 'string') return;
      event.stopImmediatePropagation(); // for us, not for the engine
      this.#clipboard.told(event.data);
    });
    door.socket.addEventListener('message', ({ data }) => received(data.byteLength ?? data.size ?? 0));
    const closed = closing(door.socket);
    const closedForGood = closing(door.socket, LAST_WORD_MS);
    let failure = null;
    try {
      lend(door);
      // Required by the builder, used by nobody: the connector knows its machine and holds the user's real credentials.
      const config = this.#ui.configBuilder()
        .withUsername('casement').withPassword('casement').withServerDomain('')
        .withDestination(destination).withAuthToken('proven').withProxyAddress(door.socket.url)
        .withDesktopSize({ width: size.width, height: size.height })
        .withExtension(displayControl(true))
        .build();
      const session = await Promise.race([this.#ui.connect(config), closedForGood]);
      this.#connected(size, old);
      shown();
      if (focus) setTimeout(() => this.#element.focus({ preventScroll: true })); // the component shows its canvas in a task of its own
      await Promise.race([session.run(), closedForGood]);
    } catch (error) {
      failure = error;
    }
    const close = await Promise.race([closed.catch((reason) => reason), new Promise((resolve) => { setTimeout(resolve, LAST_WORD_MS); })]);
    this.leaveBackdrop();
    this.#follower.gone();
    door.socket.close();
    this.#element.remove();
    if (this.left) return;
    if (close && close.kind !== 'lost') throw close;
    if (failure && !isGoodbye(failure)) throw explained(failure);
  }

  /** Resolves with the component's controls. */
  #insert(old) {
    const element = this.#element;
    element.module = this.#clipboard.module();
    element.setAttribute('scale', 'fit');
    element.setAttribute('flexcenter', 'true');
    const ready = new Promise((resolve) => {
      element.addEventListener('ready', ({ detail: { irgUserInteraction: ui } }) => {
        // The component's own clipboard polls, and the browser asks for permission; ours is in clipboard.js.
        ui.setEnableClipboard(false);
        ui.setEnableAutoClipboard(false);
        resolve(ui);
      }, { once: true });
    });
    this.#stage.replaceChildren(element, ...(old ? [old] : []));
    element.shadowRoot.adoptedStyleSheets.push(sheet);
    return ready;
  }

  #connected(size, old) {
    const canvas = canvasOf(this.#stage);
    this.wasShown = true;
    this.#follower.connected({ width: canvas.width, height: canvas.height }, size);
    new MutationObserver(() => {
      this.#follower.has({ width: canvas.width, height: canvas.height });
      this.fit();
      // A canvas of another size is empty.
      if (this.#asking) this.#coverUntilDrawn(canvas, this.#asking);
      this.#asking = null;
    }).observe(canvas, { attributeFilter: ['width', 'height'] });
    this.fit();
    this.#ui.setVisibility(true);
    if (old) this.#coverUntilDrawn(canvas, old);
  }

  /** `picture` stands over `canvas` until there is something to see there. */
  #coverUntilDrawn(canvas, picture) {
    const away = (ms) => setTimeout(() => picture.remove(), ms);
    this.#stage.append(picture);
    const stop = onDraw(canvas, () => {
      stop();
      away(DRAWING_MS);
    });
    away(UNDRAWN_MS);
  }
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
