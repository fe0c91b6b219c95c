package org.casement.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class AgendaTest {
  private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 1000); // nanoTime may overflow
  private final Agenda agenda = new Agenda(now::get);
  private final List<String> done = new ArrayList<>();

  @Test
  void whatIsDueIsDoneInItsOrderAndNothingElse() {
    agenda.in(Duration.ofSeconds(2), () -> done.add("second"));
    agenda.in(Duration.ofSeconds(1), () -> done.add("first"));
    agenda.in(Duration.ofSeconds(3), () -> done.add("third"));
    assertThat(agenda.runDue(Duration.ofMinutes(1))).isEqualTo(Duration.ofSeconds(1));
    assertThat(done).isEmpty();
    now.addAndGet(Duration.ofMillis(2500).toNanos());
    assertThat(agenda.runDue(Duration.ofMinutes(1))).isEqualTo(Duration.ofMillis(500));
    assertThat(done).containsExactly("first", "second");
  }

  @Test
  void whatIsPlannedWhileSomethingIsDoneCounts() {
    agenda.in(
        Duration.ZERO,
        () -> {
          done.add("one");
          agenda.in(Duration.ZERO, () -> done.add("two"));
        });
    assertThat(agenda.runDue(Duration.ofSeconds(7))).isEqualTo(Duration.ofSeconds(7));
    assertThat(done).containsExactly("one", "two");
  }
}
