package org.casement.testkit;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/// Waits for something that tells nobody when it happens (a file, a process, a count), with a
/// deadline. The only place in the tests that lets time pass.
public final class Await {
  private static final long PAUSE_NANOS = Duration.ofMillis(20).toNanos();

  private Await() {}

  /// What `attempt` finds.
  ///
  /// @throws AssertionError naming `what` if it finds nothing within `limit`
  public static <T> T found(String what, Duration limit, Supplier<Optional<T>> attempt) {
    long deadline = System.nanoTime() + limit.toNanos();
    while (true) {
      Optional<T> found = attempt.get();
      if (found.isPresent()) {
        return found.get();
      }
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError("not within " + limit.toMillis() + " ms: " + what);
      }
      LockSupport.parkNanos(PAUSE_NANOS);
    }
  }

  /// Lets `time` pass: for a test whose point is *when* something happens.
  public static void pause(Duration time) {
    long end = System.nanoTime() + time.toNanos();
    for (long left = time.toNanos(); left > 0; left = end - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
  }

  public static void until(String what, Duration limit, BooleanSupplier condition) {
    found(what, limit, () -> condition.getAsBoolean() ? Optional.of(what) : Optional.empty());
  }

  /// Like [#until], and on failure tells what `state` says at the end.
  public static void until(
      String what, Duration limit, BooleanSupplier condition, Supplier<String> state) {
    try {
      until(what, limit, condition);
    } catch (AssertionError e) {
      throw new AssertionError(e.getMessage() + "\n" + state.get(), e);
    }
  }
}
