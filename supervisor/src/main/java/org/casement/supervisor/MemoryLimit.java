package org.casement.supervisor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/// What the control groups (version 2) of this process leave it: a batch system gives a job part of
/// the node's memory.
final class MemoryLimit {
  private MemoryLimit() {}

  /// Bytes until the tightest limit of the group or one above it; empty where there is none.
  ///
  /// @param root of the file system, for tests
  static OptionalLong left(Path root) {
    Path top = root.resolve("sys/fs/cgroup");
    OptionalLong least = OptionalLong.empty();
    try {
      for (String line : Files.readAllLines(root.resolve("proc/self/cgroup"))) {
        if (!line.startsWith("0::/")) {
          continue;
        }
        Path group = top;
        for (Path step : Path.of(line.substring("0::/".length()))) {
          group = group.resolve(step);
          OptionalLong left = leftOf(group);
          if (left.isPresent() && left.getAsLong() < least.orElse(Long.MAX_VALUE)) {
            least = left;
          }
        }
      }
    } catch (IOException e) {
      return OptionalLong.empty(); // no control groups, or not of this version
    }
    return least;
  }

  private static OptionalLong leftOf(Path group) {
    try {
      long limit = Long.parseLong(Files.readString(group.resolve("memory.max")).strip());
      long used = Long.parseLong(Files.readString(group.resolve("memory.current")).strip());
      return OptionalLong.of(Math.max(0, limit - used));
    } catch (IOException | NumberFormatException e) {
      return OptionalLong.empty(); // "max", or not looked after
    }
  }
}
