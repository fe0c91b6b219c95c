import assert from 'node:assert/strict';
import { test } from 'node:test';

let Ring;
globalThis.AudioWorkletProcessor = class { port = {}; };
globalThis.registerProcessor = (_, processor) => { Ring = processor; };
await import('../web/ring.js');

const block = (frames, value) => new Int16Array(2 * frames).fill(value).buffer;

/** The left channel of the next `count` × 128 frames. */
function play(ring, count = 1) {
  const heard = [];
  for (let i = 0; i < count; i++) {
    const out = [new Float32Array(128), new Float32Array(128)];
    assert.equal(ring.process([], [out]), true);
    assert.deepEqual(out[0], out[1]);
    heard.push(...out[0]);
  }
  return heard;
}

test('nothing is played before enough is there, then all of it in order', () => {
  const ring = new Ring();
  ring.port.onmessage({ data: block(4_000, 16_384) });
  assert.ok(play(ring, 10).every((sample) => sample === 0));
  ring.port.onmessage({ data: block(4_000, -16_384) });
  const heard = play(ring, 63);
  assert.deepEqual([heard[0], heard[3_999], heard[4_000], heard[7_999], heard[8_000]], [0.5, 0.5, -0.5, -0.5, 0]);
});

test('a sound shorter than what is kept back is played too', () => {
  const ring = new Ring();
  ring.port.onmessage({ data: block(100, 16_384) });
  assert.equal(play(ring, 50).filter((sample) => sample === 0.5).length, 100);
});

test('after a stall the oldest is left out', () => {
  const ring = new Ring();
  for (let i = 1; i <= 30; i++) ring.port.onmessage({ data: block(1_000, i * 1_000) });
  const first = play(ring)[0] * 32_768;
  assert.ok(first >= 18_000, `plays from block ${first / 1_000}`);
});

test('a block that holds half a frame more does not stop it', () => {
  const ring = new Ring();
  for (const length of [3, 0, 20_000]) ring.port.onmessage({ data: new Int16Array(length).fill(16_384).buffer });
  const heard = play(ring, 60);
  assert.ok(heard.includes(0.5));
  assert.ok(heard.every(Number.isFinite));
});
