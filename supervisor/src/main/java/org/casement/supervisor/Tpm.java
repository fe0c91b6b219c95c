package org.casement.supervisor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import org.casement.isolation.ConfinedProcess;
import org.casement.isolation.Confinement;
import org.casement.isolation.Layers;
import org.casement.isolation.NetworkRules;
import org.casement.session.SessionException;
import org.jspecify.annotations.Nullable;

/// swtpm(8): the machine's TPM 2, in a confinement of its own that shows it nothing but the
/// directory of its socket. Its state lies in the confinement's own memory: every start of QEMU
/// gets an empty TPM, and nothing of it is left afterwards.
///
/// QEMU connects once, at its start, and cannot be given another: a TPM that has ended is missing
/// until QEMU itself ends. That one connection is QEMU's, so nobody else can ask whether it
/// answers; what is seen is whether a signal has stopped it. Used by the supervisor's thread only.
final class Tpm {
  /// In [#socketDirectory].
  static final String SOCKET = "tpm";

  /// Written when it listens.
  private static final String PID_FILE = "pid";

  /// It listens some 20 ms after its start.
  private static final Duration START_LIMIT = Duration.ofSeconds(20);

  private static final Duration START_POLL = Duration.ofMillis(5);

  private final Path directory;
  private final SupervisorSettings settings;
  private @Nullable ConfinedProcess swtpm;

  /// @param directory in the runtime directory; made by [#prepare]
  Tpm(Path directory, SupervisorSettings settings) {
    this.directory = directory;
    this.settings = settings;
  }

  Path log() {
    return directory.resolve("log");
  }

  Path socketDirectory() {
    return directory.resolve("socket");
  }

  void prepare() throws IOException {
    PrivateFiles.directory(directory);
    PrivateFiles.directory(socketDirectory());
  }

  /// Starts an empty TPM and waits until it listens.
  ConfinedProcess start() throws IOException, SessionException, InterruptedException {
    for (String file : List.of(SOCKET, PID_FILE)) {
      Files.deleteIfExists(socketDirectory().resolve(file));
    }
    Confinement confinement =
        Confinement.of(settings.firmware().swtpm())
            .temporary(Path.of("/state"))
            .writable(socketDirectory(), Path.of("/socket"))
            .arguments("socket", "--tpm2", "--tpmstate", "dir=/state,mode=0600")
            .arguments("--ctrl", "type=unixio,path=/socket/" + SOCKET + ",mode=0600")
            .arguments("--pid", "file=/socket/" + PID_FILE)
            .arguments("--flags", "not-need-init", "--terminate") // when QEMU leaves
            .build();
    ConfinedProcess started =
        ConfinedProcess.start(
            "swtpm",
            settings.helpers().bwrap(),
            confinement,
            NetworkRules.NONE,
            log(),
            new ConfinedProcess.Options(
                    Layers.DEFAULT.withLandlock(settings.helpers().landlock()),
                    OptionalLong.empty())
                .sparedFromTermination());
    swtpm = started;
    long deadline = System.nanoTime() + START_LIMIT.toNanos();
    while (!Files.exists(socketDirectory().resolve(PID_FILE))) {
      if (!started.isAlive()) {
        throw new SessionException(
            "the machine's TPM did not start: swtpm ended with status "
                + started.waitFor()
                + HelperLog.lastLine(log()).map(": "::concat).orElse(""));
      }
      if (System.nanoTime() > deadline) {
        throw new SessionException("the machine's TPM did not listen within 20 s");
      }
      Thread.sleep(START_POLL);
    }
    return started;
  }

  /// From any thread.
  static HelperWatch.Question heartbeat(ConfinedProcess swtpm) {
    return _ -> {
      if (swtpm.isStopped()) {
        throw new IOException("swtpm is stopped");
      }
    };
  }

  boolean isRunBy(ConfinedProcess helper) {
    return helper == swtpm;
  }

  /// Kills swtpm, if it runs.
  void stop() {
    ConfinedProcess process = swtpm;
    swtpm = null;
    if (process != null) {
      process.close();
    }
  }
}
