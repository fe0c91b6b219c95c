package org.casement.guestapi;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;

/// Admits a fixed number of requests in any second, whoever asks: what the guest can make the
/// session work on. Thread-safe.
final class RequestRate {
  private static final Duration WINDOW = Duration.ofSeconds(1);

  private final InstantSource clock;

  /// When the last requests were admitted, the oldest at `next`.
  private final Instant[] admitted;

  private int next;

  RequestRate(int requestsPerSecond, InstantSource clock) {
    this.clock = clock;
    this.admitted = new Instant[requestsPerSecond];
    Arrays.fill(admitted, Instant.MIN);
  }

  synchronized boolean admits() {
    Instant now = clock.instant();
    Instant oldest = admitted[next];
    // A clock that was set back must not close the API until it has caught up.
    if (!oldest.isAfter(now) && now.minus(WINDOW).isBefore(oldest)) {
      return false;
    }
    admitted[next] = now;
    next = (next + 1) % admitted.length;
    return true;
  }
}
