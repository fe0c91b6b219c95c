package org.casement.supervisor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.casement.isolation.ConfinedProcess;
import org.casement.isolation.Layers;
import org.casement.isolation.ShortRun;
import org.casement.isolation.UserNamespaces;
import org.casement.session.SessionException;
import org.casement.supervisor.Finding.Subject;

/// What `casement doctor` looks at outside the seal. What refuses a start is found by [NodeCheck]'s
/// own methods, so that the two cannot disagree; the rest says what is there, and what could be
/// better. Every method may be called beside the others.
public final class NodeExamination {
  private static final Duration VERSION_LIMIT = Duration.ofSeconds(10);
  private static final Pattern VERSION = Pattern.compile("version ([0-9]+)\\.([0-9]+)[^\\s,]*");

  /// The oldest QEMU that sessions were run with, and the oldest Samba.
  private static final int QEMU_OLDEST = 702;

  private static final int SAMBA_OLDEST = 417;

  /// Landlock's network rules alone, and with scopes.
  private static final Pattern LANDLOCK = Pattern.compile("landlock=([a-z+]+)( abi=[0-9]+)?");

  private final SupervisorSettings settings;

  /// @param settings with a runtime directory for this examination alone
  public NodeExamination(SupervisorSettings settings) {
    this.settings = settings;
  }

  public List<Finding> shares() {
    List<Finding> faults = NodeCheck.shares(settings, false);
    List<String> shown = new ArrayList<>();
    for (Share share : settings.shares().list()) {
      String making = NodeCheck.isYetToBeMade(share) ? " (made by the first start)" : "";
      shown.add(share.name() + " is " + share.path() + making);
    }
    return orOk(faults, Subject.SHARES, String.join(", ", shown));
  }

  public List<Finding> acceleration() {
    if (settings.machine().onlyTcg()) {
      return ok(Subject.ACCELERATION, "software (TCG), as the configuration asks");
    }
    return switch (KvmProbe.of(settings)) {
      case KvmProbe.Outcome.Works _ -> ok(Subject.ACCELERATION, "KVM runs a guest");
      case KvmProbe.Outcome.Fails(String why) ->
          List.of(
              Finding.warning(
                  Subject.ACCELERATION,
                  "KVM not usable: " + why + "; sessions fall back to emulation, which is slow",
                  kvmRemedy(why)));
    };
  }

  private static String kvmRemedy(String why) {
    if (why.startsWith("bwrap") || why.startsWith("it could not be tried")) {
      return "mend the confinement first";
    }
    Path kvm = Path.of("/dev/kvm");
    if (!Files.exists(kvm)) {
      return "switch virtualization on in the firmware (in the outer machine, if this is a virtual"
          + " one), then: modprobe kvm_intel || modprobe kvm_amd";
    }
    if (!Files.isReadable(kvm) || !Files.isWritable(kvm)) {
      return "let sessions' users open it: usermod -aG kvm USER, or a udev rule with MODE=\"0666\"";
    }
    return "look for kvm in the kernel's log: journalctl -k -g kvm";
  }

  public List<Finding> memory() throws IOException {
    Optional<GoldenImage> image = image();
    int configured = settings.machine().memoryMebibytes();
    if (configured == 0 && image.isEmpty()) {
      return ok(Subject.MEMORY, availableMebibytes() + " MiB available");
    }
    int wanted = configured == 0 ? image.get().memoryMebibytes() : configured;
    long available = availableMebibytes();
    String found = available + " MiB available, the machine has " + wanted;
    return available >= wanted
        ? ok(Subject.MEMORY, found)
        : List.of(
            Finding.warning(
                Subject.MEMORY,
                found,
                "set a lower machine.memory_mib, or run fewer sessions on this node"));
  }

  /// Of the node, or of the job that this runs in, where that has less.
  private static long availableMebibytes() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
      if (line.startsWith("MemAvailable:")) {
        long available = Long.parseLong(line.replaceAll("[^0-9]", "")) >> 10;
        return Math.min(available, MemoryLimit.left(Path.of("/")).orElse(Long.MAX_VALUE) >> 20);
      }
    }
    throw new IOException("/proc/meminfo has no MemAvailable");
  }

  public List<Finding> diskSpace() throws IOException {
    List<Finding> faults = NodeCheck.room(settings);
    if (!faults.isEmpty()) {
      return faults;
    }
    Path parent = settings.runtime().getParent();
    long room = Files.getFileStore(settings.runtime()).getUsableSpace() >> 30;
    int limit = settings.machine().overlayLimitGibibytes();
    String found = "%s has %d GiB left, an overlay may grow to %d".formatted(parent, room, limit);
    return room >= limit
        ? ok(Subject.DISK_SPACE, found)
        : List.of(
            Finding.warning(
                Subject.DISK_SPACE,
                found,
                "free some, set a lower machine.overlay_limit_gib or another"
                    + " session.runtime_parent"));
  }

  /// CONFINEMENT and LANDLOCK.
  public List<Finding> confinement() {
    List<Finding> findings = new ArrayList<>(NodeCheck.bwrap(settings));
    if (!findings.isEmpty()) {
      return findings;
    }
    var trial = ConfinedProcess.tryOut(settings.helpers().bwrap(), settings.helpers().landlock());
    findings.addAll(
        orOk(
            NodeCheck.confinement(trial),
            Subject.CONFINEMENT,
            settings.helpers().bwrap() + " confines a program"));
    Matcher layer = LANDLOCK.matcher(trial.layers());
    if (!layer.find()) {
      return findings; // nothing came as far
    }
    findings.add(
        switch (layer.group(1)) {
          case "net+scopes" -> Finding.ok(Subject.LANDLOCK, "network rules and scopes");
          case "off" -> Finding.ok(Subject.LANDLOCK, "off, as the configuration asks");
          case "net" ->
              Finding.warning(
                  Subject.LANDLOCK, "network rules without scopes", "Linux 6.12 has both");
          default ->
              Finding.warning(
                  Subject.LANDLOCK,
                  "this kernel has no network rules; the namespaces hold without",
                  "Linux 6.7 has them; lsm= on the kernel's command line must name landlock");
        });
    return findings;
  }

  /// What forbids user namespaces, or that nothing does.
  ///
  /// @param problem what came of making them
  public static List<Finding> userNamespaces(Optional<String> problem) {
    return problem
        .map(
            text ->
                List.of(
                    Finding.error(
                        Subject.USER_NAMESPACES,
                        text,
                        UserNamespaces.hint()
                            .orElse(
                                "ask an administrator to allow unprivileged user namespaces: sysctl"
                                    + " user.max_user_namespaces=65536"))))
        .orElse(ok(Subject.USER_NAMESPACES, "you can make them"));
  }

  public List<Finding> qemu() {
    return program(
        NodeCheck.qemu(settings),
        Subject.QEMU,
        settings.machine().qemu(),
        QEMU_OLDEST,
        "qemu-system-x86");
  }

  public List<Finding> samba() {
    return program(
        NodeCheck.smbd(settings), Subject.SAMBA, settings.shares().smbd(), SAMBA_OLDEST, "samba");
  }

  /// An error only where the golden image's profile has a TPM.
  public List<Finding> swtpm() {
    List<Finding> found =
        program(NodeCheck.swtpm(settings), Subject.SWTPM, settings.firmware().swtpm(), 0, "swtpm");
    if (image().map(image -> image.profile().tpm()).orElse(false)) {
      return found;
    }
    return found.stream()
        .map(
            each ->
                each.level() == Finding.Level.ERROR
                    ? Finding.warning(
                        Subject.SWTPM,
                        each.found() + " (only golden images with a TPM need it)",
                        each.remedy())
                    : each)
        .toList();
  }

  private static List<Finding> program(
      List<Finding> faults, Subject subject, Path program, int oldest, String debianPackage) {
    if (!faults.isEmpty()) {
      return faults;
    }
    try {
      ShortRun run = ShortRun.of(List.of(program.toString(), "--version"), VERSION_LIMIT);
      if (!run.succeeded()) {
        return List.of(
            Finding.error(
                subject,
                program + " does not say its version: " + run.firstWords(),
                "install it again (Debian: " + debianPackage + ")"));
      }
      Matcher version = VERSION.matcher(run.output().toLowerCase(Locale.ROOT));
      if (!version.find()) {
        return ok(subject, program + ", " + run.firstWords());
      }
      int number = Integer.parseInt(version.group(1)) * 100 + Integer.parseInt(version.group(2));
      String found = program + ", " + version.group();
      return number >= oldest
          ? ok(subject, found)
          : List.of(
              Finding.warning(
                  subject,
                  found + ", older than any that was tried",
                  "install %d.%d or newer".formatted(oldest / 100, oldest % 100)));
    } catch (IOException e) {
      return List.of(
          Finding.error(
              subject,
              program + " cannot be run: " + e.getMessage(),
              "install it again (Debian: " + debianPackage + ")"));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return List.of();
    }
  }

  /// What the seal says about nftables.
  ///
  /// @param layers as the sealed part was told: `namespaces=fresh nftables=on`
  public static Finding nftables(String layers, Layers.Use use) {
    if (layers.contains("nftables=on")) {
      return Finding.ok(Subject.NFTABLES, "rules on loopback hold");
    }
    if (use == Layers.Use.OFF) {
      return Finding.ok(Subject.NFTABLES, "off, as the configuration asks");
    }
    return Finding.warning(
        Subject.NFTABLES,
        "no rules on loopback; the namespaces hold without",
        "install it (Debian: nftables) or set isolation.nft; the kernel needs nf_tables");
  }

  private Optional<GoldenImage> image() {
    try {
      return Optional.of(GoldenImage.read(settings.goldenImage()));
    } catch (SessionException e) {
      return Optional.empty(); // ImageExamination says why
    }
  }

  private static List<Finding> ok(Subject subject, String found) {
    return List.of(Finding.ok(subject, found));
  }

  private static List<Finding> orOk(List<Finding> faults, Subject subject, String found) {
    return faults.isEmpty() ? ok(subject, found) : faults;
  }
}
