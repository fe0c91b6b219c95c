// The session page: lets itself in, follows the session, shows its desktop (or the machine's screen, where that is what
// this connector has), and says how it stands. One object, `page`, holds everything the view shows.

import { Backoff } from './backoff.js';
import { ClipboardMenu } from './clipboard-menu.js';
import { addConsole } from './console.js';
import { DesktopMenu } from './desktop-menu.js';
import { DoorClosed, closing, openDoor } from './door.js';
import { Refused, enter, forget, takeToken } from './entry.js';
import { menu } from './menu.js';
import { Sound } from './sound.js';
import { nothingYet, tell } from './story.js';
import { strings } from './strings.js';
import { keepThumbnail } from './thumbnail.js';
import { View } from './view.js';

/** So many tries to open a WebSocket in a row, each refused by a server that answers plain requests: it is us. */
const SHUT_OUT_TRIES = 5;
/** The connector says something at least every 5 s (contracts/door.md); a page that hears nothing for so long has lost it. */
const SILENCE_LIMIT_MS = 15_000;
/** A clock in the page moves this often. */
const TICK_MS = 250;

const page = {
  story: nothingYet,
  entered: false,
  lostAt: null, // when events stopped to arrive, by performance.now()
  gone: false, // the session went away while it was ending
  fate: null, // {phase: 'refused' | 'impostor', kind, detail}: nothing happens any more
  desk: 'none', // 'none' | 'connecting' | 'shown' | 'lost' | 'left'
  deskProblem: null, // why the desktop did not open, a key of strings.deskWhy or, where trying again is no use, of strings.deskRefused
  controls: {}, // what the shown desktop can do: {ctrlAltDel, sendKey} of vnc.js, {reconnect, received, clipboard} of rdp.js
};

/** Where the page stands, for the view and for `<html data-casement>`. */
function phase() {
  const { state } = page.story;
  if (page.fate) return page.fate.phase;
  if (state === 'ended' || page.gone) return 'ended';
  if (!page.entered) return 'entering';
  if (state === 'draining') return 'ending';
  if (page.desk === 'shown') return 'desktop';
  if (page.lostAt !== null || page.desk === 'lost') return 'reconnecting';
  if (page.desk === 'left') return 'disconnected';
  return page.desk === 'connecting' ? 'connecting' : 'waiting';
}

const waiters = new Set();
const sockets = new Set();
let events = null;
let echoes = 0;
let echoed = () => {};
let credentials = null;

const view = new View({
  endSession: () => events?.send(JSON.stringify({ type: 'end' })),
  again() {
    if (phase() !== 'disconnected') return location.reload();
    change({ desk: 'none', deskProblem: null });
  },
});

const desktopMenu = new DesktopMenu(view.stage, {
  name: () => page.story.id,
  notify: (text) => view.notify(text),
  echo: () => echo(),
});

const clipboardMenu = new ClipboardMenu(view.stage, (text) => view.notify(text));
const sound = new Sound(() => open(page.story.sound), isFinal, () => view.notify(strings.noSound));
menu.add({
  label: strings.sound, group: 'view', checked: () => sound.on, hidden: () => page.desk !== 'shown' || page.story.sound === null,
  act() {
    sound.toggle();
    view.focusDesktop();
  },
});

addConsole({
  controls: () => page.controls,
  power: () => (events !== null && ['booting', 'ready'].includes(page.story.state) ? page.story.power : []),
  pressButton: (action) => events?.send(JSON.stringify({ type: 'power', action })),
  focus: () => view.focusDesktop(),
});

function change(what) {
  Object.assign(page, what);
  view.show(page, phase());
  desktopMenu.shows(phase() === 'desktop' && page.controls.reconnect ? page.controls : null);
  clipboardMenu.shows(phase() === 'desktop' ? page.controls.clipboard ?? null : null);
  if (over()) sound.off();
  menu.refresh();
  for (const waiter of [...waiters]) waiter();
}

/** Resolves when `condition` holds after some change(). */
function until(condition) {
  return new Promise((resolve) => {
    const check = () => {
      if (!condition()) return;
      waiters.delete(check);
      resolve();
    };
    waiters.add(check);
    check();
  });
}

/** Waits, but no longer than until the browser is online again or all is over. */
function pause(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    addEventListener('online', done, { once: true });
    waiters.add(check);
    function check() { if (over()) done(); }
    function done() {
      clearTimeout(timer);
      removeEventListener('online', done);
      waiters.delete(check);
      resolve();
    }
  });
}

function over() {
  return page.fate !== null || page.gone || page.story.state === 'ended';
}

function end(fate) {
  if (page.fate) return;
  change({ fate });
  for (const socket of sockets) socket.close();
}

/** True if `error` is the end of this page, false if another try may help. */
function isFinal(error) {
  if (error instanceof Refused) end({ phase: 'refused', kind: error.kind, detail: error.detail });
  else if (!(error instanceof DoorClosed)) return false;
  else if (error.kind === 'impostor') end({ phase: 'impostor', kind: 'impostor' });
  else if (error.kind === 'taken-over') end({ phase: 'refused', kind: 'takenOver' });
  else if (error.kind === 'bad-message') end({ phase: 'refused', kind: 'badMessage' });
  else if (error.kind === 'enter-again') {
    forget();
    end({ phase: 'refused', kind: 'enterAgain' });
  } else return false;
  return true;
}

async function open(route) {
  const door = await openDoor(route, credentials);
  sockets.add(door.socket);
  door.socket.addEventListener('close', () => sockets.delete(door.socket));
  if (over()) door.socket.close();
  return door;
}

async function letIn() {
  const token = takeToken();
  const backoff = new Backoff();
  for (;;) {
    try {
      credentials = await enter(token);
      return change({ entered: true, lostAt: null });
    } catch (error) {
      if (isFinal(error)) return;
      change({ lostAt: page.lostAt ?? performance.now() });
      await pause(backoff.delay());
    }
  }
}

async function followEvents() {
  const backoff = new Backoff();
  let shutOut = 0;
  while (!over()) {
    let openedAt = null;
    try {
      const door = await open('events');
      openedAt = performance.now();
      shutOut = 0;
      await listen(door);
    } catch (error) {
      if (over() || isFinal(error)) return;
      if (openedAt === null && page.story.state === 'draining') return change({ gone: true });
      shutOut = error.kind === 'lost' && !error.opened && await answers() ? shutOut + 1 : 0;
      if (shutOut === SHUT_OUT_TRIES) return end({ phase: 'refused', kind: 'shutOut' });
    }
    events = null;
    change({ lostAt: page.lostAt ?? performance.now() });
    await pause(backoff.delay(openedAt === null ? 0 : performance.now() - openedAt));
  }
}

/** Applies events until the socket closes, then rejects. */
function listen(door) {
  const closed = closing(door.socket);
  let heardAt = performance.now();
  door.socket.addEventListener('message', ({ data }) => {
    heardAt = performance.now();
    const event = JSON.parse(data);
    if (event.type === 'echo') echoed(event.id);
    else if (event.type !== 'alive' || page.lostAt !== null) change({ lostAt: null, story: tell(page.story, event, Date.now()) });
  });
  events = door.socket;
  door.handOver();
  return Promise.race([closed, silence(() => heardAt, closed)]);
}

/** Rejects when nothing has been heard for too long: a network that has gone says nothing, and closes no socket. */
function silence(heardAt, closed) {
  return new Promise((_, reject) => {
    const timer = setInterval(() => {
      if (performance.now() - heardAt() < SILENCE_LIMIT_MS) return;
      clearInterval(timer);
      for (const socket of sockets) socket.close();
      reject(new DoorClosed('lost', { reason: 'silent', opened: true }));
    }, TICK_MS);
    closed.catch(() => clearInterval(timer));
  });
}

/** Resolves with the milliseconds that a word to the connector and back takes. One at a time: an answer still owed is waited for no longer. */
function echo() {
  return new Promise((resolve, reject) => {
    if (events === null) return reject(new Error('not connected'));
    const [id, began] = [++echoes, performance.now()];
    echoed = (answered) => {
      if (answered === id) resolve(performance.now() - began);
    };
    return events.send(JSON.stringify({ type: 'echo', id }));
  });
}

/** Does the server of this page answer plain requests? */
async function answers() {
  try {
    return (await fetch(document.baseURI, { cache: 'no-store', credentials: 'same-origin' })).ok;
  } catch {
    return false;
  }
}

async function keepDesktop() {
  await until(() => over() || page.story.state !== null);
  const desktop = page.story.desktop !== null;
  const route = page.story.desktop ?? page.story.screen;
  if (over() || route === null) return;
  const { preload, show } = await (desktop ? import('./rdp.js') : import('./vnc.js'));
  preload().catch((error) => console.warn('the engine did not load', error));
  // The screen is there as long as the machine is; the desktop only when the guest says so.
  const wanted = () => page.desk !== 'left' && page.lostAt === null && (page.story.state === 'ready' || (!desktop && page.story.state === 'booting'));
  const backoff = new Backoff();
  for (;;) {
    await until(() => over() || wanted());
    if (over()) return;
    if (page.desk === 'none') change({ desk: 'connecting' });
    let shownAt = null;
    try {
      await show(view.stage, () => open(route), (controls) => {
        shownAt = performance.now();
        change({ desk: 'shown', deskProblem: null, controls });
      });
      change({ desk: 'left', controls: {} });
      continue;
    } catch (error) {
      if (isFinal(error)) return;
      if (error.kind === 'desk-refused') {
        change({ desk: 'left', deskProblem: error.reason, controls: {} }); // not again by itself: too many tries lock an account
        continue;
      }
      if (!(error instanceof DoorClosed)) console.warn('the desktop', error);
      const lost = shownAt !== null || page.desk === 'lost';
      change({ desk: lost ? 'lost' : 'connecting', deskProblem: shownAt === null ? error.why ?? error.kind : null, controls: {} });
    }
    await pause(backoff.delay(shownAt === null ? 0 : performance.now() - shownAt));
  }
}

/** While the machine boots, whoever waits for its desktop sees what it does. */
function watchBoot() {
  document.addEventListener('visibilitychange', () => change({}));
  keepThumbnail(view.thumbnail, {
    open: () => open('thumbnail'), until, pause, over,
    wanted: () => page.story.state === 'booting' && page.story.desktop !== null && page.lostAt === null && !document.hidden,
  });
}

addEventListener('hashchange', () => location.reload()); // another link, pasted into this tab
setInterval(() => view.tick(page, phase()), TICK_MS);
change({});
await letIn();
followEvents();
keepDesktop();
watchBoot();
