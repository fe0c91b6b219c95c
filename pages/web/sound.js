// The desktop's sound: PCM over a WebSocket of its own (contracts/door.md, `ws/sound`), played by Web Audio. Browsers play
// nothing before the user has asked for it in the page, so it is off until then.

import ring from 'casement:ring.js';
import { Backoff } from './backoff.js';
import { closing } from './door.js';

/** The contract's; the browser converts it to its loudspeaker's. */
const RATE_HZ = 44_100;

export class Sound {
  #open;
  #isFinal;
  #failed;
  #context = null;

  /** `open()` opens the proven door, `isFinal(error)` tells whether another try is of no use, `failed()` hears that the browser cannot. */
  constructor(open, isFinal, failed) {
    this.#open = open;
    this.#isFinal = isFinal;
    this.#failed = failed;
  }

  get on() {
    return this.#context !== null;
  }

  /** To be called in the user's click, or the browser keeps it silent. */
  toggle() {
    if (this.on) return this.#stop();
    const context = new AudioContext({ sampleRate: RATE_HZ, latencyHint: 'interactive' });
    this.#context = context;
    this.#play(context).catch((error) => {
      console.warn('no sound', error);
      if (this.#context !== context) return;
      this.#stop();
      this.#failed();
    });
  }

  /** Ends it, if it is on. */
  off() {
    if (this.on) this.#stop();
  }

  #stop() {
    this.#context.close();
    this.#context = null;
  }

  async #play(context) {
    await context.audioWorklet.addModule(new URL(ring, import.meta.url));
    const node = new AudioWorkletNode(context, 'casement-ring', { numberOfInputs: 0, outputChannelCount: [2] });
    node.connect(context.destination);
    const backoff = new Backoff();
    while (this.#context === context) {
      const openedAt = performance.now();
      try {
        const { socket, handOver } = await this.#open();
        const closed = closing(socket);
        const off = () => { if (context.state === 'closed') socket.close(); };
        context.addEventListener('statechange', off);
        socket.addEventListener('message', ({ data }) => node.port.postMessage(data, [data]));
        handOver();
        off();
        await closed.finally(() => context.removeEventListener('statechange', off));
      } catch (error) {
        if (this.#isFinal(error)) return;
      }
      await new Promise((resolve) => { setTimeout(resolve, backoff.delay(performance.now() - openedAt)); });
    }
  }
}
