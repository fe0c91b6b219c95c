package org.casement.supervisor;

import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.InstantSource;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.casement.isolation.ConfinedProcess;
import org.casement.isolation.Confinement;
import org.casement.isolation.Layers;
import org.casement.isolation.NetworkRules;
import org.casement.protocol.picture.Thumbnail;
import org.casement.protocol.qmp.QmpMessage;
import org.casement.session.Secret;
import org.casement.session.SessionException;
import org.jspecify.annotations.Nullable;

/// The virtual machine's files and its QEMU process. Inside the confinement QEMU sees its program,
/// the golden image's files, the overlay, and a directory for its sockets.
///
/// The guest's network is QEMU's own ("user", libslirp), without IPv6: what the guest calls
/// 169.254.100.2 is 127.0.0.1 of the sealed namespace, where only what the guest may reach listens.
/// Used by the supervisor's thread only.
final class Machine {
  /// What the guest's network and only that uses of the namespace.
  static final InetAddress LOOPBACK = InetAddress.ofLiteral("127.0.0.1");

  /// What the guest calls the session (contracts/guest-api.md).
  static final String HOST_ALIAS = "169.254.100.2";

  static final int GUEST_API_PORT = 54_321;
  static final int RDP_PORT = 3389;

  static final String GUEST_ADDRESS = "169.254.100.15";

  private static final long GIBIBYTE = 1L << 30;

  private static final int QEMU_IMG_LIMIT_SECONDS = 60;
  private static final Duration START_POLL = Duration.ofMillis(5);

  /// QEMU answers on QMP 0.25 s after its start; a node that needs so long does not work.
  private static final Duration CONTROL_LIMIT = Duration.ofSeconds(30);

  /// Between the end of QEMU's control socket and its own.
  private static final Duration END_LIMIT = Duration.ofSeconds(1);

  private static final Duration COMMAND_LIMIT = Duration.ofSeconds(5);

  private final Path directory;
  private final SupervisorSettings settings;
  private final GoldenImage image;
  private final InstantSource clock;
  private final Tpm tpm;
  private @Nullable ConfinedProcess qemu;
  private @Nullable QmpClient qmp;

  /// @param directory in the runtime directory; made by [#prepare]
  Machine(Path directory, SupervisorSettings settings, GoldenImage image, InstantSource clock) {
    this.directory = directory;
    this.settings = settings;
    this.image = image;
    this.clock = clock;
    this.tpm = new Tpm(directory.resolve("tpm"), settings);
  }

  MachineProfile profile() {
    return image.profile();
  }

  Tpm tpm() {
    return tpm;
  }

  /// Where its sockets are in a session's runtime directory.
  static Path sockets(Path runtime) {
    return runtime.resolve("machine/sockets");
  }

  static Path vncSocket(Path runtime) {
    return sockets(runtime).resolve("vnc");
  }

  Path log() {
    return directory.resolve("log");
  }

  Path overlay() {
    return directory.resolve("disk/overlay.qcow2");
  }

  private Path sockets() {
    return sockets(settings.runtime());
  }

  private Path picture() {
    return directory.resolve("screen/picture");
  }

  private Path bootToken() {
    return directory.resolve("smbios/token");
  }

  /// Makes the directories and the overlay.
  void prepare() throws IOException, SessionException, InterruptedException {
    PrivateFiles.directory(directory);
    for (String part : List.of("disk", "sockets", "smbios", "variables", "screen")) {
      PrivateFiles.directory(directory.resolve(part));
    }
    PrivateFiles.write(picture(), "");
    if (profile().tpm()) {
      tpm.prepare();
    }
    makeOverlay();
  }

  /// Makes the overlay anew: what the machine wrote is lost.
  void makeOverlay() throws IOException, SessionException, InterruptedException {
    Files.deleteIfExists(overlay());
    // -u: the golden image is not opened here; its name inside the confinement is "/golden/disk".
    Process process =
        new ProcessBuilder(
                settings.machine().qemuImg().toString(),
                "create",
                "-q",
                "-u",
                "-f",
                "qcow2",
                "-F",
                "qcow2",
                "-b",
                MachineLine.DISK.toString(),
                overlay().toString(),
                Long.toString(image.virtualBytes()))
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()))
            .start();
    process.getOutputStream().close();
    if (!process.waitFor(QEMU_IMG_LIMIT_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new SessionException("qemu-img did not make the overlay within 60 s");
    }
    if (process.exitValue() != 0) {
      throw new SessionException(
          "cannot make the overlay: " + HelperLog.lastLine(log()).orElse("qemu-img failed"));
    }
  }

  /// Starts QEMU; [#awaitControl] says when it answers. `token` is the only secret it gets; it lies
  /// in a file until QEMU has read it. A TPM, if the profile has one, listens already.
  ConfinedProcess start(Acceleration acceleration, Secret token) throws IOException {
    Files.deleteIfExists(bootToken());
    PrivateFiles.write(bootToken(), "casement:1:" + token.base64url());
    for (String socket : List.of("qmp", "vnc", "test")) {
      Files.deleteIfExists(sockets().resolve(socket));
    }
    copyFirmwareVariables();
    // RLIMIT_FSIZE: the overlay is the only file that QEMU makes grow. It ignores SIGXFSZ.
    OptionalLong limit = OptionalLong.of(settings.machine().overlayLimitGibibytes() * GIBIBYTE);
    ConfinedProcess started =
        ConfinedProcess.start(
            "qemu",
            settings.helpers().bwrap(),
            confinement(acceleration),
            new NetworkRules(Set.of(ShareServer.PORT, GUEST_API_PORT), Set.of(RDP_PORT)),
            log(),
            new ConfinedProcess.Options(
                    Layers.DEFAULT.withLandlock(settings.helpers().landlock()), limit)
                .sparedFromTermination());
    qemu = started;
    return started;
  }

  /// UEFI's variables as the distribution has them: what a guest changed in an earlier start is
  /// lost, like its disk.
  private void copyFirmwareVariables() throws IOException {
    SupervisorSettings.Firmware firmware = settings.firmware();
    Path ours = directory.resolve("variables/variables");
    switch (profile().firmware()) {
      case BIOS -> {}
      case UEFI -> copyPrivately(firmware.uefiVariables(), ours);
      case UEFI_SECURE_BOOT -> copyPrivately(firmware.secureBootVariables(), ours);
    }
  }

  /// The template may be one that nobody can write.
  private static void copyPrivately(Path template, Path ours) throws IOException {
    Files.copy(template, ours, REPLACE_EXISTING);
    Files.setPosixFilePermissions(ours, PosixFilePermissions.fromString("rw-------"));
  }

  /// Waits until QEMU answers on QMP.
  ///
  /// @param closed told once why QEMU is out of reach, if not by [#stop]
  /// @throws SessionException in QEMU's own words, if it ended instead
  void awaitControl(Consumer<QmpMessage.Event> events, Consumer<String> closed)
      throws IOException, SessionException, InterruptedException {
    ConfinedProcess started = Objects.requireNonNull(qemu);
    long deadline = System.nanoTime() + CONTROL_LIMIT.toNanos();
    Path socket = sockets().resolve("qmp");
    while (!Files.exists(socket) && System.nanoTime() < deadline) {
      if (!started.isAlive()) {
        throw new SessionException(
            "QEMU did not start: "
                + HelperLog.lastLine(log()).orElse("it ended with status " + started.waitFor()));
      }
      Thread.sleep(START_POLL);
    }
    try {
      qmp = QmpClient.connect(socket, CONTROL_LIMIT, events, closed);
    } catch (IOException e) {
      // QEMU makes the socket before it has acceleration and memory; what it says then is better.
      if (started.waitFor(END_LIMIT).isEmpty()) {
        throw e;
      }
      throw new SessionException("QEMU did not start: " + HelperLog.lastLine(log()).orElse(""), e);
    }
    Files.deleteIfExists(bootToken()); // QEMU read it when it started
  }

  /// Whether this start of QEMU answers; from any thread. After [#awaitControl].
  HelperWatch.Question heartbeat() {
    QmpClient connection = Objects.requireNonNull(qmp);
    return limit -> {
      var _ = connection.execute("query-status", Map.of(), limit);
    };
  }

  /// QEMU's answer to a command without arguments.
  Map<String, Object> command(String name) throws IOException {
    QmpClient connection = qmp;
    if (connection == null) {
      throw new IOException("there is no machine");
    }
    return connection.execute(name, Map.of(), COMMAND_LIMIT);
  }

  /// What this QEMU shows; may be asked from any thread. The picture lies in a file until it is
  /// read.
  ScreenPictures.Source screen() {
    QmpClient connection = Objects.requireNonNull(qmp);
    Map<String, Object> where = Map.of("filename", MachineLine.PICTURE.toString());
    return () -> {
      connection.execute("screendump", where, COMMAND_LIMIT);
      try (InputStream ppm = new BufferedInputStream(Files.newInputStream(picture()))) {
        return Thumbnail.png(ppm);
      } finally {
        Files.newByteChannel(picture(), WRITE, TRUNCATE_EXISTING).close();
      }
    };
  }

  boolean isRunBy(ConfinedProcess helper) {
    return helper == qemu;
  }

  /// Kills QEMU and its TPM, if they run.
  void stop() {
    QmpClient connection = qmp;
    ConfinedProcess process = qemu;
    qmp = null;
    qemu = null;
    if (process != null) {
      process.close(); // first: a QEMU that floods its control socket cannot hold this up
    }
    tpm.stop();
    if (connection != null) {
      connection.close();
    }
  }

  private Confinement confinement(Acceleration acceleration) {
    Confinement.Builder builder = Confinement.of(settings.machine().qemu());
    settings.machine().qemuFiles().forEach(builder::readOnly);
    builder.readOnly(image.disk(), MachineLine.DISK);
    image
        .boot()
        .ifPresent(
            boot -> {
              builder.readOnly(boot.kernel(), MachineLine.KERNEL);
              builder.readOnly(boot.initrd(), MachineLine.INITRD);
            });
    builder
        .writable(directory.resolve("disk"), MachineLine.OVERLAYS)
        .writable(sockets(), MachineLine.SOCKETS)
        // SECURITY: the file, not its directory: QEMU cannot put a link or a pipe in its place.
        .writable(picture(), MachineLine.PICTURE)
        .readOnly(directory.resolve("smbios"), MachineLine.SMBIOS);
    if (profile().firmware() != MachineProfile.Firmware.BIOS) {
      builder
          .readOnly(settings.firmware().uefiCode(), MachineLine.FIRMWARE)
          .writable(directory.resolve("variables"), MachineLine.VARIABLES);
    }
    if (profile().tpm()) {
      builder.readOnly(tpm.socketDirectory(), MachineLine.TPM);
    }
    if (acceleration == Acceleration.KVM) {
      builder.device(Path.of("/dev/kvm"));
    }
    LocalDateTime now = LocalDateTime.ofInstant(clock.instant(), settings.timezone());
    return builder.arguments(MachineLine.of(image, acceleration, settings.machine(), now)).build();
  }
}
