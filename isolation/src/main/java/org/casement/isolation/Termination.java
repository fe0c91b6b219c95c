package org.casement.isolation;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Starts a program with SIGTERM blocked, by env(1) of coreutils 8.31 or later: the JDK clears the
/// signal mask of what it starts.
final class Termination {
  private static final List<String> BLOCKED = List.of("/usr/bin/env", "--block-signal=TERM");
  private static final Duration LIMIT = Duration.ofSeconds(10);

  private static volatile @Nullable Boolean canBlock;

  private Termination() {}

  /// What to put before a command line; nothing where this node's env cannot.
  static List<String> blocked() throws InterruptedException {
    Boolean known = canBlock;
    if (known == null) {
      known = tryOut();
      canBlock = known;
    }
    return known ? BLOCKED : List.of();
  }

  private static boolean tryOut() throws InterruptedException {
    try {
      List<String> line = List.of(BLOCKED.get(0), BLOCKED.get(1), "/usr/bin/true");
      return ShortRun.of(line, LIMIT).succeeded();
    } catch (IOException e) {
      return false;
    }
  }
}
