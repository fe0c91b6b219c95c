// Full screen, with the keys that the system keeps outside it (Alt-Tab, the Windows key, Escape) where the browser can.

export const canFullScreen = () => document.fullscreenEnabled === true;
export const isFullScreen = () => document.fullscreenElement !== null;

/** Resolves with whether the system's keys come to the page, once the screen is full; with null where it is no longer. */
export async function toggleFullScreen() {
  if (isFullScreen()) {
    await document.exitFullscreen();
    return null;
  }
  await document.documentElement.requestFullscreen({ navigationUI: 'hide' });
  try {
    await navigator.keyboard.lock(); // Chromium, in a secure context
    return true;
  } catch {
    return false;
  }
}
