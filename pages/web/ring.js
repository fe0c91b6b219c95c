// Runs in the audio thread: plays blocks of 16-bit stereo as they come, with a little of them kept back, so that a block
// that is late is not heard. What is too late for that is left out; where nothing is there, it is silent.

/** Frames kept back before the first is played: 120 ms at 44.1 kHz. */
const START = 5_292;
/** More than this waits only after a stall: half a second. */
const MOST = 22_050;
const FULL_SCALE = 32_768;

class Ring extends AudioWorkletProcessor {
  #blocks = [];
  #at = 0; // in the first block
  #frames = 0;
  #waited = 0; // frames of silence since something is there to play
  #playing = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => this.#take(new Int16Array(data, 0, data.byteLength >> 1));
  }

  #take(block) {
    if (block.length < 2) return;
    this.#blocks.push(block);
    this.#frames += block.length >> 1;
    if (this.#frames <= MOST) return;
    while (this.#blocks.length > 1 && this.#frames > START) this.#drop();
  }

  #drop() {
    this.#frames -= (this.#blocks.shift().length - this.#at) >> 1;
    this.#at = 0;
  }

  process(_, [[left, right]]) {
    if (!this.#playing && this.#frames > 0) {
      this.#waited += left.length;
      this.#playing = this.#frames >= START || this.#waited >= START; // the latter: a sound shorter than that
    }
    if (!this.#playing) return true;
    for (let i = 0; i < left.length; i++) {
      if (this.#frames === 0) {
        this.#playing = false;
        this.#waited = 0;
        break;
      }
      const block = this.#blocks[0];
      left[i] = block[this.#at++] / FULL_SCALE;
      right[i] = block[this.#at++] / FULL_SCALE;
      this.#frames--;
      if (this.#at + 1 >= block.length) {
        this.#blocks.shift();
        this.#at = 0;
      }
    }
    return true;
  }
}

registerProcessor('casement-ring', Ring);
