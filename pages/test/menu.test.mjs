import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Menu } from '../web/menu.js';
import { fakeDocument } from './fake-dom.mjs';

let document;
let menu;
let button;
let list;
let done;
beforeEach(() => {
  document = fakeDocument();
  [button, list] = [document.createElement('button'), document.createElement('div')];
  menu = new Menu();
  menu.attach(button, list);
  done = [];
});

const add = (label, more = {}) => menu.add({ label, act: () => done.push(label), ...more });
const press = (key) => document.activeElement.press(key);
const labels = () => list.children.map((entry) => (entry.getAttribute('role') === 'separator' ? '-' : entry.textContent));
const focused = () => document.activeElement.textContent;

test('a menu without items shows no button', () => {
  assert.equal(button.hidden, true);
  const remove = add('One');
  assert.equal(button.hidden, false);
  remove();
  assert.equal(button.hidden, true);
});

test('the arrows open it and go round, Home and End to the ends, a letter to its entry', () => {
  for (const label of ['One', 'Two', 'Three']) add(label);
  button.focus();
  const seen = ['ArrowDown', 'ArrowDown', 'ArrowUp', 'ArrowUp', 'ArrowDown', 'End', 'Home', 't', 't', 't', 'x'].map((key) => {
    press(key);
    return focused();
  });
  assert.deepEqual(seen, ['One', 'Two', 'One', 'Three', 'One', 'Three', 'One', 'Two', 'Three', 'Two', 'Two']);
  press('Escape');
  assert.equal(document.activeElement, button);
  press('ArrowUp');
  assert.equal(focused(), 'Three');
});

test('Escape and Tab close it, and the button has the focus again', () => {
  add('One');
  for (const key of ['Escape', 'Tab']) {
    button.click();
    assert.deepEqual([list.hidden, button.getAttribute('aria-expanded')], [false, 'true']);
    press(key);
    assert.deepEqual([list.hidden, button.getAttribute('aria-expanded'), document.activeElement], [true, 'false', button]);
  }
  assert.deepEqual(done, []);
});

test('an entry is carried out once the menu is closed and its button has the focus', () => {
  menu.add({ label: 'One', act: () => done.push(list.hidden, document.activeElement === button) });
  button.click();
  list.children[0].click();
  assert.deepEqual(done, [true, true]);
});

test('groups stand in their order with a line between, hidden items not at all', () => {
  add('Last');
  add('Figures', { group: 'view' });
  add('Copy', { group: 'clipboard', hidden: () => true });
  add('Win', { group: 'keys' });
  add('Esc', { group: 'keys' });
  button.click();
  assert.deepEqual(labels(), ['Win', 'Esc', '-', 'Figures', '-', 'Last']);
});

test('what can be on or off says so whenever the menu opens', () => {
  let on = false;
  menu.add({ label: () => (on ? 'Yes' : 'No'), checked: () => on, act: () => { on = !on; } });
  button.click();
  assert.deepEqual([labels()[0], list.children[0].getAttribute('role'), list.children[0].getAttribute('aria-checked')], ['No', 'menuitemcheckbox', 'false']);
  list.children[0].click();
  button.click();
  assert.deepEqual([labels()[0], list.children[0].getAttribute('aria-checked')], ['Yes', 'true']);
});

test('an item that comes or goes while it is open leaves the focus in its place', () => {
  add('One');
  add('Two');
  button.click();
  press('ArrowDown');
  add('Three');
  assert.deepEqual([labels(), focused()], [['One', 'Two', 'Three'], 'Two']);
});

test('a press elsewhere closes it', () => {
  add('One');
  button.click();
  document.fire('pointerdown', { target: document });
  assert.equal(list.hidden, true);
});
