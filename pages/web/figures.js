// Figures over the desktop: round trip, pictures and bytes a second. Costs nothing while it is not shown.

import { canvasOf, onDraw } from './canvas.js';
import { bytes } from './format.js';
import { strings } from './strings.js';

const EVERY_MS = 1_000;

export class Figures {
  #element;
  #stage;
  #canvas = null;
  #stop = () => {};
  #timer = null;
  #drawn = false;
  #pictures = 0;
  #received = 0;
  #at = 0;
  #roundTrip = null;

  constructor(element, stage) {
    this.#element = element;
    this.#stage = stage;
  }

  get on() {
    return this.#timer !== null;
  }

  /**
   * Shows them until off(). `received()` is how many bytes have come so far, `echo()` resolves with the milliseconds to
   * the session's computer and back.
   */
  show({ received, echo }) {
    this.off();
    this.#received = received();
    this.#at = performance.now();
    this.#timer = setInterval(() => this.#tick(received, echo), EVERY_MS);
    const look = () => {
      if (!this.on) return;
      if (this.#drawn) this.#pictures++;
      this.#drawn = false;
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
    this.#tick(received, echo);
  }

  off() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#stop();
    this.#canvas = null;
    this.#element.hidden = true;
  }

  #tick(received, echo) {
    const canvas = canvasOf(this.#stage);
    if (canvas !== this.#canvas) {
      this.#stop();
      this.#stop = canvas ? onDraw(canvas, () => { this.#drawn = true; }) : () => {};
      this.#canvas = canvas;
    }
    const seconds = (performance.now() - this.#at) / 1000;
    const rate = (amount) => (seconds < 0.5 ? 0 : amount / seconds);
    const now = received();
    this.#element.textContent = strings.figures(this.#roundTrip, Math.round(rate(this.#pictures)), bytes(rate(now - this.#received)), canvas?.width, canvas?.height);
    this.#element.hidden = false;
    [this.#pictures, this.#received, this.#at] = [0, now, performance.now()];
    echo().then((ms) => { this.#roundTrip = Math.round(ms); }, () => { this.#roundTrip = null; });
  }
}
