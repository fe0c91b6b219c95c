// Keyboard layouts by Windows' numbers (KLID, as RDP's keyboardLayout carries them), and which one this keyboard has. Pure.
//
// Keys travel as scancodes, places on the keyboard (KeyboardEvent.code): which letter a place means is the desktop's
// affair, so it must know the layout.

/** [number, language, the order of its top letters]; the names are in strings.js. */
export const LAYOUTS = [
  ['00000409', 'en-US', 'qwerty'], ['00020409', '', 'qwerty'], ['00000809', 'en-GB', 'qwerty'], ['00001009', 'fr-CA', 'qwerty'],
  ['00000405', 'cs', 'qwertz'], ['00000406', 'da', 'qwerty'], ['00000413', 'nl', 'qwerty'], ['0000040b', 'fi', 'qwerty'],
  ['0000040c', 'fr', 'azerty'], ['0000080c', 'fr-BE', 'azerty'], ['0000100c', 'fr-CH', 'qwertz'], ['00000407', 'de', 'qwertz'],
  ['00000807', 'de-CH', 'qwertz'], ['00000408', 'el', ''], ['0000040d', 'he', ''], ['0000040e', 'hu', 'qwertz'], ['0000040f', 'is', 'qwerty'],
  ['00000410', 'it', 'qwerty'], ['00000411', 'ja', 'qwerty'], ['00000412', 'ko', 'qwerty'], ['00000414', 'nb', 'qwerty'],
  ['00000415', 'pl', 'qwerty'], ['00000816', 'pt-PT', 'qwerty'], ['00000416', 'pt', 'qwerty'], ['00000418', 'ro', 'qwerty'],
  ['00000419', 'ru', ''], ['0000041b', 'sk', 'qwertz'], ['0000040a', 'es', 'qwerty'], ['0000080a', 'es-419', 'qwerty'],
  ['0000041d', 'sv', 'qwerty'], ['0000041f', 'tr', 'qwerty'], ['00000422', 'uk', ''],
];

const BY_ORDER = { qwerty: '00000409', qwertz: '00000407', azerty: '0000040c' };

/**
 * The likely layout: the first of the browser's `languages` whose letters stand as on this keyboard. `letterAt` says what
 * a key types (navigator.keyboard.getLayoutMap), or undefined where the browser does not tell: then the language decides.
 */
export function guessLayout(languages, letterAt = () => undefined) {
  const order = { q: { y: 'qwerty', z: 'qwertz' }[letterAt('KeyY')], a: 'azerty' }[letterAt('KeyQ')] ?? '';
  const fits = ([, , its]) => order === '' || its === order;
  return languages.map(ofLanguage).find((layout) => layout && fits(layout))?.[0] ?? BY_ORDER[order] ?? BY_ORDER.qwerty;
}

/** As exact as it is: de-CH before de; a language alone is its main country's. */
function ofLanguage(tag) {
  const wanted = tag.toLowerCase();
  const main = wanted.split('-')[0];
  const by = (test) => LAYOUTS.find(([, language]) => language && test(language.toLowerCase()));
  return by((language) => language === wanted) ?? by((language) => language === main) ?? by((language) => language.startsWith(`${main}-`));
}
