package org.casement.session;

import java.time.Instant;

/// A session moves `Preparing → Booting → Ready → Draining → Ended`, never backwards, and may skip
/// forwards. Only in `Ready` does the desktop answer.
public sealed interface SessionState {
  /// The node is checked, disk and share are made; no machine runs yet.
  record Preparing(Instant since) implements SessionState {}

  /// The machine runs; its desktop does not answer yet.
  record Booting(Instant since) implements SessionState {}

  /// The guest's RDP server answers.
  record Ready(Instant since) implements SessionState {}

  /// The guest was asked to shut down; at `deadline` it is killed.
  record Draining(EndReason reason, Instant deadline) implements SessionState {}

  /// Nothing runs any more.
  record Ended(EndReason reason) implements SessionState {}

  /// What contracts and logs say.
  default String code() {
    return switch (this) {
      case Preparing _ -> "preparing";
      case Booting _ -> "booting";
      case Ready _ -> "ready";
      case Draining _ -> "draining";
      case Ended _ -> "ended";
    };
  }

  /// The place in the order; a state only ever gives way to one of a higher rank.
  default int rank() {
    return switch (this) {
      case Preparing _ -> 0;
      case Booting _ -> 1;
      case Ready _ -> 2;
      case Draining _ -> 3;
      case Ended _ -> 4;
    };
  }
}
