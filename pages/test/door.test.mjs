import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';
import { WebSocket as WireSocket, WebSocketServer } from 'ws';
import { startFakeDoor } from './fake-door.mjs';

globalThis.crypto ??= webcrypto; // Node 18

/** A browser's WebSocket, as far as door.js needs one, on the real wire, with the browser's cookie. */
class BrowserSocket extends EventTarget {
  static CLOSED = 3;
  static cookie = '';
  #wire;

  constructor(url) {
    super();
    this.#wire = new WireSocket(url, { headers: { Cookie: BrowserSocket.cookie } });
    this.#wire.on('open', () => this.dispatchEvent(new Event('open')));
    this.#wire.on('message', (data, binary) => this.dispatchEvent(new MessageEvent('message', { data: binary ? data : String(data) })));
    this.#wire.on('close', (code, reason) => this.dispatchEvent(Object.assign(new Event('close'), { code, reason: String(reason) })));
    this.#wire.on('error', () => {});
  }

  get readyState() { return this.#wire.readyState; }
  send(data) { this.#wire.send(data); }
  close() { this.#wire.close(); }
}
globalThis.WebSocket = BrowserSocket;
globalThis.document = {};
const { DoorClosed, closing, openDoor } = await import('../web/door.js');

let fake;
let tab;
beforeEach(async () => {
  fake = await startFakeDoor();
  const { name, secret } = fake.mint();
  tab = { tab: name, secret };
  BrowserSocket.cookie = fake.cookie;
  document.baseURI = `${fake.origin}/node/host/1/#t=left-over`;
});
afterEach(() => fake.close());

const rejects = (promise, kind, opened) => assert.rejects(promise, (error) => {
  assert.ok(error instanceof DoorClosed, String(error));
  assert.deepEqual([error.kind, error.opened], [kind, opened]);
  return true;
});

test('what the connector says between the proof and the new owner is kept, in order', async () => {
  fake.tell({ type: 'warning', text: 'one' }, { type: 'warning', text: 'two' });
  const door = await openDoor('events', tab);
  await fake.arrived();
  const heard = [];
  const third = new Promise((resolve) => {
    door.socket.addEventListener('message', ({ data }) => {
      heard.push(JSON.parse(data).text ?? JSON.parse(data).type);
      if (heard.length === 4) resolve();
    });
  });
  assert.deepEqual(heard, []);
  door.handOver();
  fake.tell({ type: 'warning', text: 'three' });
  await third;
  assert.deepEqual(heard, ['session', 'one', 'two', 'three']);
  door.socket.close();
});

test('a stranger without the secret is an impostor and hears no proof of ours', async () => {
  fake.lie = true;
  await rejects(openDoor('events', tab), 'impostor', true);
  assert.deepEqual(fake.received, []);
  fake.lie = false;
  (await openDoor('events', tab)).socket.close();
  assert.equal(fake.received.length, 1);
});

test('junk instead of an answer is an impostor', async () => {
  for (const junk of ['', 'hello', '[]', 'null', '{"v": 1}', '{"nonce": 7, "proof": 7}', Buffer.alloc(40)]) {
    const stranger = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(stranger, 'listening');
    stranger.on('connection', (ws) => ws.once('message', () => ws.send(junk)));
    document.baseURI = `http://127.0.0.1:${stranger.address().port}/`;
    await rejects(openDoor('events', tab), 'impostor', true);
    stranger.close();
  }
});

test('an unknown tab must enter again', async () => {
  await rejects(openDoor('events', { ...tab, tab: 'A'.repeat(16) }), 'enter-again', true);
});

test('a route whose machine is not there says so after the proof', async () => {
  const door = await openDoor('rdp', tab);
  await rejects(closing(door.socket), 'absent', true);
});

test('a refused upgrade and a closed port are lost before they opened', async () => {
  BrowserSocket.cookie = '';
  await rejects(openDoor('events', tab), 'lost', false);
  document.baseURI = 'http://127.0.0.1:1/';
  await rejects(openDoor('events', tab), 'lost', false);
});

test('a cut connection is lost, another tab’s is not', async () => {
  const cut = closing((await openDoor('events', tab)).socket);
  fake.cut();
  await rejects(cut, 'lost', true);
  const taken = closing((await openDoor('events', tab)).socket);
  fake.closeAll(4409);
  await rejects(taken, 'taken-over', true);
});
