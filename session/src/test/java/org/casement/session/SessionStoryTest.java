package org.casement.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.casement.session.SessionEvent.StateChanged;
import org.casement.session.SessionEvent.StepChanged;
import org.casement.session.SessionEvent.StepStatus;
import org.casement.session.SessionEvent.Warning;
import org.casement.session.SessionState.Booting;
import org.casement.session.SessionState.Draining;
import org.casement.session.SessionState.Ended;
import org.casement.session.SessionState.Ready;
import org.junit.jupiter.api.Test;

class SessionStoryTest {
  private Instant now = Instant.parse("2026-11-24T08:00:00Z");
  private final SessionStory story =
      new SessionStory(new SessionId("abc"), Optional.empty(), () -> now);

  @Test
  void aStateNeverGoesBackwards() {
    assertThat(story.become(new Ready(now))).isTrue();
    assertThat(story.become(new Booting(now))).isFalse();
    assertThat(story.state()).isInstanceOf(Ready.class);
  }

  @Test
  void theFirstReasonToEndStays() {
    Draining first = new Draining(EndReason.of(EndReason.Kind.USER), now);
    story.become(first);
    story.become(new Draining(EndReason.of(EndReason.Kind.WALLTIME), now));
    assertThat(story.state()).isEqualTo(first);
  }

  @Test
  void aLateFollowerHearsWhatStillMattersAndThenEverything() {
    story.step(Step.NODE, StepStatus.RUNNING, "checking");
    now = now.plusSeconds(2);
    story.step(Step.NODE, StepStatus.DONE, "checked");
    story.warn("no KVM");
    story.become(new Booting(now));
    List<SessionEvent> heard = new ArrayList<>();
    try (SessionStory.Subscription subscription = story.follow(heard::add)) {
      assertThat(subscription).isNotNull();
      assertThat(heard)
          .containsExactly(
              new StateChanged(now, new Booting(now)),
              new StepChanged(Step.NODE, StepStatus.DONE, Duration.ofSeconds(2), "checked"),
              new Warning(now, "no KVM"));
      story.become(new Ended(EndReason.of(EndReason.Kind.USER)));
      assertThat(heard).hasSize(4);
    }
    story.warn("nobody listens");
    assertThat(heard).hasSize(4);
  }

  @Test
  void onlyTheNewestWarningsAreKept() {
    for (int i = 0; i <= SessionStory.WARNINGS_LIMIT; i++) {
      story.warn("warning " + i);
    }
    List<SessionEvent> heard = new ArrayList<>();
    story.follow(heard::add).close();
    assertThat(heard).hasSize(1 + SessionStory.WARNINGS_LIMIT);
    assertThat(heard.get(1)).isEqualTo(new Warning(now, "warning 1"));
  }

  @Test
  void aTroubleIsToldUntilItIsOver() {
    List<SessionEvent> heard = new ArrayList<>();
    story.follow(heard::add);
    story.over(Trouble.DISK);
    story.trouble(Trouble.DISK, "full");
    story.trouble(Trouble.DISK, "still full");
    assertThat(heard)
        .hasSize(3)
        .endsWith(new SessionEvent.TroubleBegan(now, Trouble.DISK, "still full"));
    List<SessionEvent> late = new ArrayList<>();
    story.follow(late::add);
    assertThat(late).endsWith(new SessionEvent.TroubleBegan(now, Trouble.DISK, "still full"));
    assertThat(late).hasSize(2);
    story.over(Trouble.DISK);
    assertThat(late).endsWith(new SessionEvent.TroubleOver(now, Trouble.DISK));
    List<SessionEvent> later = new ArrayList<>();
    story.follow(later::add);
    assertThat(later).hasSize(1);
  }
}
