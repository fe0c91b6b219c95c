package org.casement.relay;

import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import org.casement.session.Secret;

/// One tab of a browser that was let in, with its open WebSockets. Thread-safe.
public final class Tab {
  /// A page has four at most; more are those that the network has lost and nobody has noticed yet.
  static final int SOCKETS_LIMIT = 8;

  private final String name;
  private final Secret secret;
  private final Door.Browser browser;
  private final InstantSource clock;
  private final List<ProvenSocket> sockets = new ArrayList<>();
  private Instant lastSocket;
  private boolean forgotten;

  Tab(String name, Secret secret, Door.Browser browser, InstantSource clock) {
    this.name = name;
    this.secret = secret;
    this.browser = browser;
    this.clock = clock;
    this.lastSocket = clock.instant();
  }

  public String name() {
    return name;
  }

  Secret secret() {
    return secret;
  }

  Door.Browser browser() {
    return browser;
  }

  /// Now, while there is a WebSocket.
  synchronized Instant silentSince() {
    return sockets.isEmpty() ? lastSocket : clock.instant();
  }

  synchronized void add(ProvenSocket socket) {
    if (forgotten) {
      socket.close(CloseCode.ENTER_AGAIN, "enter again");
      return;
    }
    if (sockets.size() == SOCKETS_LIMIT) {
      sockets.removeFirst().close(CloseCode.GOING_AWAY, "too many connections of one tab");
    }
    sockets.add(socket);
  }

  synchronized void remove(ProvenSocket socket) {
    sockets.remove(socket);
    lastSocket = clock.instant();
  }

  synchronized void forget() {
    forgotten = true;
    List.copyOf(sockets).forEach(socket -> socket.close(CloseCode.ENTER_AGAIN, "enter again"));
  }
}
