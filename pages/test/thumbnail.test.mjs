import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepThumbnail } from '../web/thumbnail.js';

globalThis.WebSocket ??= { CLOSED: 3 };

/** As much of a door as is watched through. */
class Socket extends EventTarget {
  closed = false;

  close() {
    if (this.closed) return;
    this.closed = true;
    this.dispatchEvent(Object.assign(new Event('close'), { code: 1000, reason: '' }));
  }

  says(data) { this.dispatchEvent(new MessageEvent('message', { data })); }
}

test('a socket is open while the picture is wanted, and the picture is hidden afterwards', async () => {
  let [wanted, over] = [false, false];
  const sockets = [];
  const waiters = [];
  const until = (condition) => new Promise((resolve) => { waiters.push(() => condition() && resolve()); });
  const settle = async () => {
    for (let i = 0; i < 5; i++) {
      for (const waiter of waiters) waiter();
      await new Promise((resolve) => { setTimeout(resolve); });
    }
  };
  const image = { hidden: true, src: '', removeAttribute() { this.src = ''; } };
  const kept = keepThumbnail(image, {
    open: async () => ({ socket: sockets[sockets.push(new Socket()) - 1], handOver() {} }),
    until, pause: async () => {}, wanted: () => wanted, over: () => over,
  });
  await settle();
  assert.equal(sockets.length, 0);
  wanted = true;
  await settle();
  assert.deepEqual([sockets.length, image.hidden], [1, true]);
  sockets[0].says(new Uint8Array([1]));
  assert.deepEqual([image.hidden, image.src.startsWith('blob:')], [false, true]);
  sockets[0].close(); // the connection is lost
  await settle();
  assert.deepEqual([sockets.length, image.hidden], [2, true]);
  sockets[1].says(new Uint8Array([1]));
  wanted = false;
  await settle();
  assert.deepEqual([sockets.length, sockets[1].closed, image.hidden, image.src], [2, true, true, '']);
  over = true;
  await settle();
  await kept;
});
