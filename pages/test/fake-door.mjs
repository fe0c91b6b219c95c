// A connector's side of contracts/door.md, for looking at the pages and for testing their door without a session:
//
//   node test/fake-door.mjs [--screen] [--vnc SOCKET] [--rdp HOST:PORT]     plays a session's start and prints its link
//
// The desktop is whatever RDP server (TLS) is named, the screen whatever VNC server listens on the socket.

import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';

const dist = new URL('../target/classes/org/casement/pages/dist/', import.meta.url);
const random = (bytes) => randomBytes(bytes).toString('base64url');

export const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; img-src 'self' data: blob:; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

export const STEPS = [
  ['node', 'checking the node'], ['disk', 'making the disk'], ['share', 'starting the file share'], ['machine', 'starting the virtual machine'],
  ['system', 'booting the guest system'], ['agent', 'preparing your account'], ['desktop', 'waiting for the desktop'],
].map(([code, text]) => ({ code, text }));

/** `rdp`: {host, port}; `vnc`: a socket's path. What is null is refused with 4503. */
export async function startFakeDoor({ desktop = 'rdp', screen = null, rdp = null, vnc = null, id = 'demo-7f3a', walltimeMs = 8 * 3_600_000 } = {}) {
  const start = Date.now();
  const tokens = new Set();
  const tabs = new Map();
  const past = [];
  const events = new Set();
  const sockets = new Set();
  /** What a test may turn: lie (wrong proofs), deaf (no upgrades), received (what pages sent). */
  const door = { lie: false, deaf: false, received: [] };
  const { files } = JSON.parse(readFileSync(new URL('index.json', dist)));
  const cookie = random(32);

  const mint = () => {
    const tab = { name: random(12), secret: random(32) };
    tabs.set(tab.name, tab.secret);
    return tab;
  };

  const server = createServer(async (request, response) => {
    const path = new URL(request.url, 'http://x').pathname;
    const headers = { 'Content-Security-Policy': POLICY, 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer' };
    if (request.method === 'POST' && path.endsWith('/enter')) {
      let body = '';
      for await (const piece of request) body += piece;
      const form = request.headers['content-type'].startsWith('application/x-www-form-urlencoded');
      const token = form ? new URLSearchParams(body).get('token') : JSON.parse(body).token;
      if (!tokens.delete(token)) return response.writeHead(403, { ...headers, 'Content-Type': 'application/json' }).end('{"error": "this link was used or has expired"}');
      const { name, secret } = mint();
      headers['Set-Cookie'] = `casement-${id}=${cookie}; HttpOnly; SameSite=Strict; Path=/`;
      if (!form) return response.writeHead(200, { ...headers, 'Content-Type': 'application/json' }).end(JSON.stringify({ tab: name, secret }));
      const html = readFileSync(new URL('index.html', dist), 'utf8').replace('name="casement-tab" content=""', `name="casement-tab" content="${name}.${secret}"`);
      return response.writeHead(200, { ...headers, 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' }).end(html);
    }
    const file = files.find((each) => path.endsWith(`/${path.endsWith('/') ? '' : each.path}`) && (!path.endsWith('/') || each.path === 'index.html'));
    if (!file) return response.writeHead(404, headers).end();
    const encoding = (request.headers['accept-encoding'] ?? '').includes('br') && file.br ? 'br' : null;
    Object.assign(headers, { 'Content-Type': file.type, 'Cache-Control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-store' });
    if (encoding) headers['Content-Encoding'] = encoding;
    response.writeHead(200, headers).end(readFileSync(new URL(encoding ? file.br : file.path, dist)));
  });

  const upgrades = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    const route = /\/ws\/(events|rdp|vnc|thumbnail)$/.exec(request.url)?.[1];
    if (door.deaf || !route || !request.headers.cookie?.includes(`casement-${id}=${cookie}`)) return socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
    upgrades.handleUpgrade(request, socket, head, (ws) => {
      sockets.add(ws);
      ws.on('close', () => sockets.delete(ws));
      ws.on('error', () => {});
      exchange(ws, route);
    });
  });

  function exchange(ws, route) {
    const prove = (secret, who, c, s) => createHmac('sha256', Buffer.from(secret, 'base64url')).update(`casement-door-1 ${who}\n${route}\n${c}\n${s}`).digest('base64url');
    const mine = random(32);
    ws.once('message', (first) => {
      const { tab, nonce } = JSON.parse(first);
      const secret = tabs.get(tab);
      if (!secret) return ws.close(4401, 'unknown tab');
      ws.once('message', (second) => {
        door.received.push(JSON.parse(second));
        if (JSON.parse(second).proof !== prove(secret, 'page', nonce, mine)) return ws.close(4401, 'wrong proof');
        ws.send('{"ok": true}');
        if (route === 'events') follow(ws);
        else if (route === 'vnc' && vnc) relay(ws, connect(vnc));
        else if (route === 'rdp' && rdp) cleanPath(ws, rdp);
        else ws.close(4503, 'not there');
      });
      ws.send(JSON.stringify({ v: 1, nonce: mine, proof: prove(door.lie ? random(32) : secret, 'connector', nonce, mine) }));
    });
  }

  function follow(ws) {
    ws.send(JSON.stringify({ type: 'session', id, now: Date.now(), start, walltimeEnd: walltimeMs && start + walltimeMs, steps: STEPS, desktop, screen, promise: 'unprivileged', power: screen ? ['shutdown', 'reset', 'poweroff'] : [] }));
    for (const event of past) ws.send(JSON.stringify(event));
    events.add(ws);
    ws.on('close', () => events.delete(ws));
    ws.on('message', (data) => door.received.push(JSON.parse(data)));
  }

  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return Object.assign(door, {
    origin,
    id,
    sockets,
    link(prefix = '/') {
      const token = random(32);
      tokens.add(token);
      return `${origin}${prefix}#t=${token}`;
    },
    token() {
      return this.link().split('#t=')[1];
    },
    mint,
    cookie: `casement-${id}=${cookie}`,
    /** Tells every page, and those that come later. */
    tell(...news) {
      for (const event of news) {
        if (event.type !== 'walltime') past.push(event);
        for (const ws of events) ws.send(JSON.stringify(event));
      }
    },
    step(step, status, text = STEPS.find(({ code }) => code === step).text) {
      this.tell({ type: 'step', step, status, sinceStartMs: Date.now() - start, text });
    },
    /** Cuts every connection without a goodbye. */
    cut() {
      for (const ws of sockets) ws.terminate();
    },
    /** Resolves when all that was sent has reached the other sides. */
    arrived() {
      return Promise.all([...sockets].map((ws) => new Promise((resolve) => {
        ws.once('pong', resolve);
        ws.ping();
      })));
    },
    closeAll(code) {
      for (const ws of sockets) ws.close(code);
    },
    async close() {
      this.cut();
      server.closeAllConnections?.();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

function relay(ws, tcp) {
  tcp.on('data', (bytes) => ws.send(bytes));
  ws.on('message', (bytes) => tcp.write(bytes));
  tcp.on('error', () => ws.close(4503, 'not there'));
  tcp.on('close', () => ws.close(1001));
  ws.on('close', () => tcp.destroy());
}

/** RDCleanPath to an RDP server with TLS: as much of it as one browser needs. */
function cleanPath(ws, { host, port }) {
  ws.once('message', (request) => {
    const der = Buffer.from(request);
    const at = der.indexOf(Buffer.from([0x03, 0x00, 0x00]), 4); // the X.224 connection request (TPKT)
    const ask = der.subarray(at, at + der.readUInt16BE(at + 2));
    ask.writeUInt32LE(1, ask.length - 4); // TLS only: this server wants no network level authentication
    const tcp = connect(port, host, () => tcp.write(ask));
    tcp.on('error', () => ws.close(4503, 'not there'));
    tcp.once('data', (confirm) => {
      const tls = connectTls({ socket: tcp, rejectUnauthorized: false }, () => {
        const field = (tag, ...parts) => {
          const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
          const size = body.length < 0x80 ? [body.length] : body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff];
          return Buffer.concat([Buffer.from([tag, ...size]), body]);
        };
        ws.send(field(0x30,
          field(0xa0, field(0x02, [0x0d, 0x3e])),
          field(0xa6, field(0x04, confirm)),
          field(0xa7, field(0x30, field(0x04, tls.getPeerCertificate(true).raw))),
          field(0xa9, field(0x0c, `${host}:${port}`))));
        let rest = Buffer.alloc(0);
        tls.on('data', (bytes) => {
          // One PDU a message: the client drops what follows the last PDU of the connection sequence in its buffer.
          rest = Buffer.concat([rest, bytes]);
          for (;;) {
            if (rest.length < 4) return;
            const length = rest[0] === 3 ? rest.readUInt16BE(2) : rest[1] & 0x80 ? rest.readUInt16BE(1) & 0x7fff : rest[1];
            if (rest.length < length) return;
            ws.send(rest.subarray(0, length));
            rest = rest.subarray(length);
          }
        });
        ws.on('message', (bytes) => tls.write(bytes));
      });
      tls.on('error', () => ws.close(1011));
      tls.on('close', () => ws.close(1000));
      ws.on('close', () => tls.destroy());
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : null);
  const screenOnly = process.argv.includes('--screen') || option('--vnc') !== null;
  const [host, port] = option('--rdp')?.split(':') ?? [];
  const door = await startFakeDoor({ desktop: screenOnly ? null : 'rdp', screen: screenOnly ? 'vnc' : null, vnc: option('--vnc'), rdp: host ? { host, port: Number(port) } : null });
  console.log(door.link());
  door.tell({ type: 'state', state: 'preparing' });
  const plot = STEPS.flatMap(({ code }) => [() => door.step(code, 'running'), () => door.step(code, 'done')]);
  plot.splice(7, 0, () => door.tell({ type: 'state', state: 'booting' }, { type: 'warning', text: 'no KVM on this node: the machine is emulated and slow' }));
  plot.push(() => door.tell({ type: 'state', state: 'ready' }));
  const timer = setInterval(() => (plot.length ? plot.shift()() : clearInterval(timer)), 1_500);
}
