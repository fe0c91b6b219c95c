package org.casement.supervisor;

import java.time.Duration;
import java.util.PriorityQueue;
import java.util.function.LongSupplier;

/// What the supervisor's thread will do later. By a clock that nobody can set: a deadline does not
/// move with the node's time of day. Not thread-safe.
final class Agenda {
  private final LongSupplier nanoTime;
  private final PriorityQueue<Task> tasks =
      new PriorityQueue<>((a, b) -> Long.compare(a.atNanos() - b.atNanos(), 0));

  private record Task(long atNanos, Runnable action) {}

  /// @param nanoTime `System::nanoTime` but in tests
  Agenda(LongSupplier nanoTime) {
    this.nanoTime = nanoTime;
  }

  void in(Duration delay, Runnable action) {
    tasks.add(new Task(nanoTime.getAsLong() + delay.toNanos(), action));
  }

  /// Runs what is due, and says how long nothing will be: at most `most`.
  Duration runDue(Duration most) {
    while (true) {
      Task next = tasks.peek();
      if (next == null) {
        return most;
      }
      long left = next.atNanos() - nanoTime.getAsLong();
      if (left > 0) {
        return left < most.toNanos() ? Duration.ofNanos(left) : most;
      }
      tasks.remove();
      next.action().run();
    }
  }
}
