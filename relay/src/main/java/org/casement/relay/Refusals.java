package org.casement.relay;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import org.casement.session.EventLog;

/// Logs who was not let in: at most one line a reason in ten seconds, with how many there were, so
/// that a stranger cannot fill the log. Thread-safe.
final class Refusals {
  private static final Duration PAUSE = Duration.ofSeconds(10);

  enum Reason {
    WRONG_TOKEN,
    OTHER_ORIGIN,
    NO_COOKIE,
    UNKNOWN_TAB,
    WRONG_PROOF,
    PROOF_TOO_SLOW,
    BAD_MESSAGE
  }

  private static final class Count {
    private int refused;
    private Instant quietUntil = Instant.MIN;
  }

  private final EventLog log;
  private final InstantSource clock;
  private final Map<Reason, Count> counts = new EnumMap<>(Reason.class);

  Refusals(EventLog log, InstantSource clock) {
    this.log = log;
    this.clock = clock;
  }

  synchronized void count(Reason reason) {
    Count count = counts.computeIfAbsent(reason, _ -> new Count());
    count.refused++;
    if (!clock.instant().isBefore(count.quietUntil)) {
      write(reason, count);
      count.quietUntil = clock.instant().plus(PAUSE);
    }
  }

  /// Logs what was counted and not yet logged.
  synchronized void flush() {
    counts.forEach(
        (reason, count) -> {
          if (count.refused > 0) {
            write(reason, count);
          }
        });
  }

  private void write(Reason reason, Count count) {
    log.warn(
        "refused",
        "reason",
        reason.name().toLowerCase(Locale.ROOT).replace('_', '-'),
        "count",
        count.refused);
    count.refused = 0;
  }
}
