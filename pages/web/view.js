// Puts the page's state on the screen. Whatever came over the wire goes in as textContent, never as HTML.

import { duration, hoursMinutes, stepDuration } from './format.js';
import { menu } from './menu.js';
import { lasted, secondsLeft, stepTime } from './story.js';
import { strings } from './strings.js';

/** The last minutes are announced, in a notice over the desktop. */
const SOON_S = 600;
const LAST_CALLS_S = [600, 300, 120, 60];
/** Before that, "reconnecting" says it all; and so often it is said again. */
const UNANSWERED_MS = 15_000;

const byId = (id) => document.getElementById(id);

export class View {
  stage = byId('stage');
  thumbnail = byId('thumbnail');
  #wishes;
  #steps = new Map(); // code → {item, time}
  #said = new Map(); // code → status announced last
  #nextCall = 0;
  #shownPhase = null;

  /** `wishes`: what the user may want, `{endSession, again}`. */
  constructor(wishes) {
    this.#wishes = wishes;
    const texts = {
      name: '', end: strings.end, 'end-title': strings.endTitle, 'end-text': strings.endText, 'end-yes': strings.endYes, 'end-no': strings.endNo,
      toggle: strings.steps, menu: strings.menu, 'ctrl-alt-del': strings.ctrlAltDel, about: strings.about, 'about-title': strings.aboutTitle, 'about-text': strings.aboutText,
      licences: strings.licences, 'about-close': strings.close, 'worth-title': strings.warnings, 'notice-away': strings.dismiss,
    };
    for (const [id, text] of Object.entries(texts)) byId(id).textContent = text;
    byId('toggle').title = strings.leave;
    this.thumbnail.alt = strings.thumbnail;
    const on = (id, act) => byId(id).addEventListener('click', act);
    menu.attach(byId('menu'), byId('menu-list'));
    on('end', () => byId('end-dialog').showModal());
    on('end-no', () => byId('end-dialog').close());
    on('end-yes', () => {
      byId('end-dialog').close();
      wishes.endSession();
    });
    on('about', () => byId('about-dialog').showModal());
    on('about-close', () => byId('about-dialog').close());
    on('notice-away', () => {
      this.notify('');
      this.focusDesktop();
    });
    on('again', () => this.#wishes.again());
    on('toggle', () => this.#openPanel(byId('toggle').getAttribute('aria-expanded') !== 'true'));
    // The desktop takes every key; this combination gives the keyboard back to the page.
    addEventListener('keydown', (event) => {
      if (!(event.ctrlKey && event.altKey && event.shiftKey) || !this.stage.contains(document.activeElement)) return;
      event.stopImmediatePropagation();
      dispatchEvent(new Event('blur')); // the engine releases the keys it holds down in the desktop
      [...document.querySelectorAll('.bar button')].find((button) => button.checkVisibility?.() ?? button.offsetParent)?.focus();
    }, true);
  }

  /** Shows a notice over the desktop until it is dismissed; an empty one takes it away. */
  notify(text) {
    byId('notice-text').textContent = text;
    byId('notice').hidden = text === '';
    if (text) fill('say', text);
  }

  /** Shows `page` (main.js) in `phase`. */
  show(page, phase) {
    const { story } = page;
    const root = document.documentElement;
    root.dataset.casement = phase;
    root.dataset.mode = story.desktop === null && story.screen !== null ? 'screen' : 'desktop';
    if (phase !== this.#shownPhase) this.#openPanel(false);
    this.#shownPhase = phase;

    const refused = phase === 'disconnected' ? strings.deskRefused[page.deskProblem] ?? null : null;
    const headline = refused ? strings.headline.deskRefused : this.#headline(page, phase, root.dataset.mode);
    document.title = `${headline} – ${strings.title}`;
    fill('headline', headline);
    fillMarked('lead', refused ?? this.#lead(page, phase, root.dataset.mode));
    fill('name', story.id ?? '');
    const again = strings.again[page.fate?.kind ?? phase];
    fill('again', again);
    byId('actions').hidden = !again;
    fill('about-promise', strings.promise[story.promise]);

    byId('toggle').hidden = phase !== 'desktop';
    byId('end').hidden = story.state === null || ['ending', 'ended', 'refused', 'impostor'].includes(phase);
    byId('end').disabled = page.lostAt !== null;
    byId('ctrl-alt-del').hidden = !page.controls.ctrlAltDel;
    byId('ctrl-alt-del').onclick = () => {
      page.controls.ctrlAltDel?.();
      this.focusDesktop();
    };
    if (byId('end').hidden || byId('end').disabled) byId('end-dialog').close();

    this.#showSteps(story, page.fate !== null, phase === 'ended');
    const warnings = story.warnings.map((text) => Object.assign(document.createElement('li'), { textContent: text }));
    byId('warnings').replaceChildren(...warnings);
    byId('worth').hidden = warnings.length === 0 || page.fate !== null;
    const troubles = page.fate === null && phase !== 'ended' ? Object.values(story.troubles) : [];
    fill('troubles', troubles.map(sentence).join(' '));
    this.tick(page, phase);
  }

  focusDesktop() {
    this.stage.querySelector('iron-remote-desktop, canvas')?.focus({ preventScroll: true });
  }

  /** Moves the clocks. */
  tick(page, phase) {
    const { story } = page;
    const now = Date.now();
    for (const step of story.steps) {
      const time = stepTime(story, step, now);
      fill(this.#steps.get(step.code).time, time === null ? '' : stepDuration(time));
    }
    const total = lasted(story, now);
    const over = phase === 'ended' || page.fate !== null;
    fill('elapsed', total === null || over ? '' : strings.elapsed(duration(total)));

    const lost = page.lostAt !== null && !over;
    fill('status', phase === 'desktop' && lost ? strings.status.reconnecting : strings.status[phase]);
    fill('problem', this.#problem(page, phase));

    const seconds = secondsLeft(story, now);
    const known = seconds !== null && !over && phase !== 'ending';
    fill('left', known ? strings.left(hoursMinutes(seconds)) : '');
    byId('left').title = strings.leftLabel;
    byId('left').classList.toggle('soon', known && seconds <= SOON_S);
    if (known) this.#call(seconds);
    else if (this.#nextCall) this.#endCalls();
  }

  #headline({ story, fate }, phase, mode) {
    if (fate?.kind === 'takenOver') return strings.headline.takenOver;
    if (phase === 'ended' && failed(story)) return strings.headline.failed;
    if (mode === 'screen' && phase === 'desktop') return strings.headline.screen;
    if (mode === 'screen' && phase === 'connecting') return strings.headline.screenConnecting;
    return strings.headline[phase];
  }

  #lead({ story, fate }, phase, mode) {
    if (phase === 'refused') return [strings.refused[fate.kind], fate.kind === 'strange' ? `(${fate.detail})` : ''].join(' ').trim();
    if (phase === 'ended') return [failed(story) ? '' : sentence(story.reason?.text), strings.total(duration(lasted(story, Date.now()) ?? 0))].join(' ').trim();
    if (phase === 'ending') return [sentence(story.reason?.text), strings.lead.ending].join(' ').trim();
    if (phase === 'waiting' && mode === 'screen') return strings.lead.waitingScreen;
    return strings.lead[phase];
  }

  #problem({ story, deskProblem, lostAt }, phase) {
    if (phase === 'entering' && lostAt !== null) return strings.noAnswer;
    if (phase === 'ended') return failed(story) ? sentence(story.reason.text) : '';
    const unanswered = lostAt === null ? 0 : performance.now() - lostAt;
    if (phase === 'reconnecting' && unanswered > UNANSWERED_MS) return strings.unanswered(duration(unanswered - (unanswered % UNANSWERED_MS)));
    if (deskProblem !== null && (phase === 'connecting' || phase === 'reconnecting')) return strings.deskFailed(strings.deskWhy[deskProblem]);
    return '';
  }

  #showSteps(story, fated, over) {
    const list = byId('steps');
    list.hidden = story.steps.length === 0 || fated;
    if ([...this.#steps.keys()].join() !== story.steps.map((step) => step.code).join()) {
      this.#steps.clear();
      list.replaceChildren(...story.steps.map((step) => {
        const parts = { item: document.createElement('li') };
        for (const part of ['text', 'status', 'time', 'detail']) {
          parts[part] = document.createElement('span');
          parts[part].className = part === 'status' ? 'unseen' : part;
          parts.item.append(parts[part]);
        }
        parts.item.dataset.step = step.code;
        this.#steps.set(step.code, parts);
        return parts.item;
      }));
    }
    for (const step of story.steps) {
      const { item, text, status, detail } = this.#steps.get(step.code);
      item.dataset.status = step.status;
      fill(text, step.text);
      fill(detail, step.detail);
      fill(status, ` (${strings.stepStatus[over && step.status === 'running' ? 'stopped' : step.status]})`);
      if (step.status !== 'todo' && this.#said.get(step.code) !== step.status) {
        this.#said.set(step.code, step.status);
        fill('say', strings.say(step.text, strings.stepStatus[step.status], step.detail));
      }
    }
  }

  /** Says the last minutes, each once. */
  #call(seconds) {
    const due = LAST_CALLS_S.filter((call) => seconds <= call).at(-1);
    if (due === undefined || due === this.#nextCall) return;
    this.#nextCall = due;
    this.notify(strings.leftSoon(Math.max(1, Math.ceil(seconds / 60)))); // rounded as the bar's
  }

  /** The session's end is told by the page itself. */
  #endCalls() {
    this.#nextCall = 0;
    this.notify('');
  }

  #openPanel(open) {
    byId('toggle').setAttribute('aria-expanded', String(open));
    document.documentElement.dataset.panel = open ? 'open' : 'closed';
  }
}

/** Sets the text where it differs, so that nothing is announced or selected away twice; what is empty is hidden. */
function fill(target, text = '') {
  const element = typeof target === 'string' ? byId(target) : target;
  if (element.textContent !== text) element.textContent = text;
  if (element.hasAttribute('hidden') || text === '') element.hidden = text === '';
}

/** As fill(), with what stands between backticks as code. Only for our own texts. */
function fillMarked(id, text = '') {
  const element = byId(id);
  const pieces = text.split('`').map((piece, i) => (i % 2 ? Object.assign(document.createElement('code'), { textContent: piece }) : piece));
  if (element.textContent !== text.replaceAll('`', '')) element.replaceChildren(...pieces);
  element.hidden = text === '';
}

function failed(story) {
  return story.reason?.code === 'failed';
}

function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? '' : '.') : '';
}
