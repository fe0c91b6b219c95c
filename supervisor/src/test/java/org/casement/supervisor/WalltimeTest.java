package org.casement.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class WalltimeTest {
  private static final Duration DRAIN = Duration.ofSeconds(30);

  @Test
  void aDayGivesThreeNoticesAndTheWholeDrainTimeout() {
    assertThat(Walltime.of(Duration.ofHours(8), DRAIN))
        .isEqualTo(
            new Walltime(
                Duration.ofHours(8),
                Duration.ofHours(8).minus(DRAIN),
                java.util.List.of(
                    Duration.ofMinutes(10), Duration.ofMinutes(5), Duration.ofMinutes(1))));
  }

  @Test
  void aShortOneGivesOneNoticeHalfwayAndAQuarterForTheDrain() {
    assertThat(Walltime.of(Duration.ofSeconds(40), DRAIN))
        .isEqualTo(
            new Walltime(
                Duration.ofSeconds(40),
                Duration.ofSeconds(30),
                java.util.List.of(Duration.ofSeconds(20))));
  }

  @Test
  void theNoticeSaysHowLong() {
    assertThat(Walltime.notice(Duration.ofMinutes(5))).contains("ends in 5 minutes;");
    assertThat(Walltime.notice(Duration.ofMinutes(1))).contains("ends in a minute;");
    assertThat(Walltime.notice(Duration.ofSeconds(20))).contains("ends in 20 seconds;");
  }
}
