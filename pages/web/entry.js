// From a link, a portal's form or an earlier load of this page to the tab secret (contracts/door.md, "Entering").

/** Why the page was not let in; `kind` is a key of strings.js `refused`. */
export class Refused extends Error {
  constructor(kind, detail = '') {
    super(detail || kind);
    Object.assign(this, { kind, detail });
  }
}

/** One session a path: on a portal's origin several share a sessionStorage. */
const slot = `casement-tab:${new URL('.', document.baseURI).pathname}`;

/** A portal's form led here. */
const byForm = location.pathname.endsWith('/enter');

/** The token is taken out of the address bar before anything else happens. */
export function takeToken() {
  const token = /^#t=([\w-]{1,100})$/.exec(location.hash)?.[1] ?? null;
  const path = location.pathname.replace(/\/enter$/, '/');
  if (location.hash || path !== location.pathname) history.replaceState(null, '', path + location.search);
  return token;
}

/** Resolves with `{tab, secret}`, rejects with Refused, or with another error where nobody answered: then try again. */
export async function enter(token) {
  // The secret's proofs need Web Crypto, which browsers keep from plain http but on this very machine.
  if (!globalThis.crypto?.subtle) throw new Refused('insecure');
  const fromForm = document.querySelector('meta[name="casement-tab"]')?.content;
  if (fromForm) return keep(...fromForm.split('.'));
  const stored = recall();
  if (!token) {
    if (stored) return stored;
    throw new Refused(byForm ? 'usedLink' : 'noLink');
  }
  const response = await fetch('enter', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ token }),
    credentials: 'same-origin',
    redirect: 'error',
    cache: 'no-store',
  });
  if (response.status >= 500) throw new Error(`status ${response.status}`);
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return keep(answer.tab, answer.secret);
  // The link was opened again in the tab it was used in: that tab is still good.
  if (response.status === 403 && stored) return stored;
  if (response.status === 403) throw new Refused('usedLink', typeof answer?.error === 'string' ? answer.error : '');
  throw new Refused('strange', `status ${response.status}`);
}

/** Forgets the secret: the connector no longer knows it. */
export function forget() {
  sessionStorage.removeItem(slot);
}

function keep(tab, secret) {
  if (!/^[\w-]{16}$/.test(tab) || !/^[\w-]{43}$/.test(secret)) throw new Refused('strange');
  sessionStorage.setItem(slot, `${tab}.${secret}`);
  return { tab, secret };
}

function recall() {
  const [tab, secret] = (sessionStorage.getItem(slot) ?? '').split('.');
  return tab && secret ? { tab, secret } : null;
}
