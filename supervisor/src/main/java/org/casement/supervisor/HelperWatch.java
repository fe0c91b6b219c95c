package org.casement.supervisor;

import java.io.IOException;
import java.time.Duration;
import java.util.function.Consumer;
import org.casement.isolation.ConfinedProcess;

/// Asks a helper every few seconds whether it is there, for as long as it runs, on a virtual thread
/// of its own. A helper can be alive and hang: stopped by a signal, or waiting for a file system
/// that does not answer.
///
/// It counts questions, not time: a session that was itself stopped for an hour has asked nobody
/// meanwhile, and holds nothing against its helpers when it goes on.
final class HelperWatch {
  /// Between the beginnings of two questions, and the longest that one may take.
  static final Duration INTERVAL = Duration.ofSeconds(5);

  /// Unanswered questions in a row after which the helper is called silent: 10 s.
  static final int SILENT_AFTER = 2;

  /// What has become of a helper.
  enum Change {
    /// It answers, for the first time or again.
    ANSWERS,
    SILENT,
    /// It has been silent for longer than anybody should wait. Told once in a silence.
    GIVEN_UP
  }

  /// Returns when the helper has answered.
  @FunctionalInterface
  interface Question {
    /// Asks, and waits for the answer.
    ///
    /// @throws IOException if there was no answer within `limit`
    void ask(Duration limit) throws IOException;
  }

  private final Question question;
  private final int givenUpAfter;
  private final Consumer<Change> changes;
  private boolean answers;
  private int unanswered;

  /// @param givenUpAfter unanswered questions in a row
  HelperWatch(Question question, int givenUpAfter, Consumer<Change> changes) {
    this.question = question;
    this.givenUpAfter = givenUpAfter;
    this.changes = changes;
  }

  /// How long a helper is silent until it is given up.
  static Duration patience(int givenUpAfter) {
    return INTERVAL.multipliedBy(givenUpAfter);
  }

  /// Watches until `helper` has ended.
  void start(String name, ConfinedProcess helper) {
    Thread.ofVirtual()
        .name("ask-" + name)
        .start(
            () -> {
              while (helper.isAlive()) {
                long begun = System.nanoTime();
                ask();
                try {
                  Thread.sleep(INTERVAL.minusNanos(System.nanoTime() - begun));
                } catch (InterruptedException e) {
                  return;
                }
              }
            });
  }

  /// One question.
  void ask() {
    try {
      question.ask(INTERVAL);
      unanswered = 0;
      if (!answers) {
        answers = true;
        changes.accept(Change.ANSWERS);
      }
    } catch (IOException e) {
      unanswered++;
      if (unanswered == SILENT_AFTER) {
        answers = false;
        changes.accept(Change.SILENT);
      }
      if (unanswered == givenUpAfter) {
        changes.accept(Change.GIVEN_UP);
      }
    }
  }
}
