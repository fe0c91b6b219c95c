// What the menu offers while the RDP desktop is shown.

import { canvasOf } from './canvas.js';
import { choose, chosen } from './choices.js';
import { Figures } from './figures.js';
import { fileTime } from './format.js';
import { canFullScreen, isFullScreen, toggleFullScreen } from './full-screen.js';
import { COMBINATIONS, press } from './keys.js';
import { LAYOUTS, guessLayout } from './layouts.js';
import { menu } from './menu.js';
import { strings } from './strings.js';

const byId = (id) => document.getElementById(id);

/** What the keyboard's keys type, where the browser tells (Chromium, in a secure context). */
const letters = (async () => {
  const map = await navigator.keyboard?.getLayoutMap?.().catch(() => null);
  return (code) => map?.get(code);
})();

const guessed = async () => guessLayout(navigator.languages, await letters);

/** The number of the layout to connect with. */
export async function keyboardLayout() {
  const choice = chosen('keyboard', 'auto');
  return LAYOUTS.some(([number]) => number === choice) ? choice : guessed();
}

/** `name()` names the session, `notify(text)` shows a notice, `echo()` measures the way to the session's computer. */
export class DesktopMenu {
  #stage;
  #notify;
  #name;
  #figures;
  #echo;
  #desktop = null; // what rdp.js gives while the desktop is shown

  constructor(stage, { name, notify, echo }) {
    this.#stage = stage;
    this.#name = name;
    this.#notify = notify;
    this.#echo = echo;
    this.#figures = new Figures(byId('figures'), stage);
    const add = (item) => menu.add({ ...item, hidden: () => !this.#desktop || item.hidden?.() });
    for (const [key, codes] of Object.entries(COMBINATIONS)) {
      add({ label: strings.keys[key], group: 'keys', act: () => press(this.#component(), codes) });
    }
    add({ label: strings.keyboard, group: 'input', act: () => this.#askLayout() });
    add({ label: strings.fullScreen, group: 'view', checked: isFullScreen, hidden: () => !canFullScreen(), act: () => this.#fullScreen() });
    add({ label: strings.sharp, group: 'view', checked: sharp, hidden: () => devicePixelRatio === 1, act: () => this.#toggleSharp() });
    add({ label: strings.figuresItem, group: 'view', checked: () => this.#figures.on, act: () => this.#toggleFigures() });
    add({ label: strings.screenshot, group: 'view', act: () => this.#save() });
    this.#layoutDialog();
  }

  /** `desktop` is what show() in rdp.js gave, or null where no desktop is shown. */
  shows(desktop) {
    if (this.#desktop === desktop) return;
    this.#desktop = desktop;
    if (!desktop) this.#figures.off();
    else if (chosen('figures') === 'yes') this.#showFigures();
    menu.refresh();
  }

  #component() {
    return this.#stage.querySelector('iron-remote-desktop');
  }

  #toDesktop() {
    this.#component()?.focus({ preventScroll: true });
  }

  async #fullScreen() {
    try {
      const keys = await toggleFullScreen();
      if (keys !== null) this.#notify(keys ? strings.fullScreenKeys : strings.fullScreenNoKeys);
    } catch (error) {
      console.warn('no full screen', error);
    }
    this.#toDesktop();
  }

  #toggleSharp() {
    choose('sharp', sharp() ? 'no' : 'yes');
    this.#desktop.reconnect(); // the scale is told at connecting only
  }

  #toggleFigures() {
    choose('figures', this.#figures.on ? 'no' : 'yes');
    if (this.#figures.on) this.#figures.off();
    else this.#showFigures();
    this.#toDesktop();
  }

  #showFigures() {
    this.#figures.show({ received: () => this.#desktop?.received() ?? 0, echo: this.#echo });
  }

  #save() {
    canvasOf(this.#stage).toBlob((picture) => {
      const link = document.createElement('a');
      link.href = URL.createObjectURL(picture);
      link.download = `casement-${this.#name()}-${fileTime(new Date())}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      this.#toDesktop();
    });
  }

  #layoutDialog() {
    const texts = { 'keyboard-title': strings.keyboardTitle, 'keyboard-text': strings.keyboardText, 'keyboard-label': strings.keyboardLabel, 'keyboard-no': strings.cancel, 'keyboard-yes': strings.keyboardSet };
    for (const [id, text] of Object.entries(texts)) byId(id).textContent = text;
    const dialog = byId('keyboard-dialog');
    byId('keyboard-no').addEventListener('click', () => dialog.close());
    byId('keyboard-yes').addEventListener('click', () => {
      dialog.close();
      choose('keyboard', byId('keyboard').value);
      this.#desktop?.reconnect();
      this.#toDesktop();
    });
  }

  async #askLayout() {
    const option = (value, text) => new Option(text, value);
    const named = LAYOUTS.map(([number]) => option(number, strings.layouts[number])).sort((a, b) => a.text.localeCompare(b.text));
    byId('keyboard').replaceChildren(option('auto', strings.keyboardAuto(strings.layouts[await guessed()])), ...named);
    byId('keyboard').value = chosen('keyboard', 'auto');
    byId('keyboard-dialog').showModal();
  }
}

function sharp() {
  return chosen('sharp', 'yes') === 'yes';
}
