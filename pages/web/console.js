// What the console can do beside showing: typing a text for its user, and the machine's buttons. Adds itself to the menu.

import { menu } from './menu.js';
import { strings } from './strings.js';
import { LIMIT_CHARS, layouts, plan, press } from './typing.js';

const LAYOUT_SLOT = 'casement-typing-layout';
const byId = (id) => document.getElementById(id);

/**
 * `controls()` is what the shown screen can do ({sendKey} where it is a console), `power()` the machine's buttons that
 * the session allows, `pressButton(action)` presses one, `focus()` gives the keyboard to the screen.
 */
export function addConsole({ controls, power, pressButton, focus }) {
  const typing = addTyping({ controls, focus });
  menu.add({ label: strings.typing.open, group: 'keys', hidden: () => !controls().sendKey, act: typing });
  for (const action of ['shutdown', 'reset', 'poweroff']) {
    menu.add({
      label: strings.power[action].open,
      group: 'power',
      hidden: () => !power().includes(action),
      act: () => confirm(strings.power[action], () => pressButton(action)),
    });
  }
}

function confirm({ title, text, yes }, act) {
  const dialog = byId('power-dialog');
  byId('power-title').textContent = title;
  byId('power-text').textContent = text;
  byId('power-yes').textContent = yes;
  byId('power-no').textContent = strings.cancel;
  byId('power-no').onclick = () => dialog.close();
  byId('power-yes').onclick = () => {
    dialog.close();
    act();
  };
  dialog.showModal();
}

function addTyping({ controls, focus }) {
  const [dialog, text, layout, problem, progress, begin, cancel] = ['dialog', 'text', 'layout', 'problem', 'progress', 'yes', 'no'].map((part) => byId(`type-${part}`));
  const texts = { title: strings.typing.title, hint: strings.typing.hint, 'text-label': strings.typing.text, 'layout-label': strings.typing.layout, yes: strings.typing.begin, no: strings.cancel };
  for (const [part, words] of Object.entries(texts)) byId(`type-${part}`).textContent = words;
  progress.setAttribute('aria-label', strings.typing.progress);
  layout.replaceChildren(...layouts.map((name) => Object.assign(document.createElement('option'), { value: name, textContent: strings.typing.layouts[name] })));
  let running = null; // an AbortController while keys are pressed

  const show = (message = '') => {
    const { characters, missing } = plan(text.value, layout.value);
    const tooMany = characters.length > LIMIT_CHARS;
    const wrong = tooMany ? strings.typing.tooLong(characters.length, LIMIT_CHARS) : missing.length > 0 ? strings.typing.missing(missing.map(named)) : message;
    if (problem.textContent !== wrong) problem.textContent = wrong;
    problem.hidden = wrong === '';
    progress.hidden = running === null;
    begin.disabled = running !== null || tooMany || missing.length > 0 || characters.length === 0;
    text.readOnly = layout.disabled = running !== null;
  };

  const type = async () => {
    const { characters, presses } = plan(text.value, layout.value);
    running = new AbortController();
    Object.assign(progress, { max: characters.length, value: 0 });
    show();
    cancel.focus(); // the one that had it is disabled
    const send = (...event) => controls().sendKey?.(...event) ?? false;
    const done = await press(presses, send, { signal: running.signal, went: (count) => { progress.value = count; } });
    running = null;
    if (done === characters.length) {
      dialog.close();
      focus();
      return;
    }
    // What is left stays, to be gone on with.
    text.value = characters.slice(done).join('');
    show(strings.typing.stopped(done, characters.length));
    text.focus();
  };

  text.addEventListener('input', () => show());
  layout.addEventListener('change', () => {
    localStorage.setItem(LAYOUT_SLOT, layout.value);
    show();
  });
  begin.addEventListener('click', type);
  cancel.addEventListener('click', () => (running ? running.abort() : dialog.close()));
  dialog.addEventListener('cancel', (event) => {
    if (!running) return;
    event.preventDefault();
    running.abort();
  });
  dialog.addEventListener('close', () => {
    running?.abort();
    text.value = ''; // it may be a password
  });
  return () => {
    const last = localStorage.getItem(LAYOUT_SLOT);
    layout.value = layouts.includes(last) ? last : layouts[0];
    show();
    dialog.showModal();
    text.focus();
  };
}

/** A character as a person can find it: what cannot be seen by its number. */
function named(character) {
  return /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(character) ? character : `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}
