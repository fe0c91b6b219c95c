package org.casement.relay;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import org.casement.session.EventLog;

/// Logs who was not let in: at most one line a reason in ten seconds, with how many there were, so
/// that a stranger or the guest cannot fill the log. Thread-safe.
///
/// @param <R> the reasons: nothing that a peer chose enters the log
public final class Refusals<R extends Enum<R>> {
  private static final Duration PAUSE = Duration.ofSeconds(10);

  private static final class Count {
    private int refused;
    private Instant quietUntil = Instant.MIN;
  }

  private final String event;
  private final EventLog log;
  private final InstantSource clock;
  private final Map<R, Count> counts;

  /// Logs as `event`.
  public Refusals(String event, Class<R> reasons, EventLog log, InstantSource clock) {
    this.event = event;
    this.log = log;
    this.clock = clock;
    this.counts = new EnumMap<>(reasons);
  }

  public synchronized void count(R reason) {
    Count count = counts.computeIfAbsent(reason, _ -> new Count());
    count.refused++;
    if (!clock.instant().isBefore(count.quietUntil)) {
      write(reason, count);
      count.quietUntil = clock.instant().plus(PAUSE);
    }
  }

  /// Logs what was counted and not yet logged.
  public synchronized void flush() {
    counts.forEach(
        (reason, count) -> {
          if (count.refused > 0) {
            write(reason, count);
          }
        });
  }

  private void write(R reason, Count count) {
    log.warn(
        event,
        "reason",
        reason.name().toLowerCase(Locale.ROOT).replace('_', '-'),
        "count",
        count.refused);
    count.refused = 0;
  }
}
