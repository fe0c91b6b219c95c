package org.casement.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.casement.systemtests.Browser;
import org.casement.systemtests.GuestShell;
import org.casement.systemtests.Session;
import org.casement.systemtests.Settings;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.ProcessEntry;
import org.casement.testkit.TestUser;
import org.jspecify.annotations.Nullable;

/// The desktop in a browser beside xfreerdp straight at the same guest, each in a window of the
/// same size on the same X server: the first picture, then how many pictures a second, bytes and,
/// for the session, the supervisor's processor time while text scrolls, is typed, and a film plays;
/// and from a key to the pixel that it changes.
final class WebBenchmark {
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final Duration LOAD = Duration.ofSeconds(10);
  private static final Duration REST = Duration.ofSeconds(3);
  private static final int FIRST_PICTURES = 5;
  private static final int KEYS = 120;
  private static final long KEY_GIVE_UP_NANOS = 20_000_000_000L;
  private static final int KEY_PAUSE_MILLIS = 120;
  private static final int KEY_PAUSE_STEP_MILLIS = 13;
  private static final long LOOK_NANOS = 1_000_000;
  private static final long FRAME_LOOK_NANOS = 4_000_000;
  private static final double TICKS_A_SECOND = 100;

  /// The terminal's rows on the demo guest's desktop.
  private static final int TERMINAL_BOTTOM = 460;

  private static final Pattern BYTES_SENT = Pattern.compile("bytes_sent:(\\d+)");

  /// @param frames pictures a second
  /// @param kilobytes a second, to the client
  /// @param processor of the supervisor, per cent of a core; nothing for the peer
  record Load(double frames, double kilobytes, double processor) {}

  record Figures(
      String acceleration, Samples first, Samples key, double keyP99, Map<String, Load> loads) {}

  private WebBenchmark() {}

  static Figures session(TestUser user) throws IOException {
    Path screenshots = Files.createTempDirectory("casement-bench-");
    try (Session session = Session.start(user, Settings.standard().withTestPort());
        GuestShell guest = session.guestShell();
        XScreen screen = XScreen.open();
        Browser browser = Browser.openOn(XScreen.display(), screenshots)) {
      session.awaitReady();
      Await.pause(REST);
      List<Double> first = new ArrayList<>();
      for (int i = 0; i < FIRST_PICTURES; i++) {
        URI link = i == 0 ? session.link() : session.anotherLink();
        browser.go(URI.create("about:blank"));
        Await.pause(REST);
        first.add(untilShown(screen, session.nonce(), () -> browser.go(link)));
      }
      int port = session.link().getPort();
      return measure(
          String.valueOf(session.status().get("acceleration")),
          screen,
          guest,
          first,
          () -> sent("sport = :" + port),
          session.supervisor());
    } finally {
      Command.run("rm", "-rf", screenshots.toString()).orFail();
    }
  }

  static Figures peer(String acceleration) throws IOException {
    try (PeerDesktop peer = PeerDesktop.open();
        XScreen screen = XScreen.open()) {
      peer.boot(acceleration);
      peer.awaitReady();
      Await.pause(REST);
      List<Double> first = new ArrayList<>();
      List<Process> clients = new ArrayList<>();
      for (int i = 0; i < FIRST_PICTURES; i++) {
        clients.forEach(Process::destroy);
        Await.until(
            "the client has gone", LIMIT, () -> clients.stream().noneMatch(Process::isAlive));
        screen.command("key Escape");
        Command.run("sh", "-c", "DISPLAY=" + XScreen.display() + " xsetroot -solid gray");
        Await.pause(REST);
        first.add(untilShown(screen, peer.nonce(), () -> clients.add(xfreerdp(peer))));
      }
      try (GuestShell guest = peer.shell()) {
        return measure(
            acceleration, screen, guest, first, () -> sent("sport = :" + peer.rdpPort()), null);
      } finally {
        clients.forEach(Process::destroy);
      }
    }
  }

  private static Process xfreerdp(PeerDesktop peer) {
    ProcessBuilder builder =
        new ProcessBuilder(
            "xfreerdp",
            "/v:127.0.0.1:" + peer.rdpPort(),
            "/u:user",
            "/p:" + peer.password(),
            "/cert:ignore",
            "/sec:tls",
            "/size:" + XScreen.WIDTH + "x" + XScreen.HEIGHT,
            "-decorations");
    builder.environment().put("DISPLAY", XScreen.display());
    try {
      return builder
          .redirectErrorStream(true)
          .redirectOutput(ProcessBuilder.Redirect.DISCARD)
          .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Seconds.
  private static double untilShown(XScreen screen, String nonce, Runnable start) {
    if (screen.shows(nonce)) {
      throw new AssertionError("the desktop is there before it was asked for");
    }
    long begun = System.nanoTime();
    start.run();
    while (!screen.shows(nonce)) {
      if (System.nanoTime() - begun > LIMIT.toNanos()) {
        screen.save(Path.of("/tmp/casement-bench-failed.png"));
        throw new AssertionError("no desktop; see /tmp/casement-bench-failed.png");
      }
      LockSupport.parkNanos(LOOK_NANOS);
    }
    return (System.nanoTime() - begun) / 1e9;
  }

  private static Figures measure(
      String acceleration,
      XScreen screen,
      GuestShell guest,
      List<Double> first,
      LongSupplier bytes,
      @Nullable ProcessEntry supervisor) {
    screen.command("mousemove 200 300 click 1");
    Await.pause(REST);
    List<Double> keys = keys(screen);
    Map<String, Load> loads = new LinkedHashMap<>();
    loads.put("typing", load(screen, bytes, supervisor, true));
    for (Motion motion : Motion.values()) {
      motion.start(guest);
      Await.pause(REST);
      loads.put(motion.name().toLowerCase(Locale.ROOT), load(screen, bytes, supervisor, false));
      motion.stop(guest);
      Await.pause(REST);
    }
    List<Double> sorted = keys.stream().sorted().toList();
    return new Figures(
        acceleration,
        new Samples("s", first),
        new Samples("ms", keys),
        sorted.get(Math.min(sorted.size() - 1, sorted.size() * 99 / 100)),
        loads);
  }

  /// Milliseconds from the key to the first pixel that it changes.
  private static List<Double> keys(XScreen screen) {
    List<Double> all = new ArrayList<>();
    for (int i = 0; i < KEYS; i++) {
      long before = screen.look(0, TERMINAL_BOTTOM);
      long pressed = System.nanoTime();
      screen.command("key " + (i % 2 == 0 ? "x" : "BackSpace"));
      while (screen.look(0, TERMINAL_BOTTOM) == before) {
        if (System.nanoTime() - pressed > KEY_GIVE_UP_NANOS) {
          screen.save(Path.of("/tmp/casement-bench-failed.png"));
          throw new AssertionError("a key showed nothing; see /tmp/casement-bench-failed.png");
        }
        LockSupport.parkNanos(LOOK_NANOS);
      }
      all.add((System.nanoTime() - pressed) / 1e6);
      Await.pause(Duration.ofMillis(KEY_PAUSE_MILLIS + i % 10 * KEY_PAUSE_STEP_MILLIS));
    }
    return all;
  }

  private static Load load(
      XScreen screen, LongSupplier bytes, @Nullable ProcessEntry supervisor, boolean typing) {
    long bytesBefore = bytes.getAsLong();
    double ticksBefore = ticks(supervisor);
    long start = System.nanoTime();
    long nextKey = start;
    int frames = 0;
    int typed = 0;
    long last = screen.look(0, XScreen.HEIGHT);
    while (System.nanoTime() - start < LOAD.toNanos()) {
      if (typing && System.nanoTime() > nextKey) {
        screen.command("key " + (typed++ % 60 == 59 ? "ctrl+u" : "x"));
        nextKey += 100_000_000;
      }
      long now = screen.look(0, XScreen.HEIGHT);
      frames += now == last ? 0 : 1;
      last = now;
      LockSupport.parkNanos(FRAME_LOOK_NANOS);
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    return new Load(
        frames / seconds,
        (bytes.getAsLong() - bytesBefore) / 1e3 / seconds,
        (ticks(supervisor) - ticksBefore) / TICKS_A_SECOND / seconds * 100);
  }

  /// What this node has sent on the connections of `filter` (ss(8)) that are open.
  private static long sent(String filter) {
    Matcher matcher = BYTES_SENT.matcher(Command.run("ss", "-tinH", filter).orFail());
    long sum = 0;
    while (matcher.find()) {
      sum += Long.parseLong(matcher.group(1));
    }
    return sum;
  }

  private static double ticks(@Nullable ProcessEntry process) {
    return process == null ? 0 : process.processorTicks();
  }
}
