package org.casement.supervisor;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.casement.protocol.ProtocolException;
import org.casement.session.EventLog;
import org.jspecify.annotations.Nullable;

/// Small pictures of the booting machine's screen, for the pages that watch: one in [#PAUSE],
/// however many watch, and none while nobody does. Thread-safe.
final class ScreenPictures {
  /// Between the end of one and the beginning of the next.
  static final Duration PAUSE = Duration.ofSeconds(2);

  /// A machine that shows its screen.
  interface Source {
    /// The screen as it is now, as a small PNG.
    byte[] picture() throws IOException, ProtocolException;
  }

  private final EventLog log;
  private final List<Consumer<byte[]>> watchers = new CopyOnWriteArrayList<>();

  // Guarded by this.
  private @Nullable Source source;
  private @Nullable Thread thread;
  private boolean ended;
  private int taken;

  ScreenPictures(EventLog log) {
    this.log = log;
  }

  /// Tells `watcher` each picture, on a thread of this object's, until the returned action is run;
  /// it hands over and returns.
  Runnable watch(Consumer<byte[]> watcher) {
    watchers.add(watcher);
    wake();
    return () -> watchers.remove(watcher);
  }

  private synchronized void wake() {
    notifyAll();
  }

  /// From now on `next` is what is watched, until it fails.
  synchronized void of(Source next) {
    if (ended) {
      return;
    }
    source = next;
    if (thread == null) {
      thread = Thread.ofVirtual().name("screen pictures").start(this::run);
    }
    notifyAll();
  }

  /// There will be no more.
  void end() {
    Thread running;
    synchronized (this) {
      if (ended) {
        return;
      }
      ended = true;
      running = thread;
      log.info("screen-pictures", "taken", taken);
    }
    if (running != null) {
      running.interrupt();
    }
  }

  private void run() {
    try {
      while (true) {
        take(wanted());
        Thread.sleep(PAUSE);
      }
    } catch (InterruptedException e) {
      return; // ended
    }
  }

  private synchronized Source wanted() throws InterruptedException {
    while (source == null || watchers.isEmpty()) {
      wait();
    }
    taken++;
    return source;
  }

  private void take(Source from) {
    try {
      byte[] png = from.picture();
      watchers.forEach(watcher -> watcher.accept(png));
    } catch (IOException | ProtocolException e) {
      synchronized (this) {
        if (from.equals(source) && !ended) { // else a machine that was stopped meanwhile
          source = null;
          log.warn("no-screen-pictures", "error", e);
        }
      }
    }
  }
}
