// Text as key presses: which keys a keyboard layout has for it, and their pressing. The keys reach the machine as those
// of a keyboard without labels (QEMU's extended key events), so the layout that counts is the one set in the guest.

/** Longer texts take minutes and belong into a file on a drive. */
export const LIMIT_CHARS = 4096;

/** A machine's keyboard buffers 16 bytes (QEMU, PS2_QUEUE_SIZE); one press with its modifier is 8 at most. */
const PRESS_MS = 50;

const LETTERS = Object.fromEntries([...'abcdefghijklmnopqrstuvwxyz'].map((letter) => [`Key${letter.toUpperCase()}`, letter + letter.toUpperCase()]));

/**
 * A key's characters, by KeyboardEvent.code: alone, with Shift, with AltGr. A combining mark is a dead key, as Windows
 * has it: it goes onto the next letter, and stands alone before a space.
 */
const LAYOUTS = {
  us: {
    ...LETTERS,
    Backquote: '`~', Digit1: '1!', Digit2: '2@', Digit3: '3#', Digit4: '4$', Digit5: '5%', Digit6: '6^', Digit7: '7&', Digit8: '8*', Digit9: '9(', Digit0: '0)', Minus: '-_', Equal: '=+',
    BracketLeft: '[{', BracketRight: ']}', Semicolon: ';:', Quote: '\'"', Backslash: '\\|', Comma: ',<', Period: '.>', Slash: '/?',
  },
  de: {
    ...LETTERS, KeyY: 'zZ', KeyZ: 'yY', KeyQ: 'qQ@', KeyE: 'eE€', KeyM: 'mMµ',
    Backquote: '\u0302°', Digit1: '1!', Digit2: '2"²', Digit3: '3§³', Digit4: '4$', Digit5: '5%', Digit6: '6&', Digit7: '7/{', Digit8: '8([', Digit9: '9)]', Digit0: '0=}', Minus: 'ß?\\', Equal: '\u0301\u0300',
    BracketLeft: 'üÜ', BracketRight: '+*~', Semicolon: 'öÖ', Quote: 'äÄ', Backslash: '#\'', IntlBackslash: '<>|', Comma: ',;', Period: '.:', Slash: '-_',
  },
  fr: {
    ...LETTERS, KeyQ: 'aA', KeyA: 'qQ', KeyW: 'zZ', KeyZ: 'wW', KeyE: 'eE€', Semicolon: 'mM', KeyM: ',?',
    Backquote: '²', Digit1: '&1', Digit2: 'é2\u0303', Digit3: '"3#', Digit4: '\'4{', Digit5: '(5[', Digit6: '-6|', Digit7: 'è7\u0300', Digit8: '_8\\', Digit9: 'ç9^', Digit0: 'à0@', Minus: ')°]', Equal: '=+}',
    BracketLeft: '\u0302\u0308', BracketRight: '$£¤', Quote: 'ù%', Backslash: '*µ', IntlBackslash: '<>', Comma: ';.', Period: ':/', Slash: '!§',
  },
};
export const layouts = Object.keys(LAYOUTS);

/** Marks that stand alone. */
const ALONE = { '^': '\u0302', '`': '\u0300', '´': '\u0301', '¨': '\u0308', '~': '\u0303' };

const SHIFT = { code: 'ShiftLeft', keysym: 0xffe1 };
const ALT_GR = { code: 'AltRight', keysym: 0xfe03 };
const WITH = [[], [SHIFT], [ALT_GR]];
const CONTROL = {
  '\n': { code: 'Enter', keysym: 0xff0d, with: [] },
  '\t': { code: 'Tab', keysym: 0xff09, with: [] },
  ' ': { code: 'Space', keysym: 0x20, with: [] },
};

/**
 * `text` for a machine with `layout`: `presses`, an array of `{code, keysym, with}` for each of its `characters`, and
 * `missing`, what the layout has no keys for, each once.
 */
export function plan(text, layout) {
  const keys = { ...CONTROL };
  for (const [code, characters] of Object.entries(LAYOUTS[layout])) {
    [...characters].forEach((character, level) => { keys[character] ??= { code, keysym: keysym(character), with: WITH[level] }; });
  }
  const characters = [...text.replace(/\r\n?/g, '\n').normalize('NFC')];
  const presses = characters.map((character) => {
    const parts = [...character.normalize('NFD')];
    for (const way of [[character], parts.reverse(), [ALONE[character], ' ']]) {
      if (way.length <= 2 && way.every((key) => Object.hasOwn(keys, key))) return way.map((key) => keys[key]);
    }
    return null;
  });
  return { characters, presses, missing: [...new Set(characters.filter((_, i) => presses[i] === null))] };
}

/** X11's number of a character (keysymdef.h). */
function keysym(character) {
  const code = character.codePointAt(0);
  return code < 0x100 ? code : 0x1000000 + code;
}

/**
 * Presses the keys of `presses`, as plan() gives them, one after the other. `send(keysym, code, down)` sends an event
 * and says whether it could; `went(count)` hears how many characters are typed. Resolves with their number, which is
 * less than all where `signal` was aborted or an event could not be sent.
 */
export async function press(presses, send, { signal, went = () => {}, pause = PRESS_MS }) {
  for (const [done, keys] of presses.entries()) {
    for (const key of keys) {
      if (signal.aborted) return done;
      const chord = [...key.with, key];
      const sent = [...chord.map((each) => [each, true]), ...chord.reverse().map((each) => [each, false])].map(([each, down]) => send(each.keysym, each.code, down));
      if (sent.includes(false)) return done;
      await new Promise((resolve) => { setTimeout(resolve, pause); });
    }
    went(done + 1);
  }
  return presses.length;
}
