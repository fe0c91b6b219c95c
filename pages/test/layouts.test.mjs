import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LAYOUTS, guessLayout } from '../web/layouts.js';
import { strings } from '../web/strings.js';

const keyboard = (q, y) => (code) => ({ KeyQ: q, KeyY: y })[code];

test('the language decides where the browser does not tell the keyboard', () => {
  assert.deepEqual(['de-DE', 'de-CH', 'en', 'en-US', 'fr-FR', 'fr-BE', 'pt-BR', 'xx'].map((language) => guessLayout([language])),
    ['00000407', '00000807', '00000409', '00000409', '0000040c', '0000080c', '00000416', '00000409']);
});

test('letters that stand otherwise rule a language out', () => {
  assert.equal(guessLayout(['en-US'], keyboard('q', 'z')), '00000407');
  assert.equal(guessLayout(['en-US', 'de-CH'], keyboard('q', 'z')), '00000807');
  assert.equal(guessLayout(['de'], keyboard('q', 'y')), '00000409');
  assert.equal(guessLayout(['en-GB'], keyboard('a', 'y')), '0000040c');
  assert.equal(guessLayout(['ru'], keyboard('й', 'н')), '00000419');
});

test('every layout is a number of Windows and has a name', () => {
  for (const [number] of LAYOUTS) {
    assert.match(number, /^[0-9a-f]{8}$/);
    assert.ok(strings.layouts[number], number);
  }
  assert.equal(new Set(LAYOUTS.map(([number]) => number)).size, LAYOUTS.length);
});
