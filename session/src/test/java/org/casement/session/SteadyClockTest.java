package org.casement.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class SteadyClockTest {
  @Test
  void onlyTheCounterMovesIt() {
    AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 1); // the counter may overflow
    Instant start = Instant.parse("2026-11-26T08:00:00Z");
    SteadyClock clock = new SteadyClock(start, nanos::get);
    assertThat(clock.instant()).isEqualTo(start);
    nanos.addAndGet(90_000_000_000L);
    assertThat(clock.instant()).isEqualTo(start.plusSeconds(90));
  }
}
