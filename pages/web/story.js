// What the page knows of the session, made from the connector's events (contracts/door.md, "Events"). Pure.

/** Texts come from the supervisor or, cleaned, from the guest; longer ones are a fault of ours and must not fill the page. */
const TEXT_LIMIT_CHARS = 400;
const WARNINGS_LIMIT = 20;

export const nothingYet = Object.freeze({
  id: null,
  start: null, // the connector's clock, ms since 1970
  clockAhead: 0, // the connector's clock minus this browser's, ms
  walltimeEnd: null,
  desktop: null, // the route of the RDP desktop, or null
  screen: null, // the route of the machine's screen, or null
  sound: null, // the route of the desktop's sound, or null
  promise: null,
  power: [], // the machine's buttons that this page may press
  state: null,
  reason: null, // {code, text}
  deadline: null,
  endedAt: null, // the connector's clock
  steps: [], // {code, text, detail, status: 'todo' | 'running' | 'done' | 'failed', began, ended}; ms since the session's start
  warnings: [],
  troubles: {}, // what → text: wrong now, and may pass
});

/** The story after `event`, received at `localNow`. What is not understood changes nothing: so the contract can grow. */
export function tell(story, event, localNow) {
  const now = localNow + story.clockAhead;
  switch (event?.type) {
    case 'session': {
      const known = story.id === event.id ? story : nothingYet;
      return {
        ...known,
        id: event.id,
        start: event.start,
        clockAhead: event.now - localNow,
        walltimeEnd: event.walltimeEnd ?? null,
        desktop: event.desktop ?? null,
        screen: event.screen ?? null,
        sound: event.sound ?? null,
        promise: event.promise ?? null,
        power: event.power ?? [],
        steps: event.steps.map(({ code, text }) => known.steps.find((step) => step.code === code) ?? { code, text: clip(text), detail: '', status: 'todo', began: null, ended: null }),
        warnings: [], // the connector repeats those that still matter
        troubles: {},
      };
    }
    case 'state':
      return {
        ...story,
        state: event.state,
        reason: event.reason ? { code: event.reason.code, text: clip(event.reason.text) } : null,
        deadline: event.deadline ?? null,
        endedAt: event.state === 'ended' ? story.endedAt ?? now : null,
      };
    case 'step':
      return { ...story, steps: story.steps.map((step, i) => (step.code === event.step ? stepped(step, event, story.steps[i - 1]) : step)) };
    case 'refused': // what this page asked for
    case 'warning':
      return { ...story, warnings: [...story.warnings, clip(event.text)].slice(-WARNINGS_LIMIT) };
    case 'trouble':
      return { ...story, troubles: { ...story.troubles, [event.what]: clip(event.text) } };
    case 'trouble-over':
      return { ...story, troubles: Object.fromEntries(Object.entries(story.troubles).filter(([what]) => what !== event.what)) };
    case 'walltime':
      return { ...story, walltimeEnd: now + event.secondsLeft * 1000 };
    default:
      return story;
  }
}

function stepped(step, { status, sinceStartMs, text }, before) {
  const running = status === 'running';
  const detail = clip(text) === step.text ? '' : clip(text);
  return {
    code: step.code,
    text: step.text,
    detail,
    status,
    // A running step may say how far it is, again and again. A page that opens late hears only a step's last word:
    // then it began when the one before it ended.
    began: step.began ?? (running && detail === '' ? sinceStartMs : before?.ended ?? (running ? sinceStartMs : before ? null : 0)),
    ended: running ? null : sinceStartMs,
  };
}

/** How long `step` has taken so far, in ms, or null. */
export function stepTime(story, step, localNow) {
  if (step.began === null) return null;
  const end = step.ended ?? (step.status === 'running' ? (story.endedAt ?? localNow + story.clockAhead) - story.start : null);
  return end === null ? null : Math.max(0, end - step.began);
}

/** Seconds until the walltime's end, or null where there is none. */
export function secondsLeft(story, localNow) {
  return story.walltimeEnd === null ? null : Math.max(0, Math.floor((story.walltimeEnd - localNow - story.clockAhead) / 1000));
}

/** How long the session has lasted, in ms. */
export function lasted(story, localNow) {
  return story.start === null ? null : Math.max(0, (story.endedAt ?? localNow + story.clockAhead) - story.start);
}

function clip(text) {
  return typeof text === 'string' ? text.slice(0, TEXT_LIMIT_CHARS) : '';
}
