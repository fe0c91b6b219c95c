import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layouts, plan, press } from '../web/typing.js';

const written = (text, layout) => plan(text, layout).presses.map((keys) => keys?.map((key) => [...key.with.map(({ code }) => code), key.code].join('+')).join(' '));

test('the layouts put the same characters on different keys', () => {
  assert.deepEqual(written('yZ@', 'us'), ['KeyY', 'ShiftLeft+KeyZ', 'ShiftLeft+Digit2']);
  assert.deepEqual(written('yZ@', 'de'), ['KeyZ', 'ShiftLeft+KeyY', 'AltRight+KeyQ']);
  assert.deepEqual(written('aQ1', 'fr'), ['KeyQ', 'ShiftLeft+KeyA', 'ShiftLeft+Digit1']);
});

test('every layout has all of ASCII, each character once', () => {
  const ascii = String.fromCharCode(...Array.from({ length: 95 }, (_, i) => 32 + i));
  for (const layout of layouts) {
    const { presses, missing } = plan(`${ascii}\t\n`, layout);
    assert.deepEqual(missing, [], layout);
    assert.equal(new Set(presses.map((keys) => JSON.stringify(keys))).size, 97, layout);
  }
});

test('dead keys stand alone before a space, and go onto a letter', () => {
  assert.deepEqual(written('^é', 'de'), ['Backquote Space', 'Equal KeyE']);
  assert.deepEqual(written('^êÏ', 'fr'), ['AltRight+Digit9', 'BracketLeft KeyE', 'ShiftLeft+BracketLeft ShiftLeft+KeyI']);
});

test('what a layout lacks is named, each once', () => {
  assert.deepEqual(plan('Grüße für 5 €, 😀\u001b', 'us').missing, ['ü', 'ß', '€', '😀', '\u001b']);
  assert.deepEqual(plan('Grüße für 5 €', 'de').missing, []);
  assert.deepEqual(plan('constructor', 'us').missing, []);
  assert.deepEqual(plan('ḗ', 'de').missing, ['ḗ']); // two marks
});

test('lines end in one Enter, however they were copied, and letters are composed', () => {
  assert.deepEqual(written('a\r\nb\rc\n\t', 'us'), ['KeyA', 'Enter', 'KeyB', 'Enter', 'KeyC', 'Enter', 'Tab']);
  assert.deepEqual(written('u\u0308', 'de'), ['BracketLeft']);
});

test('a key goes down inside its modifier, with its own number', async () => {
  const sent = [];
  const counts = [];
  const done = await press(plan('a€', 'de').presses, (keysym, code, down) => { sent.push(`${code} ${keysym.toString(16)} ${down ? 'down' : 'up'}`); }, { signal: new AbortController().signal, went: (count) => counts.push(count), pause: 0 });
  assert.deepEqual(sent, ['KeyA 61 down', 'KeyA 61 up', 'AltRight fe03 down', 'KeyE 10020ac down', 'KeyE 10020ac up', 'AltRight fe03 up']);
  assert.deepEqual([done, counts], [2, [1, 2]]);
});

test('it ends where it is told to, or where the machine is gone, and says how far it came', async () => {
  const { presses } = plan('abcdef', 'us');
  const controller = new AbortController();
  assert.equal(await press(presses, () => {}, { signal: controller.signal, went: (count) => count === 2 && controller.abort(), pause: 0 }), 2);
  let events = 0;
  assert.equal(await press(presses, () => ++events <= 6, { signal: new AbortController().signal, pause: 0 }), 3);
});
