package org.casement.session;

import java.time.Instant;
import java.time.InstantSource;
import java.util.function.LongSupplier;

/// A clock that nobody can set: it tells the time of day as it was when it was made, and goes on by
/// a counter. A node whose time of day jumps moves no deadline, no validity and no walltime of a
/// session.
public final class SteadyClock implements InstantSource {
  private final Instant start;
  private final LongSupplier nanoTime;
  private final long startNanos;

  /// @param nanoTime `System::nanoTime` but in tests
  public SteadyClock(Instant start, LongSupplier nanoTime) {
    this.start = start;
    this.nanoTime = nanoTime;
    this.startNanos = nanoTime.getAsLong();
  }

  @Override
  public Instant instant() {
    return start.plusNanos(nanoTime.getAsLong() - startNanos);
  }
}
