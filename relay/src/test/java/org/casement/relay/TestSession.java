package org.casement.relay;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.channel.unix.Socket;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.casement.session.EventLog;
import org.casement.session.SessionId;
import org.casement.session.SessionStory;

/// A session with a front desk on an inherited descriptor, and a clock that only moves when told.
final class TestSession implements AutoCloseable {
  final AtomicReference<Instant> now = new AtomicReference<>(Instant.parse("2026-11-24T08:00:00Z"));
  final SecureRandom random = new SecureRandom();
  final ByteArrayOutputStream logged = new ByteArrayOutputStream();
  final SessionStory story = new SessionStory(new SessionId("abc"), Optional.empty(), now::get);
  final CountDownLatch endAsked = new CountDownLatch(1);
  final EventLog log = new EventLog(new PrintStream(logged, true, UTF_8), now::get);
  final Door door = new Door(story.id(), now::get, random, log);
  final EventLoops loops = EventLoops.start(1);
  final Desk desk;
  final FrontDesk frontDesk;

  TestSession(Route route) throws IOException {
    Pages pages = Pages.load(TestSession.class.getClassLoader(), "org/casement/relay/pages/");
    desk = new Desk(loops, door, story, pages, "unprivileged", endAsked::countDown, random, log);
    frontDesk = FrontDesk.open(desk, listener(), route);
  }

  TestSession() throws IOException {
    this(new Route(Route.Shows.SCREEN, "vnc", _ -> {}));
  }

  /// What the process outside the namespace hands in: a socket that listens and does not block.
  static int listener() throws IOException {
    Socket socket = Socket.newSocketStream();
    socket.bind(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 0));
    socket.listen(64);
    return socket.intValue();
  }

  TestBrowser browser() {
    return new TestBrowser(frontDesk.address());
  }

  String mint() {
    return door.mintLink(Optional.empty()).base64url();
  }

  String logText() {
    return logged.toString(UTF_8);
  }

  @Override
  public void close() {
    frontDesk.close();
    loops.close();
  }
}
