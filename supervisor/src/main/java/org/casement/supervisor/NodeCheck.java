package org.casement.supervisor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.casement.isolation.ConfinedProcess;
import org.casement.isolation.UserNamespaces;
import org.casement.session.SessionException;
import org.casement.supervisor.Finding.Subject;
import org.jspecify.annotations.Nullable;

/// Looks for everything that one session needs on this node, and tries it where looking is not
/// enough. All faults are found at once: whoever mends a node wants one list. `casement doctor`
/// asks the same questions one by one, and then more ([NodeExamination]).
final class NodeCheck {
  /// Less than this is not worth a start: a desktop's first minutes write more.
  static final long ROOM_LEAST_BYTES = 256L << 20;

  private final List<Finding> findings = new ArrayList<>();
  private @Nullable GoldenImage image;

  private NodeCheck() {}

  /// Before a start; it makes the shares' directories that are missing.
  static NodeCheck run(SupervisorSettings settings) {
    NodeCheck check = new NodeCheck();
    check.findings.addAll(qemu(settings));
    check.findings.addAll(smbd(settings));
    if (bwrap(settings).isEmpty()) {
      var trial = ConfinedProcess.tryOut(settings.helpers().bwrap(), settings.helpers().landlock());
      check.findings.addAll(confinement(trial));
    } else {
      check.findings.addAll(bwrap(settings));
    }
    try {
      GoldenImage read = GoldenImage.read(settings.goldenImage());
      check.image = read;
      check.findings.addAll(firmware(settings, read.profile()));
    } catch (SessionException e) {
      check.findings.add(broken(e));
    }
    check.findings.addAll(shares(settings, true));
    check.findings.addAll(room(settings));
    return check;
  }

  List<String> faults() {
    return findings.stream().map(Finding::text).toList();
  }

  /// Only there if there are no faults.
  GoldenImage image() {
    if (image == null) {
      throw new IllegalStateException("the golden image has faults: " + faults());
    }
    return image;
  }

  // Each of these returns what stands against a session: errors, or nothing.

  static List<Finding> qemu(SupervisorSettings settings) {
    SupervisorSettings.Machine machine = settings.machine();
    List<Finding> faults = new ArrayList<>();
    program(Subject.QEMU, machine.qemu(), "machine.qemu", "qemu-system-x86").ifPresent(faults::add);
    program(Subject.QEMU, machine.qemuImg(), "machine.qemu_img", "qemu-utils")
        .ifPresent(faults::add);
    return faults;
  }

  static List<Finding> smbd(SupervisorSettings settings) {
    return program(Subject.SAMBA, settings.shares().smbd(), "shares.smbd", "samba").stream()
        .toList();
  }

  static List<Finding> swtpm(SupervisorSettings settings) {
    return program(Subject.SWTPM, settings.firmware().swtpm(), "firmware.swtpm", "swtpm").stream()
        .toList();
  }

  static List<Finding> bwrap(SupervisorSettings settings) {
    return program(Subject.CONFINEMENT, settings.helpers().bwrap(), "isolation.bwrap", "bubblewrap")
        .stream()
        .toList();
  }

  private static Optional<Finding> program(
      Subject subject, Path program, String key, String debianPackage) {
    if (Files.isExecutable(program) && Files.isRegularFile(program)) {
      return Optional.empty();
    }
    return Optional.of(
        Finding.error(
            subject,
            program + " is not a program you can run",
            "install it (Debian: " + debianPackage + ") or set " + key));
  }

  static List<Finding> confinement(ConfinedProcess.Trial trial) {
    return trial.problem().stream()
        .map(
            problem ->
                Finding.error(
                    Subject.CONFINEMENT,
                    problem,
                    problem.contains("Landlock")
                        ? "set isolation.landlock = \"auto\": the namespaces hold without"
                        : UserNamespaces.hint()
                            .orElse("install bubblewrap again, or set isolation.bwrap")))
        .toList();
  }

  static Finding broken(SessionException image) {
    String[] parts = String.valueOf(image.getMessage()).split("; ", 2);
    return Finding.error(Subject.IMAGE, parts[0], parts.length == 2 ? parts[1] : "");
  }

  static List<Finding> firmware(SupervisorSettings settings, MachineProfile profile) {
    SupervisorSettings.Firmware firmware = settings.firmware();
    List<Finding> faults = new ArrayList<>();
    switch (profile.firmware()) {
      case BIOS -> {}
      case UEFI -> {
        firmware(profile, firmware.uefiCode(), "firmware.uefi_code").ifPresent(faults::add);
        firmware(profile, firmware.uefiVariables(), "firmware.uefi_variables")
            .ifPresent(faults::add);
      }
      case UEFI_SECURE_BOOT -> {
        firmware(profile, firmware.uefiCode(), "firmware.uefi_code").ifPresent(faults::add);
        firmware(profile, firmware.secureBootVariables(), "firmware.secure_boot_variables")
            .ifPresent(faults::add);
      }
    }
    if (profile.tpm()) {
      faults.addAll(swtpm(settings));
    }
    return faults;
  }

  private static Optional<Finding> firmware(MachineProfile profile, Path file, String key) {
    if (Files.isReadable(file) && Files.isRegularFile(file)) {
      return Optional.empty();
    }
    return Optional.of(
        Finding.error(
            Subject.FIRMWARE,
            file
                + ", the firmware of the golden image's profile "
                + profile.name()
                + ", is not a file you can read",
            "install it (Debian: ovmf) or set " + key));
  }

  /// @param make whether directories that are missing are made
  static List<Finding> shares(SupervisorSettings settings, boolean make) {
    Set<String> names = new HashSet<>();
    List<Finding> faults = new ArrayList<>();
    for (Share share : settings.shares().list()) {
      if (!names.add(share.name().toLowerCase(Locale.ROOT))) {
        faults.add(
            Finding.error(
                Subject.SHARES, "two shares are called " + share.name(), "rename one of them"));
      }
      fault(settings, share, make).ifPresent(faults::add);
    }
    return faults;
  }

  /// Makes a share's directory where it is missing in a directory of the user's own: the default
  /// share is one that nobody has made yet.
  private static Optional<Finding> fault(SupervisorSettings settings, Share share, boolean make) {
    String what = "share " + share.name() + " (" + share.path() + ") ";
    try {
      Path path = share.path();
      if (isYetToBeMade(share)) {
        if (!make) {
          return Optional.empty();
        }
        PrivateFiles.directory(path);
      }
      if (!Files.isDirectory(path)) {
        return fault(what + "is not a directory", "make it, or list another");
      }
      if (!Files.isReadable(path) || !Files.isExecutable(path)) {
        return fault(what + "is not readable for you", "ask its owner, or list another");
      }
      Path real = path.toRealPath();
      for (Path closed : settings.closed()) {
        if (real.startsWith(closed)
            || (closed.startsWith(real) && !isHidden(settings, real, closed))) {
          return fault(
              what + "and " + closed + ", where sessions keep their secrets, lie in each other",
              "list another directory");
        }
      }
      for (Share other : settings.shares().list()) {
        if (!Files.exists(other.path())) {
          continue; // told by itself
        }
        Path outer = other.path().toRealPath();
        if (real.startsWith(outer) && isHidden(settings, outer, real)) {
          return fault(
              what + "lies below a hidden name in share " + other.name(), "list another directory");
        }
      }
      return Optional.empty();
    } catch (IOException e) {
      return fault(what + "cannot be used: " + e.getMessage(), "list another directory");
    }
  }

  private static Optional<Finding> fault(String found, String remedy) {
    return Optional.of(Finding.error(Subject.SHARES, found, remedy));
  }

  static boolean isYetToBeMade(Share share) {
    Path parent = share.path().getParent();
    return !Files.exists(share.path()) && parent != null && Files.isWritable(parent);
  }

  /// Whether a name that no share shows stands between `share` and `closed`.
  private static boolean isHidden(SupervisorSettings settings, Path share, Path closed) {
    for (Path step : share.relativize(closed)) {
      if (settings.shares().hides(step.toString())) {
        return true;
      }
    }
    return false;
  }

  static List<Finding> room(SupervisorSettings settings) {
    try {
      long room = Files.getFileStore(settings.runtime()).getUsableSpace();
      if (room >= ROOM_LEAST_BYTES) {
        return List.of();
      }
      return List.of(
          Finding.error(
              Subject.DISK_SPACE,
              "%s has %d MiB left, a session needs %d"
                  .formatted(settings.runtime().getParent(), room >> 20, ROOM_LEAST_BYTES >> 20),
              "free some, or choose another [session] runtime_parent"));
    } catch (IOException e) {
      return List.of(
          Finding.error(
              Subject.DISK_SPACE,
              "cannot see how much room " + settings.runtime() + " has: " + e.getMessage(),
              "choose another [session] runtime_parent"));
    }
  }
}
