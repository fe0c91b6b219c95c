package org.casement.supervisor;

import java.time.Duration;
import java.util.List;

/// What happens when, on the way to a session's end by itself, counted from now.
///
/// @param left until nothing of the session may run any more
/// @param drain when the guest is asked to shut down
/// @param notices how long before the end the user is told, the longest first
record Walltime(Duration left, Duration drain, List<Duration> notices) {
  private static final List<Duration> NOTICES =
      List.of(Duration.ofMinutes(10), Duration.ofMinutes(5), Duration.ofMinutes(1));

  /// A short session gives its guest a quarter of its time for shutting down, and one notice
  /// halfway.
  static Walltime of(Duration left, Duration drainTimeout) {
    Duration quarter = left.dividedBy(4);
    List<Duration> notices = NOTICES.stream().filter(n -> n.compareTo(left) < 0).toList();
    return new Walltime(
        left,
        left.minus(quarter.compareTo(drainTimeout) < 0 ? quarter : drainTimeout),
        notices.isEmpty() ? List.of(left.dividedBy(2)) : notices);
  }

  /// What the user is told `left` before the end.
  static String notice(Duration left) {
    long minutes = left.toMinutes();
    return "this session ends in %s; save your work"
        .formatted(
            minutes == 0
                ? left.toSeconds() + " seconds"
                : minutes == 1 ? "a minute" : minutes + " minutes");
  }
}
