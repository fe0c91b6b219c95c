package org.casement.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class GuestWatchTest {
  private final GuestWatch watch = new GuestWatch();

  private long silences(int ticks, boolean runs) {
    return IntStream.range(0, ticks).filter(_ -> watch.tick(runs)).count();
  }

  @Test
  void aGuestIsSilentOnceAfterAMinute() {
    watch.heard();
    assertThat(silences(GuestWatch.SILENT_AFTER - 1, true)).isZero();
    assertThat(silences(1, true)).isOne();
    assertThat(silences(100, true)).isZero();
    watch.heard();
    assertThat(silences(GuestWatch.SILENT_AFTER, true)).isOne();
  }

  @Test
  void aGuestThatCannotSpeakIsNotSilent() {
    assertThat(silences(100, true)).isZero(); // it has not traded yet
    watch.heard();
    assertThat(silences(100, false)).isZero();
    assertThat(silences(GuestWatch.SILENT_AFTER - 1, true)).isZero();
    watch.notExpected();
    assertThat(silences(100, true)).isZero();
  }
}
