import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../web/backoff.js';
import { bytes, duration, fileTime, hoursMinutes, stepDuration } from '../web/format.js';

test('durations have at most two units', () => {
  assert.deepEqual([0, 999, 59_999, 60_000, 3_599_999, 3_600_000, 90_061_000].map(duration),
    ['0 s', '0 s', '59 s', '1 min 00 s', '59 min 59 s', '1 h 00 min', '25 h 01 min']);
});

test('a step’s first seconds show tenths', () => {
  assert.deepEqual([0, 149, 9_999, 10_000, 61_000].map(stepDuration), ['0.0 s', '0.1 s', '9.9 s', '10 s', '1 min 01 s']);
});

test('walltime is hh:mm, and 00:00 only when it is over', () => {
  assert.deepEqual([0, 1, 60, 61, 600, 35_999, 360_000].map(hoursMinutes), ['00:00', '00:01', '00:01', '00:02', '00:10', '10:00', '100:00']);
});

test('tries are half a second apart, then ever longer, at most ten seconds', () => {
  const backoff = new Backoff();
  assert.deepEqual(Array.from({ length: 7 }, () => backoff.delay()), [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
});

test('a connection that held for five seconds starts over, a shorter one does not', () => {
  const backoff = new Backoff();
  backoff.delay();
  assert.equal(backoff.delay(4_999), 1000);
  assert.equal(backoff.delay(5_000), 500);
});

test('bytes in decimal units', () => {
  assert.deepEqual([0, 999, 1000, 999_499, 999_500, 12_345_678].map(bytes), ['0 B', '999 B', '1 kB', '999 kB', '1.0 MB', '12.3 MB']);
});

test('a file is named by the local time', () => {
  assert.equal(fileTime(new Date(2026, 0, 2, 3, 4, 5)), '2026-01-02-030405');
});
