package org.casement.supervisor;

import java.io.IOException;
import java.nio.file.Files;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.casement.isolation.ConfinedProcess;
import org.casement.session.Secret;
import org.casement.session.SessionException;
import org.casement.supervisor.Finding.Subject;

/// What `casement doctor` can try only where a session would do it, in the seal: the file share,
/// and the golden image's machine with its firmware, devices and TPM. Both are started by what
/// starts them in a session, asked for an answer, and stopped.
public final class SealedExamination {
  private final SupervisorSettings settings;
  private final InstantSource clock;
  private final SecureRandom random;

  /// @param settings with a runtime directory for this examination alone
  public SealedExamination(SupervisorSettings settings, InstantSource clock, SecureRandom random) {
    this.settings = settings;
    this.clock = clock;
    this.random = random;
  }

  /// Tries both beside each other; returns when both are done.
  ///
  /// @param told each finding as soon as it is there, one at a time
  public void run(Consumer<Finding> told) throws InterruptedException {
    Thread share =
        Thread.ofPlatform().daemon().name("file-share").start(() -> tell(told, fileShare()));
    Thread machine =
        Thread.ofPlatform().daemon().name("machine").start(() -> tell(told, machine()));
    share.join();
    machine.join();
  }

  private synchronized void tell(Consumer<Finding> told, Finding finding) {
    told.accept(finding);
  }

  private Finding fileShare() {
    try {
      return tryFileShare();
    } catch (SessionException | IOException e) {
      return Finding.error(
          Subject.FILE_SHARE,
          String.valueOf(e.getMessage()),
          "install Samba again (Debian: samba, samba-vfs-modules), or set shares.smbd");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Finding.error(Subject.FILE_SHARE, "interrupted", "");
    }
  }

  private Finding tryFileShare() throws SessionException, IOException, InterruptedException {
    List<Share> there =
        settings.shares().list().stream().filter(share -> Files.isDirectory(share.path())).toList();
    if (there.isEmpty()) {
      there =
          List.of(new Share("trial", PrivateFiles.directory(settings.runtime().resolve("shared"))));
    }
    ShareServer server =
        new ShareServer(
            settings.runtime().resolve("share"),
            settings.withShares(there),
            profile().smbMinimum(),
            Umask.current());
    int uid = (Integer) Files.getAttribute(settings.runtime(), "unix:uid");
    int gid = (Integer) Files.getAttribute(settings.runtime(), "unix:gid");
    try {
      server.prepare(uid, gid, Secret.password(random));
      server.awaitAnswer(server.start());
      String served = there.stream().map(Share::name).collect(Collectors.joining(", "));
      return Finding.ok(Subject.FILE_SHARE, "smbd answers, with the share " + served);
    } finally {
      server.stop();
    }
  }

  /// Of an image that cannot be read it is not known.
  private MachineProfile profile() {
    try {
      return GoldenImage.read(settings.goldenImage()).profile();
    } catch (SessionException e) {
      return MachineProfile.plain();
    }
  }

  private Finding machine() {
    GoldenImage image;
    try {
      image = GoldenImage.read(settings.goldenImage());
    } catch (SessionException e) {
      return Finding.warning(
          Subject.MACHINE, "not tried without its golden image", "mend the golden image first");
    }
    try {
      return tryMachine(image);
    } catch (SessionException | IOException e) {
      return Finding.error(
          Subject.MACHINE,
          "the machine %s: %s".formatted(image.profile().name(), e.getMessage()),
          "install QEMU and its firmware again (Debian: qemu-system-x86, seabios, ovmf), or set"
              + " machine.qemu and machine.qemu_files");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Finding.error(Subject.MACHINE, "interrupted", "");
    }
  }

  /// In software: whether KVM works is another question, and this guest runs for a moment only.
  private Finding tryMachine(GoldenImage image)
      throws SessionException, IOException, InterruptedException {
    Machine machine = new Machine(settings.runtime().resolve("machine"), settings, image, clock);
    try {
      machine.prepare();
      if (image.profile().tpm()) {
        ConfinedProcess _ = machine.tpm().start();
      }
      ConfinedProcess _ = machine.start(Acceleration.TCG, Secret.random(random));
      machine.awaitControl(_ -> {}, _ -> {});
      Map<String, Object> _ = machine.command("query-status");
      return Finding.ok(
          Subject.MACHINE, "QEMU starts with all devices of " + image.profile().name());
    } finally {
      machine.stop();
    }
  }
}
