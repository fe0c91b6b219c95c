// The clipboard as the user sees it: pasting, the button that copies where the browser wants a click, and a dialog for
// browsers that forbid more, which also says what the administrator has switched off.

import { menu } from './menu.js';
import { PasteKeys } from './paste-keys.js';
import { strings } from './strings.js';

const byId = (id) => document.getElementById(id);

export class ClipboardMenu {
  #stage;
  #notify;
  #clipboard = null; // of clipboard.js, while a desktop is shown
  #waiting = null; // text of the desktop that the browser did not let us write

  constructor(stage, notify) {
    this.#stage = stage;
    this.#notify = notify;
    menu.add({ label: strings.clipboard.item, group: 'clipboard', hidden: () => !this.#clipboard, act: () => this.#open() });
    const texts = {
      'clipboard-title': strings.clipboard.title, 'clipboard-label': strings.clipboard.label, 'clipboard-send': strings.clipboard.send,
      'clipboard-copy': strings.clipboard.copy, 'clipboard-close': strings.close, copy: strings.clipboard.copy,
    };
    for (const [id, text] of Object.entries(texts)) byId(id).textContent = text;
    byId('clipboard-send').addEventListener('click', () => this.#sendTyped());
    byId('clipboard-close').addEventListener('click', () => byId('clipboard-dialog').close());
    for (const id of ['copy', 'clipboard-copy']) byId(id).addEventListener('click', () => this.#copy());
    new PasteKeys(stage, (text) => (this.#send(text) ? this.#clipboard.answer : null));
  }

  /** `clipboard` is that of the desktop that is shown, or null. */
  shows(clipboard) {
    if (this.#clipboard === clipboard) return;
    this.#clipboard = clipboard;
    this.#waiting = null;
    if (clipboard) {
      clipboard.hear = {
        offered: (text) => this.#offered(text),
        tooLong: (from, bytes) => this.#notify(strings.clipboard.tooLong(from, bytes, clipboard.policy.limitBytes)),
        changed: () => this.#fill(),
      };
    } else byId('clipboard-dialog').close();
    menu.refresh();
    this.#fill();
  }

  /** Into the desktop's clipboard; says why where it does not go. */
  #send(text) {
    if (!this.#clipboard) return false;
    const answer = this.#clipboard.send(text);
    if (answer !== 'sent') this.#notify(answer === 'too-long' ? strings.clipboard.tooLong('page', 2 * (text.length + 1), this.#clipboard.policy.limitBytes) : strings.clipboard.to[answer]);
    return answer === 'sent';
  }

  /** To this computer's clipboard by itself only while the user is working here: nothing is overwritten behind their back. */
  async #offered(text) {
    this.#waiting = text;
    if (navigator.userActivation?.isActive && document.hasFocus()) await this.#write();
    this.#fill();
  }

  async #write() {
    const text = this.#waiting;
    try {
      await navigator.clipboard.writeText(text);
      if (this.#waiting === text) this.#waiting = null;
      return true;
    } catch (error) {
      console.warn('this computer’s clipboard', error);
      return false;
    }
  }

  async #copy() {
    const copied = await this.#write();
    this.#fill();
    if (copied) byId('clipboard-dialog').close();
    this.#notify(copied ? strings.clipboard.copied : strings.clipboard.notCopied);
    if (copied) this.#toDesktop();
  }

  #open() {
    byId('clipboard-text').value = '';
    this.#fill();
    byId('clipboard-dialog').showModal();
  }

  #sendTyped() {
    if (!this.#send(byId('clipboard-text').value)) return;
    byId('clipboard-text').value = '';
    byId('clipboard-dialog').close();
    this.#notify(strings.clipboard.sent);
    this.#toDesktop();
  }

  #toDesktop() {
    this.#stage.querySelector('iron-remote-desktop')?.focus({ preventScroll: true });
  }

  #fill() {
    const { policy, ready } = this.#clipboard ?? {};
    const state = (allowed) => (!allowed ? 'off' : !ready ? 'absent' : 'on');
    const to = state(policy?.toDesktop);
    const from = state(policy?.fromDesktop);
    const waits = this.#waiting !== null;
    byId('copy').hidden = !waits;
    byId('clipboard-to').textContent = strings.clipboard.to[to];
    byId('clipboard-entry').hidden = to !== 'on';
    byId('clipboard-from').textContent = waits ? strings.clipboard.waits(this.#waiting.length) : strings.clipboard.from[from];
    byId('clipboard-copy').hidden = !waits;
  }
}
