import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { webcrypto } from 'node:crypto';
import { test } from 'node:test';

globalThis.crypto ??= webcrypto; // Node 18
const { freshNonce, fromBase64url, isProof, prove, toBase64url } = await import('../web/proof.js');
const vector = JSON.parse(readFileSync(new URL('../../contracts/door/proof.json', import.meta.url), 'utf8'));
const { secret, route, pageNonce, connectorNonce, connectorProof, pageProof } = vector;

test('both proofs are those of the contract', async () => {
  assert.equal(await prove(secret, 'connector', route, pageNonce, connectorNonce), connectorProof);
  assert.equal(await prove(secret, 'page', route, pageNonce, connectorNonce), pageProof);
});

test('the connector’s proof is accepted for its own route, secret and nonces only', async () => {
  const other = freshNonce();
  assert.equal(await isProof(connectorProof, secret, 'connector', route, pageNonce, connectorNonce), true);
  assert.equal(await isProof(connectorProof, other, 'connector', route, pageNonce, connectorNonce), false);
  assert.equal(await isProof(connectorProof, secret, 'page', route, pageNonce, connectorNonce), false);
  assert.equal(await isProof(connectorProof, secret, 'connector', 'vnc', pageNonce, connectorNonce), false);
  assert.equal(await isProof(connectorProof, secret, 'connector', route, other, connectorNonce), false);
  assert.equal(await isProof(connectorProof, secret, 'connector', route, pageNonce, other), false);
});

test('our own proof sent back to us is no proof', async () => {
  assert.equal(await isProof(pageProof, secret, 'connector', route, pageNonce, connectorNonce), false);
});

test('whatever else a stranger sends is no proof', async () => {
  for (const junk of [undefined, null, 7, {}, '', connectorProof.slice(1), `${connectorProof}A`, '!'.repeat(43), 'A'.repeat(43)]) {
    assert.equal(await isProof(junk, secret, 'connector', route, pageNonce, connectorNonce), false);
  }
});

test('a nonce is 32 random bytes in 43 characters', () => {
  assert.match(freshNonce(), /^[\w-]{43}$/);
  assert.notEqual(freshNonce(), freshNonce());
  assert.equal(fromBase64url(freshNonce()).length, 32);
  const bytes = Uint8Array.from([0, 255, 254, 251, 239, 190]);
  assert.deepEqual(fromBase64url(toBase64url(bytes)), bytes);
});
