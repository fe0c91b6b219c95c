package org.casement.isolation;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;

/// A run of a tool that should end at once and say little: what it says stays in the pipe (64 KiB)
/// until it has ended. What has not ended in time is killed, with what it started.
///
/// @param status empty if it was killed
/// @param output standard output and error, at most 64 KiB
public record ShortRun(OptionalInt status, String output) {
  private static final int OUTPUT_LIMIT_BYTES = 64 * 1024;

  public static ShortRun of(List<String> command, Duration limit)
      throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectInput(new File("/dev/null"))
            .start();
    return of(process, limit);
  }

  /// The same for a process that runs already.
  static ShortRun of(Process process, Duration limit) throws IOException, InterruptedException {
    boolean ended = false;
    try {
      ended = process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS);
    } finally {
      if (!ended) {
        process.descendants().toList().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
      }
    }
    if (!ended) {
      return new ShortRun(OptionalInt.empty(), "");
    }
    byte[] output = process.getInputStream().readNBytes(OUTPUT_LIMIT_BYTES);
    return new ShortRun(
        OptionalInt.of(process.exitValue()), new String(output, StandardCharsets.UTF_8));
  }

  public boolean succeeded() {
    return status.isPresent() && status.getAsInt() == 0;
  }

  /// Its first line, or how it ended.
  public String firstWords() {
    return output
        .lines()
        .filter(line -> !line.isBlank())
        .findFirst()
        .orElse(status.isPresent() ? "exit status " + status.getAsInt() : "no answer in time");
  }
}
