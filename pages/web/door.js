// Opens a WebSocket of this session and does not hand it on before both sides have proven themselves (contracts/door.md).

import { freshNonce, isProof, prove } from './proof.js';

/** The contract's limit for the whole exchange. */
const EXCHANGE_LIMIT_MS = 10_000;

/** Close codes of the contract. */
const KINDS = { 4400: 'bad-message', 4401: 'enter-again', 4403: 'desk-refused', 4409: 'taken-over', 4503: 'absent' };

/** Why a door did not open, or closed: `kind` is one of KINDS, `impostor` or `lost`; `opened` if the upgrade succeeded. */
export class DoorClosed extends Error {
  constructor(kind, { code = 0, reason = '', opened = false } = {}) {
    super(`${kind} ${code} ${reason}`.trim());
    Object.assign(this, { kind, code, reason, opened });
  }

  /** From a close event. */
  static of({ code, reason }, opened = true) {
    return new DoorClosed(KINDS[code] ?? 'lost', { code, reason, opened });
  }
}

/** Never resolves; rejects with DoorClosed `after` milliseconds after `socket` has closed. */
export function closing(socket, after = 0) {
  const closed = new Promise((_, reject) => {
    socket.addEventListener('close', (event) => setTimeout(() => reject(DoorClosed.of(event)), after));
    if (socket.readyState === WebSocket.CLOSED) reject(DoorClosed.of({ code: 1006, reason: '' }));
  });
  closed.catch(() => {});
  return closed;
}

/**
 * Resolves with a proven door: `socket` (a real WebSocket), and `handOver()`, to be called once the socket's new owner
 * listens: only then are messages that have come since the proof delivered, in order. Rejects with DoorClosed.
 */
export async function openDoor(route, { tab, secret }) {
  const url = new URL(`ws/${route}`, document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = url.hash = '';
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';

  const held = [];
  let opened = false;
  let closed = null;
  let wake = () => {};
  const hold = (event) => {
    event.stopImmediatePropagation();
    held.push(event.data);
    wake();
  };
  socket.addEventListener('open', () => { opened = true; wake(); });
  socket.addEventListener('message', hold);
  socket.addEventListener('close', (event) => {
    closed ??= DoorClosed.of(event, opened);
    wake();
  });
  const until = async (ready) => {
    for (;;) {
      if (ready()) return;
      if (closed) throw closed;
      await new Promise((resolve) => { wake = resolve; });
    }
  };
  const nextMessage = async () => {
    await until(() => held.length > 0);
    return held.shift();
  };
  const impostor = () => new DoorClosed('impostor', { opened });

  const limit = setTimeout(() => {
    closed ??= new DoorClosed('lost', { reason: 'no answer', opened });
    wake();
  }, EXCHANGE_LIMIT_MS);
  try {
    await until(() => opened);
    const pageNonce = freshNonce();
    socket.send(JSON.stringify({ v: 1, tab, nonce: pageNonce }));
    const answer = parse(await nextMessage());
    if (typeof answer?.nonce !== 'string' || !await isProof(answer.proof, secret, 'connector', route, pageNonce, answer.nonce)) throw impostor();
    socket.send(JSON.stringify({ proof: await prove(secret, 'page', route, pageNonce, answer.nonce) }));
    if (parse(await nextMessage())?.ok !== true) throw impostor();
  } catch (error) {
    socket.close();
    throw error;
  } finally {
    clearTimeout(limit);
  }
  return {
    socket,
    handOver() {
      socket.removeEventListener('message', hold);
      for (const data of held.splice(0)) socket.dispatchEvent(new MessageEvent('message', { data }));
    },
  };
}

function parse(data) {
  try {
    return typeof data === 'string' ? JSON.parse(data) : null;
  } catch {
    return null;
  }
}
