package org.casement.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/// Runs a program to its end, within a time, and keeps what it wrote.
public final class Command {
  /// Enough for every tool the tests start; a machine under load takes long to start a JVM.
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private Command() {}

  /// How a program ended.
  public record Outcome(int status, String out, String err) {
    /// What it wrote, if it ended well.
    public String orFail() {
      if (status != 0) {
        throw new AssertionError("exit status " + status + ": " + err + out);
      }
      return out;
    }
  }

  public static Outcome run(String... command) {
    return run(new ProcessBuilder(List.of(command)), "", LIMIT);
  }

  /// Runs `builder`'s command with `input` on its standard input.
  ///
  /// @throws AssertionError if it has not ended within `limit`; it is killed then
  public static Outcome run(ProcessBuilder builder, String input, Duration limit) {
    try {
      Process process = builder.start();
      CompletableFuture<String> out = read(process.getInputStream());
      CompletableFuture<String> err = read(process.getErrorStream());
      feed(process, input);
      if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        throw new AssertionError(
            "still running after " + limit.toSeconds() + " s: " + builder.command());
      }
      return new Outcome(process.exitValue(), out.join(), err.join());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted while running " + builder.command(), e);
    }
  }

  private static void feed(Process process, String input) {
    try (OutputStream in = process.getOutputStream()) {
      in.write(input.getBytes(UTF_8));
    } catch (IOException e) {
      return; // it ended without reading: its status tells
    }
  }

  private static CompletableFuture<String> read(InputStream in) {
    CompletableFuture<String> text = new CompletableFuture<>();
    // A platform thread: reading a pipe holds on to a virtual thread's carrier, of which a machine
    // with two processors has two.
    Thread.ofPlatform()
        .daemon()
        .start(
            () -> {
              try (in) {
                text.complete(new String(in.readAllBytes(), UTF_8));
              } catch (IOException e) {
                text.completeExceptionally(e);
              }
            });
    return text;
  }
}
