package org.casement.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.casement.supervisor.HelperWatch.Change;
import org.junit.jupiter.api.Test;

class HelperWatchTest {
  private static final int GIVEN_UP_AFTER = 4;

  private boolean silent;
  private final List<Change> changes = new ArrayList<>();
  private final HelperWatch watch =
      new HelperWatch(
          _ -> {
            if (silent) {
              throw new IOException("no answer");
            }
          },
          GIVEN_UP_AFTER,
          changes::add);

  private void ask(int times) {
    for (int i = 0; i < times; i++) {
      watch.ask();
    }
  }

  @Test
  void silenceIsToldThenItsEnd() {
    ask(2);
    silent = true;
    ask(HelperWatch.SILENT_AFTER + 1);
    silent = false;
    ask(2);
    assertThat(changes).containsExactly(Change.ANSWERS, Change.SILENT, Change.ANSWERS);
  }

  @Test
  void oneLostAnswerIsNoSilence() {
    ask(1);
    for (int i = 0; i < GIVEN_UP_AFTER; i++) {
      silent = true;
      ask(HelperWatch.SILENT_AFTER - 1);
      silent = false;
      ask(1);
    }
    assertThat(changes).containsExactly(Change.ANSWERS);
  }

  @Test
  void aHelperIsGivenUpOnceInASilence() {
    silent = true;
    ask(2 * GIVEN_UP_AFTER);
    silent = false;
    ask(1);
    silent = true;
    ask(GIVEN_UP_AFTER);
    assertThat(changes)
        .containsExactly(
            Change.SILENT, Change.GIVEN_UP, Change.ANSWERS, Change.SILENT, Change.GIVEN_UP);
  }
}
