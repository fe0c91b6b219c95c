package org.casement.supervisor;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.casement.session.SessionException;
import org.casement.supervisor.Finding.Subject;

/// What `casement doctor` looks at in the golden image.
public final class ImageExamination {
  private static final int DIGEST_BUFFER_BYTES = 1 << 20;

  private final SupervisorSettings settings;

  public ImageExamination(SupervisorSettings settings) {
    this.settings = settings;
  }

  /// IMAGE and FIRMWARE.
  public List<Finding> read() {
    GoldenImage image;
    try {
      image = GoldenImage.read(settings.goldenImage());
    } catch (SessionException e) {
      return List.of(NodeCheck.broken(e));
    }
    List<Finding> findings = new ArrayList<>();
    for (Path path : List.of(image.directory(), image.disk())) {
      if (Files.isWritable(path)) {
        findings.add(
            Finding.warning(
                Subject.IMAGE,
                path + " is writable for you: what runs as you can spoil it for all sessions",
                "chmod a-w " + path + ", better: let another account own it"));
      }
    }
    image
        .unknownProfile()
        .ifPresent(
            name ->
                findings.add(
                    Finding.warning(
                        Subject.IMAGE,
                        "its profile %s is not known to this version: it runs on the hardware of %s"
                            .formatted(name, image.profile().name()),
                        "see docs/machine-profiles.md")));
    if (findings.isEmpty()) {
      findings.add(
          Finding.ok(
              Subject.IMAGE,
              "%s, profile %s, %d MiB and %d CPUs"
                  .formatted(
                      image.name(),
                      image.profile().name(),
                      image.memoryMebibytes(),
                      image.cpus())));
    }
    List<Finding> missing =
        NodeCheck.firmware(settings, image.profile()).stream()
            .filter(fault -> fault.subject() == Subject.FIRMWARE)
            .toList();
    String firmware =
        image.profile().firmware() == MachineProfile.Firmware.BIOS
            ? "BIOS, QEMU's own"
            : settings.firmware().uefiCode().toString();
    findings.addAll(missing.isEmpty() ? List.of(Finding.ok(Subject.FIRMWARE, firmware)) : missing);
    return findings;
  }

  /// Compares the disk with the digest that the publisher wrote into the manifest; interruptible.
  public List<Finding> digest() throws IOException {
    GoldenImage image;
    try {
      image = GoldenImage.read(settings.goldenImage());
    } catch (SessionException e) {
      return List.of(); // read() says why
    }
    Optional<String> published = image.sha256();
    Path disk = image.disk();
    if (published.isEmpty()) {
      return List.of(
          Finding.warning(
              Subject.DIGEST,
              "the manifest names none: a spoilt disk would not be noticed",
              "publish the image with sha256 (sha256sum " + disk + ")"));
    }
    MessageDigest sha256 = sha256();
    try (InputStream in = new DigestInputStream(Files.newInputStream(disk), sha256)) {
      byte[] buffer = new byte[DIGEST_BUFFER_BYTES];
      while (in.read(buffer) >= 0) {
        if (Thread.currentThread().isInterrupted()) {
          return List.of();
        }
      }
    }
    String computed = HexFormat.of().formatHex(sha256.digest());
    return computed.equalsIgnoreCase(published.get())
        ? List.of(Finding.ok(Subject.DIGEST, "the disk is the one that was published"))
        : List.of(
            Finding.error(
                Subject.DIGEST,
                disk + " is not what its manifest says: sha256 " + computed,
                "publish the image again"));
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
