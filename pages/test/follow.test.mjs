import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Follower, desktopSize, shownSize } from '../web/follow.js';

/** A clock that stands until it is moved. */
class FakeClock {
  #now = 0;
  #due = [];
  set(act, ms) {
    const timer = { at: this.#now + ms, act };
    this.#due.push(timer);
    return timer;
  }
  clear(timer) { this.#due = this.#due.filter((one) => one !== timer); }
  move(ms) {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#now = next.at;
      this.clear(next);
      next.act();
    }
    this.#now = end;
  }
}

const size = (width) => ({ width, height: 600 });
let clock;
let did;
let follower;
beforeEach(() => {
  clock = new FakeClock();
  did = [];
  follower = new Follower({ ask: ({ width }) => did.push(width), reconnect: () => did.push('reconnect'), clock });
});

function connect(width = 800, asked = width) {
  follower.connected(size(width), size(asked));
  clock.move(5_000);
}

test('a window that moves is waited for, and the last size is asked for once', () => {
  connect();
  for (let width = 804; width <= 1000; width += 4) {
    follower.want(size(width));
    clock.move(100);
  }
  assert.deepEqual(did, []);
  clock.move(1_000);
  assert.deepEqual(did, [1000]);
});

test('one question at a time: the next waits for the answer, then a while, and is for the newest size', () => {
  connect();
  follower.want(size(900));
  clock.move(300);
  follower.want(size(1000));
  follower.want(size(1100));
  clock.move(1_000);
  assert.deepEqual(did, [900]);
  follower.has(size(900));
  clock.move(900);
  assert.deepEqual(did, [900]);
  clock.move(200);
  assert.deepEqual(did, [900, 1100]);
});

test('no answer within 2 s means a new connection, from then on without asking', () => {
  connect();
  follower.want(size(900));
  clock.move(2_000);
  assert.deepEqual(did, [900]);
  clock.move(1_000);
  assert.deepEqual(did, [900, 'reconnect']);
  follower.gone();
  connect(900);
  follower.want(size(1000));
  clock.move(300);
  assert.deepEqual(did, [900, 'reconnect', 'reconnect']);
});

test('a server that has answered before is asked again after it was slow', () => {
  connect();
  follower.want(size(900));
  clock.move(300);
  follower.has(size(900));
  clock.move(5_000);
  follower.want(size(1000));
  clock.move(3_000);
  follower.gone();
  connect(1000);
  follower.want(size(1100));
  clock.move(300);
  assert.deepEqual(did, [900, 1000, 'reconnect', 1100]);
});

test('a window that came back to what the desktop has asks for nothing', () => {
  connect();
  follower.want(size(900));
  follower.want(size(800));
  clock.move(5_000);
  assert.deepEqual(did, []);
});

test('a size wanted while there is no connection is asked for once there is one', () => {
  follower.want(size(900));
  clock.move(5_000);
  assert.deepEqual(did, []);
  connect(800);
  assert.deepEqual(did.slice(0, 1), [900]);
});

test('a server that opens in a size of its own is not asked, its picture is scaled', () => {
  connect(1280, 800);
  follower.want(size(900));
  clock.move(10_000);
  assert.deepEqual(did, []);
});

test('a connection that went takes its question along', () => {
  connect();
  follower.want(size(900));
  clock.move(300);
  follower.gone();
  clock.move(10_000);
  assert.deepEqual(did, [900]);
});

test('sizes are steps within bounds, and the scale says how dense the screen is', () => {
  assert.deepEqual(desktopSize(1283, 767, 1), { width: 1280, height: 766, scale: 100 });
  assert.deepEqual(desktopSize(360, 604, 3), { width: 1080, height: 1812, scale: 300 });
  assert.deepEqual(desktopSize(360, 300, 1), { width: 640, height: 480, scale: 100 });
  assert.deepEqual(desktopSize(9000, 9000, 1), { width: 8192, height: 8192, scale: 100 });
  assert.deepEqual(desktopSize(1280, 800, 0.5), { width: 640, height: 480, scale: 100 });
});

test('a picture of the stage’s size stands pixel for pixel, another is scaled', () => {
  assert.deepEqual(shownSize({ width: 1280, height: 766 }, { width: 1283, height: 767 }, 1), { width: 1280, height: 766 });
  assert.deepEqual(shownSize({ width: 2560, height: 1532 }, { width: 1280, height: 766 }, 2), { width: 1280, height: 766 });
  assert.deepEqual(shownSize({ width: 640, height: 480 }, { width: 360, height: 600 }, 1), { width: 360, height: 270 });
  assert.deepEqual(shownSize({ width: 800, height: 600 }, { width: 1600, height: 1200 }, 1), { width: 1600, height: 1200 });
  assert.deepEqual(shownSize({ width: 1280, height: 720 }, { width: 1000, height: 720 }, 1), { width: 1000, height: 562.5 });
});
