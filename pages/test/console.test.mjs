import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { fakeDocument } from './fake-dom.mjs';

const elements = new Map();
globalThis.document = fakeDocument();
/** An element that can be a dialog, a field or a button. */
document.getElementById = (id) => {
  if (!elements.has(id)) {
    elements.set(id, Object.assign(document.createElement('div'), {
      value: '', open: false, disabled: false, readOnly: false,
      showModal() { this.open = true; },
      close() {
        this.open = false;
        this.fire('close');
      },
      click() {
        if (this.disabled) return;
        this.onclick?.();
        this.fire('click');
      },
    }));
  }
  return elements.get(id);
};
const kept = new Map();
globalThis.localStorage = { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value) };
const { menu } = await import('../web/menu.js');
const { addConsole } = await import('../web/console.js');

const byId = (id) => document.getElementById(id);
const [menuButton, list] = [document.createElement('button'), document.createElement('div')];
menu.attach(menuButton, list);

let [sent, pressed, allowed, connected] = [[], [], [], false];
addConsole({
  controls: () => (connected ? { sendKey: (keysym, code, down) => Boolean(sent.push(`${code}${down ? '+' : '-'}`)) } : {}),
  power: () => allowed,
  pressButton: (action) => pressed.push(action),
  focus: () => sent.push('focus'),
});
beforeEach(() => {
  [sent, pressed, allowed, connected] = [[], [], ['shutdown', 'reset'], true];
  for (const dialog of ['type-dialog', 'power-dialog']) byId(dialog).close();
});

const entries = () => {
  menu.close();
  menuButton.click();
  return list.children.filter((entry) => entry.getAttribute('role') === 'menuitem');
};
const choose = (label) => entries().find(({ textContent }) => textContent === label).click();
const enter = (text) => {
  byId('type-text').value = text;
  byId('type-text').fire('input');
};
const until = async (condition) => {
  while (!condition()) await new Promise((resolve) => { setTimeout(resolve, 5); });
};

test('the menu has what the screen can do and the session allows', () => {
  assert.deepEqual(entries().map(({ textContent }) => textContent), ['Paste as typing…', 'Shut down…', 'Reset…']);
  [allowed, connected] = [['poweroff'], false];
  assert.deepEqual(entries().map(({ textContent }) => textContent), ['Switch off…']);
});

test('a button of the machine is pressed once it is confirmed, and not when it is cancelled', () => {
  choose('Reset…');
  assert.deepEqual([byId('power-dialog').open, byId('power-title').textContent, pressed], [true, 'Reset the machine?', []]);
  byId('power-no').click();
  assert.deepEqual([byId('power-dialog').open, pressed], [false, []]);
  choose('Shut down…');
  byId('power-yes').click();
  assert.deepEqual([byId('power-dialog').open, pressed], [false, ['shutdown']]);
});

test('what has no key is named, and nothing is typed before it is gone', () => {
  choose('Paste as typing…');
  assert.equal(byId('type-yes').disabled, true);
  enter('Grüße\u0007');
  assert.match(byId('type-problem').textContent, /ü ß U\+0007/);
  byId('type-yes').click();
  assert.deepEqual([byId('type-yes').disabled, sent], [true, []]);
  enter('x'.repeat(4097));
  assert.match(byId('type-problem').textContent, /4097 characters are too many/);
  byId('type-layout').value = 'de';
  byId('type-layout').fire('change');
  enter('ü');
  assert.deepEqual([byId('type-problem').hidden, byId('type-yes').disabled], [true, false]);
  byId('type-dialog').close();
  choose('Paste as typing…');
  assert.deepEqual([byId('type-text').value, byId('type-layout').value], ['', 'de']);
  kept.clear();
});

test('a text is typed, then the dialog is gone, its text forgotten, and the screen has the keyboard', async () => {
  choose('Paste as typing…');
  enter('aB');
  byId('type-yes').click();
  await until(() => !byId('type-dialog').open);
  assert.deepEqual(sent, ['KeyA+', 'KeyA-', 'ShiftLeft+', 'KeyB+', 'KeyB-', 'ShiftLeft-', 'focus']);
  assert.equal(byId('type-text').value, '');
});

test('what is cancelled, or loses its machine, says how far it came and keeps the rest', async () => {
  choose('Paste as typing…');
  enter('abcdef');
  byId('type-yes').click();
  await until(() => byId('type-progress').value === 2);
  byId('type-no').click();
  await until(() => !byId('type-problem').hidden);
  const [, typed] = /Stopped: (\d) of 6/.exec(byId('type-problem').textContent);
  assert.equal(byId('type-text').value, 'abcdef'.slice(Number(typed)));
  assert.equal(sent.filter((event) => event.endsWith('+')).length, Number(typed));
  connected = false;
  enter('xyz');
  byId('type-yes').click();
  await until(() => !byId('type-problem').hidden);
  assert.match(byId('type-problem').textContent, /Stopped: 0 of 3/);
  assert.deepEqual([byId('type-dialog').open, byId('type-text').value], [true, 'xyz']);
});
