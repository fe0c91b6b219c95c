package org.casement.supervisor;

import java.time.Duration;

/// Whether the agent in the guest is heard. It counts its own ticks, as [HelperWatch] counts
/// questions, and only those in which the guest could have spoken. Not thread-safe.
final class GuestWatch {
  /// The agent's heartbeat (contracts/guest-api.md).
  static final Duration TICK = Duration.ofSeconds(10);

  /// Six heartbeats lost: a busy guest loses one now and then.
  static final int SILENT_AFTER = 6;

  private boolean expected;
  private int missed;

  void heard() {
    expected = true;
    missed = 0;
  }

  /// The guest was reset: it is not heard until its agent trades again.
  void notExpected() {
    expected = false;
  }

  /// Another tick has passed.
  ///
  /// @param runs whether the machine ran meanwhile, as far as is known
  /// @return whether the guest has just become silent
  boolean tick(boolean runs) {
    if (!expected || !runs) {
      missed = 0;
      return false;
    }
    missed++;
    return missed == SILENT_AFTER;
  }
}
