package org.casement.supervisor;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.casement.isolation.ConfinedProcess;
import org.casement.isolation.Confinement;
import org.casement.isolation.Layers;
import org.casement.isolation.NetworkRules;
import org.casement.session.GuestText;

/// Whether KVM works on this node, found out by running a guest of 512 bytes in the confinement
/// that QEMU will have. /dev/kvm may be there and open, and a guest still stop ("KVM internal
/// error"), reset for ever or hang, as in a node that is itself a badly nested guest. A fault that
/// only a whole system brings about is not seen here: the machine's own start has to be watched.
///
/// @param qemuFiles what QEMU needs to see beside its program and the system's libraries
/// @param directory of the session, 0700; the sector and what QEMU says are there meanwhile
record KvmProbe(Path bwrap, Path qemu, List<Path> qemuFiles, Path directory, Layers.Use landlock) {
  /// TCG on an idle node takes 0.2 s; ten times that, and a little, is for a node under load.
  static final Duration LIMIT = Duration.ofSeconds(3);

  /// Exit status of isa-debug-exit for the 16 that `kvm-probe.s` writes when all went well.
  private static final int WORKS_STATUS = 33;

  /// For what QEMU says; the rest is refused by the kernel.
  private static final long LOG_LIMIT_BYTES = 64 * 1024;

  private static final Path SECTOR_INSIDE = Path.of("/kvm-probe.img");

  KvmProbe {
    qemuFiles = List.copyOf(qemuFiles);
  }

  sealed interface Outcome {
    record Works() implements Outcome {}

    /// It does not, or not well enough.
    ///
    /// @param reason one line for the log and the user
    record Fails(String reason) implements Outcome {}
  }

  /// Of one session, in its runtime directory; what cannot be tried fails too.
  static Outcome of(SupervisorSettings settings) {
    try {
      return new KvmProbe(
              settings.helpers().bwrap(),
              settings.machine().qemu(),
              settings.machine().qemuFiles(),
              PrivateFiles.directory(settings.runtime().resolve("kvm-probe")),
              settings.helpers().landlock())
          .run();
    } catch (IOException e) {
      return new Outcome.Fails("it could not be tried: " + e.getMessage());
    }
  }

  Outcome run() throws IOException {
    return run("kvm", sector(), LIMIT);
  }

  /// The boot sector that does what every guest does; its source is `src/main/probe/kvm-probe.s`.
  static byte[] sector() {
    try (InputStream sector = KvmProbe.class.getResourceAsStream("kvm-probe.img")) {
      if (sector == null) {
        throw new IllegalStateException("kvm-probe.img is not in the program");
      }
      return sector.readAllBytes();
    } catch (IOException e) {
      throw new IllegalStateException("kvm-probe.img cannot be read", e);
    }
  }

  /// Runs `sector`, which need not be the one of the program, nor the accelerator KVM.
  ///
  /// @throws IOException if nothing could be tried
  Outcome run(String accelerator, byte[] sector, Duration limit) throws IOException {
    Path disk = directory.resolve("kvm-probe.img");
    Path log = directory.resolve("kvm-probe.log");
    try {
      Files.write(disk, sector, StandardOpenOption.CREATE_NEW);
      Files.createFile(log);
      return run(accelerator, disk, log, limit);
    } finally {
      Files.deleteIfExists(disk);
      Files.deleteIfExists(log);
    }
  }

  private Outcome run(String accelerator, Path disk, Path log, Duration limit) throws IOException {
    ConfinedProcess.Options options =
        new ConfinedProcess.Options(
            Layers.DEFAULT.withLandlock(landlock), OptionalLong.of(LOG_LIMIT_BYTES));
    try (ConfinedProcess process =
        ConfinedProcess.start(
            "KVM probe", bwrap, confinement(accelerator, disk), NetworkRules.NONE, log, options)) {
      OptionalInt status = process.waitFor(limit);
      return outcome(status, log, limit);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while probing KVM");
    }
  }

  private Confinement confinement(String accelerator, Path disk) {
    Confinement.Builder builder = Confinement.of(qemu);
    qemuFiles.forEach(builder::readOnly);
    return builder
        .device(Path.of("/dev/kvm"))
        .writable(disk, SECTOR_INSIDE) // QEMU has no read-only IDE disk
        .arguments("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot")
        .arguments("-machine", "pc", "-accel", accelerator, "-m", "16")
        .arguments("-device", "isa-debug-exit,iobase=0xf4,iosize=1")
        .arguments("-drive", "file=" + SECTOR_INSIDE + ",format=raw,if=ide,snapshot=off")
        .build();
  }

  private static Outcome outcome(OptionalInt status, Path log, Duration limit) throws IOException {
    if (status.isPresent() && status.getAsInt() == WORKS_STATUS) {
      return new Outcome.Works();
    }
    String end =
        status.isPresent()
            ? "exit status " + status.getAsInt()
            : "did not finish within " + limit.toMillis() + " ms";
    return new Outcome.Fails(firstLine(log).map(line -> line + " (" + end + ")").orElse(end));
  }

  private static Optional<String> firstLine(Path log) throws IOException {
    try (InputStream said = Files.newInputStream(log)) {
      return new String(said.readNBytes(4096), UTF_8)
          .lines()
          .map(line -> new GuestText(line.strip()).value())
          .filter(line -> !line.isEmpty())
          .findFirst();
    }
  }
}
