package org.casement.supervisor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.casement.isolation.ConfinedProcess;
import org.casement.session.SessionException;
import org.jspecify.annotations.Nullable;

/// Looks for everything that one session needs on this node, and tries it where looking is not
/// enough. All faults are found at once: whoever mends a node wants one list.
final class NodeCheck {
  /// Less than this is not worth a start: a desktop's first minutes write more.
  static final long ROOM_LEAST_BYTES = 256L << 20;

  private final SupervisorSettings settings;
  private final List<String> faults = new ArrayList<>();
  private @Nullable GoldenImage image;

  private NodeCheck(SupervisorSettings settings) {
    this.settings = settings;
  }

  static NodeCheck run(SupervisorSettings settings) {
    NodeCheck check = new NodeCheck(settings);
    check.programs();
    check.goldenImage();
    check.shares();
    check.room();
    return check;
  }

  List<String> faults() {
    return faults;
  }

  /// Only there if there are no faults.
  GoldenImage image() {
    if (image == null) {
      throw new IllegalStateException("the golden image has faults: " + faults);
    }
    return image;
  }

  private void programs() {
    program(settings.machine().qemu(), "machine.qemu", "qemu-system-x86");
    program(settings.machine().qemuImg(), "machine.qemu_img", "qemu-utils");
    program(settings.shares().smbd(), "shares.smbd", "samba");
    if (program(settings.helpers().bwrap(), "isolation.bwrap", "bubblewrap")) {
      ConfinedProcess.problem(settings.helpers().bwrap()).ifPresent(faults::add);
    }
  }

  private boolean program(Path program, String key, String debianPackage) {
    if (Files.isExecutable(program) && Files.isRegularFile(program)) {
      return true;
    }
    faults.add(
        program
            + " is not a program you can run; install it (Debian: "
            + debianPackage
            + ") or set "
            + key);
    return false;
  }

  private void goldenImage() {
    try {
      GoldenImage read = GoldenImage.read(settings.goldenImage());
      image = read;
      firmware(read.profile());
    } catch (SessionException e) {
      faults.add(String.valueOf(e.getMessage()));
    }
  }

  private void firmware(MachineProfile profile) {
    SupervisorSettings.Firmware firmware = settings.firmware();
    switch (profile.firmware()) {
      case BIOS -> {}
      case UEFI -> {
        firmware(profile, firmware.uefiCode(), "firmware.uefi_code");
        firmware(profile, firmware.uefiVariables(), "firmware.uefi_variables");
      }
      case UEFI_SECURE_BOOT -> {
        firmware(profile, firmware.uefiCode(), "firmware.uefi_code");
        firmware(profile, firmware.secureBootVariables(), "firmware.secure_boot_variables");
      }
    }
    if (profile.tpm()) {
      var _ = program(firmware.swtpm(), "firmware.swtpm", "swtpm");
    }
  }

  private void firmware(MachineProfile profile, Path file, String key) {
    if (!Files.isReadable(file) || !Files.isRegularFile(file)) {
      faults.add(
          file
              + ", the firmware of the golden image's profile "
              + profile.name()
              + ", is not a file you can read; install it (Debian: ovmf) or set "
              + key);
    }
  }

  private void shares() {
    Set<String> names = new HashSet<>();
    for (Share share : settings.shares().list()) {
      if (!names.add(share.name().toLowerCase(java.util.Locale.ROOT))) {
        faults.add("two shares are called " + share.name());
      }
      shareFault(share).ifPresent(faults::add);
    }
  }

  /// Makes a share's directory where it is missing in a directory of the user's own: the default
  /// share is one that nobody has made yet.
  private Optional<String> shareFault(Share share) {
    String what = "share " + share.name() + " (" + share.path() + ") ";
    try {
      Path path = share.path();
      if (!Files.exists(path) && path.getParent() != null && Files.isWritable(path.getParent())) {
        PrivateFiles.directory(path);
      }
      if (!Files.isDirectory(path)) {
        return Optional.of(what + "is not a directory; make it, or list another");
      }
      if (!Files.isReadable(path) || !Files.isExecutable(path)) {
        return Optional.of(what + "is not readable for you");
      }
      Path real = path.toRealPath();
      for (Path closed : settings.closed()) {
        if (real.startsWith(closed) || (closed.startsWith(real) && !isHidden(real, closed))) {
          return Optional.of(
              what + "and " + closed + ", where sessions keep their secrets, lie in each other");
        }
      }
      for (Share other : settings.shares().list()) {
        Path outer = other.path().toRealPath();
        if (real.startsWith(outer) && isHidden(outer, real)) {
          return Optional.of(what + "lies below a hidden name in share " + other.name());
        }
      }
      return Optional.empty();
    } catch (IOException e) {
      return Optional.of(what + "cannot be used: " + e.getMessage());
    }
  }

  /// Whether a name that no share shows stands between `share` and `closed`.
  private boolean isHidden(Path share, Path closed) {
    for (Path step : share.relativize(closed)) {
      if (settings.shares().hides(step.toString())) {
        return true;
      }
    }
    return false;
  }

  private void room() {
    try {
      long room = Files.getFileStore(settings.runtime()).getUsableSpace();
      if (room < ROOM_LEAST_BYTES) {
        faults.add(
            "%s has %d MiB left, a session needs %d; free some, or choose another"
                    .formatted(settings.runtime().getParent(), room >> 20, ROOM_LEAST_BYTES >> 20)
                + " [session] runtime_parent");
      }
    } catch (IOException e) {
      faults.add("cannot see how much room " + settings.runtime() + " has: " + e.getMessage());
    }
  }
}
