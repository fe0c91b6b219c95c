// A paste in the focused desktop. The browser gives the page this computer's clipboard with its paste event and asks
// nobody; so its keys are kept from the engine until the text is in the desktop, and then let through.

import { press } from './keys.js';

/** The paste event comes right after the key; where the browser has none for it, the key goes on alone. */
const EVENT_MS = 100;
/** Between the desktop's answer and its clipboard: xrdp's chansrv answers first and takes the clipboard over then. */
const SETTLE_MS = 50;
/** A desktop that does not answer what it is offered; longer, and the user thinks that the keys are lost. */
const ANSWER_MS = 3000;

const after = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Ctrl-V (with Shift in terminals), Shift-Insert; Cmd-V is the Mac's. */
export function isPaste({ code, key, ctrlKey, shiftKey, altKey, metaKey }) {
  if (altKey) return false;
  if (code === 'Insert') return shiftKey && !ctrlKey && !metaKey;
  return (ctrlKey !== metaKey) && (code === 'KeyV' || key.toLowerCase() === 'v');
}

export class PasteKeys {
  #stage;
  #send;
  #held = null; // keys that wait, in their order
  #timer = 0;

  /** `send(text)` gives a text to the desktop's clipboard: a promise of the desktop's answer, or null where it did not go. */
  constructor(stage, send) {
    this.#stage = stage;
    this.#send = send;
    addEventListener('keydown', (event) => this.#key(event), true);
    addEventListener('keyup', (event) => this.#key(event), true);
    addEventListener('paste', (event) => this.#paste(event), true);
  }

  #isFocused() {
    return this.#stage.contains(document.activeElement);
  }

  #key(event) {
    if (!event.isTrusted || !this.#isFocused()) return; // ours come through
    if (this.#held === null) {
      if (event.type !== 'keydown' || event.repeat || !isPaste(event)) return;
      this.#held = [];
      this.#timer = setTimeout(() => this.#release(), EVENT_MS);
    } else event.preventDefault();
    event.stopImmediatePropagation();
    this.#held.push(event);
  }

  async #paste(event) {
    if (!this.#isFocused()) return;
    event.preventDefault();
    clearTimeout(this.#timer);
    const byKeys = this.#held !== null;
    this.#held ??= [];
    const text = event.clipboardData?.getData('text/plain') ?? '';
    const answer = text === '' ? null : this.#send(text);
    if (answer) {
      await Promise.race([answer, after(ANSWER_MS)]);
      await after(SETTLE_MS);
    }
    this.#release();
    if (!byKeys) press(this.#stage.querySelector('iron-remote-desktop'), ['ControlLeft', 'KeyV']);
  }

  #release() {
    const held = this.#held ?? [];
    this.#held = null;
    for (const event of held) dispatchEvent(again(event));
  }
}

function again(event) {
  const { type, code, key, location, repeat, ctrlKey, shiftKey, altKey, metaKey } = event;
  return new KeyboardEvent(type, {
    code, key, location, repeat, ctrlKey, shiftKey, altKey, metaKey, cancelable: true,
    modifierCapsLock: event.getModifierState('CapsLock'), modifierNumLock: event.getModifierState('NumLock'), modifierScrollLock: event.getModifierState('ScrollLock'),
  });
}
