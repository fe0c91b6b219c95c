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
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.casement.session.EventLog;
import org.casement.session.PowerAction;
import org.casement.session.SessionId;
import org.casement.session.SessionStory;

/// A session without machine: what connectors need, and a clock that only moves when told.
public final class TestSession implements AutoCloseable {
  public final AtomicReference<Instant> now =
      new AtomicReference<>(Instant.parse("2026-11-24T08:00:00Z"));
  public final SecureRandom random = new SecureRandom();
  public final ByteArrayOutputStream logged = new ByteArrayOutputStream();
  public final SessionStory story =
      new SessionStory(new SessionId("abc"), Optional.empty(), now::get);
  public final CountDownLatch endAsked = new CountDownLatch(1);
  public final EventLog log = new EventLog(new PrintStream(logged, true, UTF_8), now::get);
  public final Door door = new Door(story.id(), now::get, random, log);
  public final EventLoops loops = EventLoops.start(1);
  public final BlockingQueue<PowerAction> pressed = new LinkedBlockingQueue<>();
  public final List<Consumer<byte[]>> watchers = new CopyOnWriteArrayList<>();
  public final Semaphore unwatched = new Semaphore(0);
  public final Desk desk;
  private final List<AutoCloseable> opened = new ArrayList<>();

  public TestSession() throws IOException {
    Pages pages = Pages.load(TestSession.class.getClassLoader(), "org/casement/relay/pages/");
    desk =
        new Desk(
            loops,
            door,
            story,
            pages,
            "unprivileged",
            endAsked::countDown,
            new Desk.Power(Set.of(PowerAction.RESET), pressed::add),
            this::watch,
            random,
            log);
  }

  private Runnable watch(Consumer<byte[]> watcher) {
    watchers.add(watcher);
    return () -> {
      watchers.remove(watcher);
      unwatched.release();
    };
  }

  /// Closes `connector` with this session, before its threads.
  public <T extends AutoCloseable> T closing(T connector) {
    opened.add(connector);
    return connector;
  }

  FrontDesk frontDesk() throws IOException {
    return closing(FrontDesk.open(desk, listener(), new Route(Route.Shows.SCREEN, "vnc", _ -> {})));
  }

  /// What the process outside the namespace hands in: a socket that listens and does not block.
  public static int listener() throws IOException {
    Socket socket = Socket.newSocketStream();
    socket.bind(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 0));
    socket.listen(64);
    return socket.intValue();
  }

  /// A browser that has entered.
  public TestBrowser entered(InetSocketAddress address) throws IOException, InterruptedException {
    TestBrowser browser = new TestBrowser(address);
    if (browser.enter(mint()).statusCode() != 200) {
      throw new IOException("not let in");
    }
    return browser;
  }

  public String mint() {
    return door.mintStandingLink(() -> {}).base64url();
  }

  public String logText() {
    return logged.toString(UTF_8);
  }

  @Override
  public void close() {
    for (AutoCloseable connector : opened.reversed()) {
      try {
        connector.close();
      } catch (Exception failed) {
        throw new IllegalStateException(failed);
      }
    }
    loops.close();
  }
}
