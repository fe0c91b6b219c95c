// Key combinations that the browser or the user's own system keeps for itself, sent from the menu.

/** By the name in strings.keys; keys by KeyboardEvent.code, pressed in this order. */
export const COMBINATIONS = {
  ctrlAltDel: ['ControlLeft', 'AltLeft', 'Delete'],
  ctrlAltEnd: ['ControlLeft', 'AltLeft', 'End'],
  ctrlShiftEsc: ['ControlLeft', 'ShiftLeft', 'Escape'],
  win: ['MetaLeft'],
  ctrlEsc: ['ControlLeft', 'Escape'],
  altTab: ['AltLeft', 'Tab'],
  altF4: ['AltLeft', 'F4'],
  printScreen: ['PrintScreen'],
  altPrintScreen: ['AltLeft', 'PrintScreen'],
};

/** Presses and releases `codes` in the desktop, which gets the focus: its component takes keys from the window, by their codes. */
export function press(desktop, codes) {
  desktop.focus({ preventScroll: true });
  const send = (type, code) => dispatchEvent(new KeyboardEvent(type, { code, cancelable: true }));
  for (const code of codes) send('keydown', code);
  for (const code of [...codes].reverse()) send('keyup', code);
}
