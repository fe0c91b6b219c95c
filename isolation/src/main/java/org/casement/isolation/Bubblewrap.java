package org.casement.isolation;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// Which options an installed bwrap has: RHEL 9's 0.4 to 0.6 lack `--disable-userns` (0.8) and
/// `--clearenv` (0.5). The second is made up for by the empty environment; without the first a
/// helper can make more user namespaces inside its own.
final class Bubblewrap {
  private static final Set<String> DISPENSABLE = Set.of("--disable-userns", "--clearenv");
  private static final Duration HELP_LIMIT = Duration.ofSeconds(10);
  private static final Map<Path, String> HELP = new ConcurrentHashMap<>();

  private Bubblewrap() {}

  /// `options` without those that this bwrap lacks and that may be missing.
  ///
  /// @throws IOException if it does not say what it has: nothing is left out on a guess
  static List<String> known(Path bwrap, List<String> options) throws IOException {
    String help = HELP.get(bwrap);
    if (help == null) {
      help = help(bwrap);
      HELP.put(bwrap, help);
    }
    String has = help;
    return options.stream()
        .filter(option -> !DISPENSABLE.contains(option) || has.contains(option))
        .toList();
  }

  private static String help(Path bwrap) throws IOException {
    try {
      ShortRun run = ShortRun.of(List.of(bwrap.toString(), "--help"), HELP_LIMIT);
      if (!run.succeeded()) {
        throw new IOException(bwrap + " does not say what it can do: " + run.firstWords());
      }
      return run.output();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while asking " + bwrap, e);
    }
  }
}
