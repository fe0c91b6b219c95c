import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lasted, nothingYet, secondsLeft, stepTime, tell } from '../web/story.js';

const START = 1_000_000;
const session = {
  type: 'session', id: 's1', now: START + 2_000, start: START, walltimeEnd: START + 3_600_000,
  steps: [{ code: 'node', text: 'checking the node' }, { code: 'disk', text: 'making the disk' }],
  desktop: 'rdp', screen: null, promise: 'unprivileged',
};
/** This browser's clock when the session's is START: an hour behind. */
const LOCAL = START - 3_600_000;

function told(...events) {
  return events.reduce((story, event) => tell(story, event, LOCAL + 2_000), nothingYet);
}

test('steps come in the session’s order and are still to do', () => {
  assert.deepEqual(told(session).steps.map(({ code, status }) => [code, status]), [['node', 'todo'], ['disk', 'todo']]);
});

test('a step takes from its start to its end, and a running one until now by the session’s clock', () => {
  const story = told(session,
    { type: 'step', step: 'node', status: 'running', sinceStartMs: 100, text: '' },
    { type: 'step', step: 'node', status: 'done', sinceStartMs: 900, text: '' },
    { type: 'step', step: 'disk', status: 'running', sinceStartMs: 1_000, text: '' });
  assert.equal(stepTime(story, story.steps[0], LOCAL + 5_000), 800);
  assert.equal(stepTime(story, story.steps[1], LOCAL + 5_000), 4_000);
});

test('a step that says how far it is goes on from its start', () => {
  const story = told(session,
    { type: 'step', step: 'node', status: 'running', sinceStartMs: 100, text: '' },
    { type: 'step', step: 'node', status: 'running', sinceStartMs: 600, text: 'half way' },
    { type: 'step', step: 'node', status: 'done', sinceStartMs: 900, text: '' });
  assert.equal(stepTime(story, story.steps[0], LOCAL), 800);
  const late = told(session,
    { type: 'step', step: 'node', status: 'done', sinceStartMs: 900, text: '' },
    { type: 'step', step: 'disk', status: 'running', sinceStartMs: 1_400, text: 'half way' });
  assert.equal(late.steps[1].began, 900);
});

test('a page that opens late takes a step’s start from the end of the one before', () => {
  const story = told(session,
    { type: 'step', step: 'node', status: 'done', sinceStartMs: 900, text: '' },
    { type: 'step', step: 'disk', status: 'done', sinceStartMs: 1_500, text: '' });
  assert.deepEqual(story.steps.map((step) => stepTime(story, step, LOCAL)), [900, 600]);
});

test('a step of which nothing was heard has no time', () => {
  const story = told(session);
  assert.equal(stepTime(story, story.steps[0], LOCAL), null);
});

test('a step keeps its name and tells beside it what went wrong', () => {
  const story = told(session, { type: 'step', step: 'disk', status: 'failed', sinceStartMs: 5, text: 'the golden image is not there' });
  assert.deepEqual([story.steps[1].text, story.steps[1].detail], ['making the disk', 'the golden image is not there']);
});

test('a step that only repeats its name has nothing to add', () => {
  const story = told(session, { type: 'step', step: 'node', status: 'running', sinceStartMs: 5, text: 'checking the node' });
  assert.equal(story.steps[0].detail, '');
});

test('after a reconnect known steps stay, warnings are those repeated', () => {
  const before = told(session, { type: 'step', step: 'node', status: 'running', sinceStartMs: 100, text: '' }, { type: 'warning', text: 'no KVM' });
  const after = tell(tell(before, session, LOCAL + 9_000), { type: 'warning', text: 'no KVM' }, LOCAL + 9_000);
  assert.equal(after.steps[0].began, 100);
  assert.deepEqual(after.warnings, ['no KVM']);
});

test('another session at the same address starts a new story', () => {
  const before = told(session, { type: 'step', step: 'node', status: 'done', sinceStartMs: 100, text: '' });
  assert.equal(tell(before, { ...session, id: 's2' }, LOCAL).steps[0].status, 'todo');
});

test('walltime counts by the session’s clock, a notice corrects it, none means none', () => {
  assert.equal(secondsLeft(told(session), LOCAL + 2_000), 3_598);
  assert.equal(secondsLeft(told(session, { type: 'walltime', secondsLeft: 300 }), LOCAL + 3_000), 299);
  assert.equal(secondsLeft(told(session), LOCAL + 9_000_000), 0);
  assert.equal(secondsLeft(told({ ...session, walltimeEnd: null }), LOCAL), null);
});

test('the end keeps its reason, and time stands still', () => {
  const story = told(session, { type: 'state', state: 'ended', reason: { code: 'walltime', text: 'the session’s time is over' } });
  assert.equal(story.reason.text, 'the session’s time is over');
  assert.equal(lasted(story, LOCAL + 60_000), 2_000);
});

test('a step that was running at the end runs no longer', () => {
  const story = told(session, { type: 'step', step: 'node', status: 'running', sinceStartMs: 500, text: '' }, { type: 'state', state: 'ended' });
  assert.equal(stepTime(story, story.steps[0], LOCAL + 60_000), 1_500);
});

test('at most 20 warnings and 400 characters are kept', () => {
  const story = told(session, ...Array.from({ length: 21 }, (_, i) => ({ type: 'warning', text: `${i}`.padEnd(401, '.') })));
  assert.equal(story.warnings.length, 20);
  assert.equal(story.warnings[0].length, 400);
  assert.ok(story.warnings[0].startsWith('1.'));
});

test('what is unknown changes nothing', () => {
  const story = told(session);
  for (const event of [{ type: 'weather' }, {}, null, 7, { type: 'step', step: 'moon', status: 'done', sinceStartMs: 1 }]) {
    assert.deepEqual(tell(story, event, LOCAL), story);
  }
});

test('a trouble is there until it is over, and the connector repeats those that are', () => {
  const full = { type: 'trouble', what: 'disk', text: 'full' };
  assert.deepEqual(told(session, full, { ...full, text: 'fuller' }, { type: 'trouble', what: 'share', text: 'gone' }).troubles, { disk: 'fuller', share: 'gone' });
  assert.deepEqual(told(session, full, { type: 'trouble-over', what: 'disk' }).troubles, {});
  assert.deepEqual(told(session, full, session).troubles, {});
});
