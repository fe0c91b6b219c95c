// The proof that opens every WebSocket: both sides show that they know the tab secret, over two nonces, without
// showing it (contracts/door.md). Pure but for the random numbers; test vector: contracts/door/proof.json.

const encoder = new TextEncoder();

/** base64url without padding (RFC 4648, section 5). */
export function toBase64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

export function fromBase64url(text) {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
}

/** 32 random bytes as 43 characters. */
export function freshNonce() {
  return toBase64url(crypto.getRandomValues(new Uint8Array(32)));
}

/** `who` is `connector` or `page`; the nonces enter as the text that went over the wire. */
function statement(who, route, pageNonce, connectorNonce) {
  return encoder.encode(`casement-door-1 ${who}\n${route}\n${pageNonce}\n${connectorNonce}`);
}

function hmacKey(secret) {
  return crypto.subtle.importKey('raw', fromBase64url(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
}

export async function prove(secret, who, route, pageNonce, connectorNonce) {
  const mac = await crypto.subtle.sign('HMAC', await hmacKey(secret), statement(who, route, pageNonce, connectorNonce));
  return toBase64url(new Uint8Array(mac));
}

/** False, never an exception, for whatever a stranger may have sent as `proof`. */
export async function isProof(proof, secret, who, route, pageNonce, connectorNonce) {
  if (typeof proof !== 'string' || !/^[\w-]{43}$/.test(proof)) return false;
  return crypto.subtle.verify('HMAC', await hmacKey(secret), fromBase64url(proof), statement(who, route, pageNonce, connectorNonce));
}
