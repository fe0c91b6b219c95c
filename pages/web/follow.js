// The desktop follows the window: which size to ask for, when, and what to do where the server does not answer. Pure but for
// the clock, which comes in.

/** MS-RDPEDISP allows 200 to 8192 and even widths; the width's odd pixels smear in the engine's bitmaps. Below the least a desktop is no use: the picture is scaled. */
const WIDTH_STEP = 4;
const HEIGHT_STEP = 2;
const LEAST = { width: 640, height: 480 };
const MOST = 8192;
/** MS-RDPEDISP, DesktopScaleFactor, in percent. */
const SCALE = { least: 100, most: 500 };

/** A window at rest. */
const REST_MS = 250;
/** So long a server may take to show the size it was asked for. */
const CONFIRM_MS = 2_000;
/** Between a confirmed size and the next question: xrdp 0.9.21 closes the connection when questions come quickly. */
const GAP_MS = 1_000;

/** The desktop's size for a stage of `width` × `height` CSS pixels of which each is `ratio` pixels of the screen; `scale` in percent is what makes its text as large as the page's. */
export function desktopSize(width, height, ratio) {
  const side = (pixels, least, step) => {
    const bounded = Math.min(MOST, Math.max(least, Math.round(pixels * ratio)));
    return bounded - (bounded % step);
  };
  return {
    width: side(width, LEAST.width, WIDTH_STEP),
    height: side(height, LEAST.height, HEIGHT_STEP),
    scale: Math.min(SCALE.most, Math.max(SCALE.least, Math.round(ratio * 100))),
  };
}

/** In which size, in CSS pixels, a picture stands on the stage: pixel for pixel if it fills the stage but for the steps above, else scaled. */
export function shownSize(picture, stage, ratio) {
  const [width, height] = [picture.width / ratio, picture.height / ratio];
  const nearly = (room, side, step) => room >= side - 1 / ratio && room - side <= (step + 1) / ratio;
  const fits = nearly(stage.width, width, WIDTH_STEP) && nearly(stage.height, height, HEIGHT_STEP);
  const factor = fits ? 1 : Math.min(stage.width / width, stage.height / height);
  return { width: width * factor, height: height * factor };
}

export class Follower {
  #ask;
  #reconnect;
  #clock;
  #size = null; // what the desktop has; null while there is no connection
  #wanted = null;
  #asked = null;
  #fixed = false; // this server opens in a size of its own
  #confirms = null; // whether this server has ever answered a question in time
  #timer = null;

  /** `ask(size)` asks the server, `reconnect()` opens a new connection at the wanted size. */
  constructor({ ask, reconnect, clock = { set: (act, ms) => setTimeout(act, ms), clear: (timer) => clearTimeout(timer) } }) {
    this.#ask = ask;
    this.#reconnect = reconnect;
    this.#clock = clock;
  }

  /** The window has changed. */
  want(size) {
    this.#wanted = size;
    if (this.#size && !this.#asked) this.#after(REST_MS, () => this.#advance());
  }

  /** There is a connection: opened for a desktop of the size `asked`, it has `size`. */
  connected(size, asked) {
    this.#size = size;
    this.#fixed = !same(size, asked);
    this.#after(GAP_MS, () => this.#advance());
  }

  /** The desktop has this size now, after a question or by itself. */
  has(size) {
    if (!this.#size) return;
    this.#size = size;
    if (!this.#asked || !same(size, this.#asked)) return;
    this.#confirms = true;
    this.#asked = null;
    this.#after(GAP_MS, () => this.#advance());
  }

  /** There is no connection any more. */
  gone() {
    this.#clock.clear(this.#timer);
    this.#size = this.#asked = null;
  }

  #advance() {
    if (this.#fixed || !this.#wanted || same(this.#wanted, this.#size)) return;
    if (this.#confirms === false) return this.#reconnect();
    this.#asked = this.#wanted;
    this.#after(CONFIRM_MS, () => {
      this.#confirms ??= false; // one that has answered before is only slow
      this.#asked = null;
      if (!same(this.#wanted, this.#size)) this.#reconnect();
    });
    this.#ask(this.#asked);
  }

  #after(ms, act) {
    this.#clock.clear(this.#timer);
    this.#timer = this.#clock.set(act, ms);
  }
}

function same(a, b) {
  return a?.width === b?.width && a?.height === b?.height;
}
