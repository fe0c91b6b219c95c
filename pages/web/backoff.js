// How long to wait before the next try: 0.5 s, doubling to 10 s; a try that held for a while starts over. Pure.

const FIRST_MS = 500;
const LONGEST_MS = 10_000;
/** A connection that lasted this long was a good one. */
const GOOD_MS = 5_000;

export class Backoff {
  #next = FIRST_MS;

  /** @param lastedMs how long the connection that is gone had lasted, 0 if it never came about */
  delay(lastedMs = 0) {
    if (lastedMs >= GOOD_MS) this.#next = FIRST_MS;
    const delay = this.#next;
    this.#next = Math.min(LONGEST_MS, delay * 2);
    return delay;
  }
}
