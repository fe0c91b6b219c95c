package org.casement.session;

import java.time.Duration;
import java.time.Instant;

/// What happened in a session, for the page and the log. Texts are ours or cleaned by [GuestText].
public sealed interface SessionEvent {
  record StateChanged(Instant at, SessionState state) implements SessionEvent {}

  /// A step began, ended or failed. `sinceStart` counts from the session's start.
  record StepChanged(Step step, StepStatus status, Duration sinceStart, String text)
      implements SessionEvent {}

  /// Something the user should know; it does not end the session.
  record Warning(Instant at, String text) implements SessionEvent {}

  /// Something is wrong that may pass; each later one of the same kind takes its place.
  record TroubleBegan(Instant at, Trouble trouble, String text) implements SessionEvent {}

  /// It has passed.
  record TroubleOver(Instant at, Trouble trouble) implements SessionEvent {}

  /// The session will end by itself in `left`.
  record WalltimeNotice(Instant at, Duration left) implements SessionEvent {}

  enum StepStatus {
    RUNNING,
    DONE,
    FAILED;

    public String code() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }
}
