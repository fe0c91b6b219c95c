package org.casement.guestapi;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.Deque;
import org.casement.protocol.guestapi.HeartbeatAnswer;
import org.casement.protocol.guestapi.Notice;

/// What the guest's user has yet to see. Thread-safe.
final class Notices {
  /// A guest that reports nothing as seen gets the newest; walltime has three or four warnings.
  static final int LIMIT = 8;

  private record Waiting(long id, Instant end, String text) {}

  private final InstantSource clock;
  private final Deque<Waiting> waiting = new ArrayDeque<>();
  private long lastId;

  Notices(InstantSource clock) {
    this.clock = clock;
  }

  synchronized void addWalltime(Duration left, String text) {
    if (waiting.size() == LIMIT) {
      waiting.removeFirst();
    }
    lastId++;
    waiting.addLast(new Waiting(lastId, clock.instant().plus(left), text));
  }

  /// Forgets what was `seen`, and says the rest. The seconds left are those of now: a notice may
  /// wait until the guest has started.
  synchronized HeartbeatAnswer after(long seen) {
    waiting.removeIf(notice -> notice.id() <= seen);
    Instant now = clock.instant();
    return new HeartbeatAnswer(
        waiting.stream()
            .map(
                notice ->
                    Notice.ofWalltime(
                        notice.id(), Duration.between(now, notice.end()), notice.text()))
            .toList());
  }
}
