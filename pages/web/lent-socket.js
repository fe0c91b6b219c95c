// The RDP engine opens its WebSocket itself, by `new WebSocket(url)` inside its glue. build.mjs replaces that one call
// by openSocket(), which gives it the socket that is open and proven already.

let lent = null;

/** The engine's next socket is `door`'s. */
export function lend(door) {
  lent = door;
}

export function openSocket(url) {
  const door = lent;
  if (door?.socket.url !== url) throw new Error('no proven socket for this address');
  lent = null;
  // The glue listens as soon as it has the socket, in this same task; nothing is delivered before.
  setTimeout(() => door.handOver());
  return door.socket;
}
