package org.casement.isolation;

/// What a process does to itself.
public final class ProcessHardening {
  private static final long PR_SET_DUMPABLE = 4;

  private ProcessHardening() {}

  /// No other process of the same uid can trace this one, read its memory or environment, or take
  /// its descriptors, as ssh-agent does it; no core dump either. Helpers that it starts are not
  /// touched: exec makes them dumpable again. In our own user namespace its owner still can.
  public static void nonDumpable() throws IsolationException {
    Linux.must("make the process non-dumpable", Linux.Call.PRCTL, PR_SET_DUMPABLE, 0);
  }
}
