package org.casement.systemtests;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.casement.testkit.Command;
import org.casement.testkit.Leaks;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// `casement doctor` on a sound node, and on one with one thing broken at a time: it names that and
/// what to do, nothing else; and a session is refused wherever the doctor says so.
final class DoctorTest {
  private static final Duration CLEAN_LIMIT = Duration.ofSeconds(20);
  private static final int USAGE = 64;

  /// What a wrapper needs to see in the confinement, beside what QEMU does.
  private static final List<String> WRAPPER_FILES =
      List.of("/usr/share/qemu", "/usr/share/seabios", "/bin/sh", "/usr/bin/qemu-system-x86_64");

  private static TestUser user;
  private static Leaks leaks;

  /// Where the tests put what stands for a program, and golden images to be spoilt.
  private static Path stage;

  @BeforeAll
  static void createUser() throws IOException {
    user = TestUser.create();
    stage = Files.createTempDirectory(Path.of("/var/tmp"), "ct-");
    run("chmod", "755", stage.toString());
    leaks = Session.leaks(user);
  }

  @AfterEach
  void nothingIsLeft() {
    leaks.awaitBack(CLEAN_LIMIT);
  }

  @AfterAll
  static void removeUser() {
    run("rm", "-rf", stage.toString());
    user.close();
  }

  private static void run(String... command) {
    Command.run(command).orFail();
  }

  private static List<String> command(Settings settings, String... arguments) {
    return DoctorAnswer.command(user, settings, arguments);
  }

  private static Command.Outcome ask(List<String> command) {
    return DoctorAnswer.ask(user, command);
  }

  private static DoctorAnswer examine(Settings settings) {
    return DoctorAnswer.parse(ask(command(settings, "--json")));
  }

  private static Settings settings() {
    return Settings.standard().with("session", "drain_timeout", "1s");
  }

  /// The same by a start: it does not come to a desktop, and sends its user to the doctor.
  private static void assertRefused(Settings settings) {
    Command.Outcome refused = Session.refused(user, settings);
    assertThat(refused.status()).as(refused.toString()).isNotZero();
    assertThat(refused.err()).contains("casement doctor");
  }

  // ---- a sound node

  @Test
  void aSoundNodeHasNoErrors() {
    DoctorAnswer sound = examine(settings());
    assertThat(sound.status()).as(sound.toString()).isZero();
    assertThat(sound.with("error")).isEmpty();
    for (String subject :
        List.of("seal", "confinement", "user-namespaces", "machine", "file-share", "digest")) {
      sound.says("ok", subject);
    }
    sound.says("ok", "seal", "the network has lo");
  }

  @Test
  void theTextIsGroupedAlignedPlainAndNarrow() {
    Command.Outcome outcome = ask(command(settings()));
    assertThat(outcome.status()).as(outcome.toString()).isZero();
    List<String> lines = outcome.out().lines().toList();
    assertThat(lines).contains("Configuration", "Node", "Isolation", "Programs", "Golden image");
    assertThat(lines).allMatch(line -> line.length() <= 80 || !line.strip().contains(" "));
    assertThat(outcome.out()).doesNotContain("\u001b");
    assertThat(lines).anyMatch(line -> line.matches(" {2}ok {7}seal {15}\\S.*"));
    assertThat(lines.getLast()).startsWith("Sessions can run here");
  }

  @Test
  void aWrongCommandLineHasItsOwnStatus() {
    assertThat(ask(command(settings(), "--jsn")).status()).isEqualTo(USAGE);
  }

  // ---- one thing broken at a time

  @Test
  void qemuThatIsNotThere() {
    Settings broken = settings().with("machine", "qemu", "/nonexistent/qemu");
    examine(broken)
        .hasErrors(Set.of("qemu", "machine"), "qemu", "/nonexistent/qemu", "machine.qemu");
    assertRefused(broken);
  }

  @Test
  void qemuWithoutADeviceOfTheMachine() {
    Path wrapper =
        script(
            "qemu",
            """
            case "$*" in
              *virtio-rng-pci*) echo "'virtio-rng-pci' is not a valid device model name" >&2; exit 1 ;;
            esac
            exec /usr/bin/qemu-system-x86_64 "$@"
            """);
    Settings broken =
        settings().with("machine", "qemu", wrapper).with("machine", "qemu_files", WRAPPER_FILES);
    examine(broken).hasErrors(Set.of("machine"), "machine", "virtio-rng-pci", "install QEMU");
    assertRefused(broken);
  }

  @Test
  void qemuThatHangsIsCutOff() {
    Path wrapper = script("qemu", "/usr/bin/sleep 1000\n");
    DoctorAnswer answer = examine(settings().with("machine", "qemu", wrapper));
    answer.hasErrors(Set.of("qemu", "machine"), "qemu", wrapper.toString(), "no answer in time");
    answer.says("ok", "file-share");
  }

  @Test
  void bwrapThatHangsIsCutOff() {
    Path wrapper = script("bwrap", "/usr/bin/sleep 1000\n");
    DoctorAnswer answer = examine(settings().with("isolation", "bwrap", wrapper));
    answer.hasErrors(Set.of("confinement", "machine", "file-share"), "confinement", "in time");
    answer.says("ok", "seal");
  }

  @Test
  void smbdThatIsSomethingElse() {
    Settings broken = settings().with("shares", "smbd", "/bin/false");
    examine(broken).hasErrors(Set.of("samba", "file-share"), "file-share", "smbd ended", "Samba");
    assertRefused(broken);
  }

  @Test
  void bwrapThatIsNotThere() {
    Settings broken = settings().with("isolation", "bwrap", "/nonexistent/bwrap");
    DoctorAnswer answer = examine(broken);
    answer.hasErrors(
        Set.of("confinement", "machine", "file-share"),
        "confinement",
        "/nonexistent/bwrap",
        "bubblewrap");
    answer.says("warning", "acceleration", "KVM not usable");
    assertRefused(broken);
  }

  @Test
  void bwrapThatDoesNotConfine() {
    Path wrapper =
        script("bwrap", "echo 'bwrap: No permissions to create new namespace'; exit 1\n");
    Settings broken = settings().with("isolation", "bwrap", wrapper);
    examine(broken)
        .hasErrors(Set.of("confinement", "machine", "file-share"), "confinement", "No permissions");
    assertRefused(broken);
  }

  /// In a user namespace around it, with everybody in it, that allows no more of them.
  @Test
  void userNamespacesThatAreSwitchedOff() {
    String script =
        """
        unshare --user --keep-caps /bin/sh -c '
          until grep -q . /proc/self/uid_map && grep -q . /proc/self/gid_map; do sleep 0.1; done
          echo 0 >/proc/sys/user/max_user_namespaces
          exec "$@"' sh "$@" &
        for ids in uid_map gid_map; do
          until echo 0 0 65536 2>/dev/null >/proc/$!/$ids; do sleep 0.1; done
        done 2>/dev/null
        wait $!
        """;
    List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", script, "sh"));
    command.addAll(user.prefix());
    command.addAll(command(settings(), "--json"));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().clear();
    builder.environment().putAll(user.process(List.of()).environment());
    builder.environment().put("JAVA_HOME", Program.javaHome().toString());
    DoctorAnswer answer = DoctorAnswer.parse(Command.run(builder, "", DoctorAnswer.LIMIT));
    answer.hasErrors(
        Set.of("user-namespaces", "seal", "confinement"),
        "user-namespaces",
        "cannot seal",
        "user.max_user_namespaces=0");
    answer.says("warning", "machine", "not tried");
    answer.says("ok", "qemu");
  }

  @Test
  void nftablesThatIsRequiredAndNotThere() {
    Settings without = settings().with("isolation", "nft", "/nonexistent/nft");
    DoctorAnswer answer = examine(without);
    assertThat(answer.with("error")).as(answer.toString()).isEmpty();
    answer.says("warning", "nftables", "isolation.nft");
    Settings required = without.with("isolation", "nftables", "required");
    examine(required).hasErrors(Set.of("seal"), "seal", "/nonexistent/nft");
    assertRefused(required);
  }

  @Test
  void landlockAsTheConfigurationAsks() {
    examine(settings().with("isolation", "landlock", "off"))
        .says("ok", "landlock", "off, as the configuration asks");
  }

  @Test
  void moreMemoryThanTheNodeHas() {
    examine(settings().with("machine", "memory_mib", 4_000_000))
        .says("warning", "memory", "the machine has 4000000", "machine.memory_mib");
    examine(settings()).says("ok", "memory");
  }

  @Test
  void firmwareThatTheProfileNeeds() {
    try (ProfiledImage image = ProfiledImage.of("windows-11")) {
      Settings sound = settings().with("golden", "image", image.directory());
      DoctorAnswer answer = examine(sound);
      assertThat(answer.with("error")).as(answer.toString()).isEmpty();
      answer.says("ok", "firmware", "OVMF");
      Settings broken = sound.with("firmware", "uefi_code", "/nonexistent/code.fd");
      examine(broken)
          .hasErrors(Set.of("firmware", "machine"), "firmware", "/nonexistent/code.fd", "ovmf");
      assertRefused(broken);
      examine(sound.with("firmware", "swtpm", "/nonexistent/swtpm"))
          .hasErrors(Set.of("swtpm", "machine"), "swtpm", "/nonexistent/swtpm");
    }
    // The demo's machine has no TPM.
    DoctorAnswer demo = examine(settings().with("firmware", "swtpm", "/nonexistent/swtpm"));
    assertThat(demo.with("error")).as(demo.toString()).isEmpty();
    demo.says("warning", "swtpm", "/nonexistent/swtpm");
  }

  @Test
  void aManifestThatIsBroken() {
    Path image = image();
    run("sed", "-i", "s/{//", image.resolve("manifest.json").toString());
    Settings broken = settings().with("golden", "image", image);
    DoctorAnswer answer = examine(broken);
    answer.hasErrors(Set.of("image"), "image", "manifest.json", "publish the image again");
    answer.says("warning", "machine", "not tried");
    assertRefused(broken);
  }

  @Test
  void aDiskThatIsNotThePublishedOne() {
    Path image = image();
    run(
        "sed",
        "-i",
        "s/\"sha256\": \"./\"sha256\": \"-/",
        image.resolve("manifest.json").toString());
    examine(settings().with("golden", "image", image))
        .hasErrors(Set.of("digest"), "digest", "disk.qcow2", "publish the image again");
  }

  @Test
  void anImageThatItsUserCanSpoil() {
    Path image = image();
    run("chown", user.name(), image.toString());
    DoctorAnswer answer = examine(settings().with("golden", "image", image));
    run("chown", "root", image.toString());
    assertThat(answer.with("error")).as(answer.toString()).isEmpty();
    answer.says("warning", "image", "writable for you", "chmod a-w " + image);
  }

  @Test
  void aDiskThatIsTooSmall() throws IOException {
    Path parent = Files.createDirectory(stage.resolve("d")); // sockets have short names
    run("mount", "-t", "tmpfs", "-o", "size=64m,mode=1777", "tmpfs", parent.toString());
    try {
      Settings broken = settings().with("session", "runtime_parent", parent);
      examine(broken)
          .hasErrors(
              Set.of("disk-space"), "disk-space", parent.toString(), "MiB left", "free some");
      assertRefused(broken);
    } finally {
      run("umount", parent.toString());
    }
  }

  @Test
  void aRuntimeParentThatIsNotThereOrTooLong() {
    Settings missing = settings().with("session", "runtime_parent", "/nonexistent/parent");
    examine(missing)
        .hasErrors(Set.of("runtime-directory"), "runtime-directory", "/nonexistent/parent");
    assertRefused(missing);
    Path deep = user.home().resolve("d".repeat(90));
    user.run("mkdir", "-m", "700", deep.toString()).orFail();
    Settings tooLong = settings().with("session", "runtime_parent", deep);
    examine(tooLong).hasErrors(Set.of("runtime-directory"), "runtime-directory", "too long");
    assertRefused(tooLong);
    user.run("rmdir", deep.toString()).orFail();
  }

  @Test
  void portsThatAreTaken() throws IOException {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String port = Integer.toString(taken.getLocalPort());
      Settings broken = settings().with("listen", "ports", port);
      examine(broken).hasErrors(Set.of("listeners"), "listeners", port, "listen.ports");
      assertRefused(broken);
    }
  }

  @Test
  void aShareThatIsNotThere() {
    Settings broken = settings().withShare("work", Path.of("/nonexistent/work"));
    examine(broken).hasErrors(Set.of("shares"), "shares", "/nonexistent/work", "list another");
    assertRefused(broken);
  }

  @Test
  void aKeyThatIsUnknownIsTheOnlyErrorAndOneThatIsWrongEndsTheExamination() {
    Settings unknown = settings().with("machine", "memory_mb", 512).with("listen", "port", "1");
    DoctorAnswer answer = examine(unknown);
    answer.hasErrors(Set.of("configuration"), "configuration", "casement.toml:", "memory_mib");
    assertThat(answer.findings())
        .filteredOn(finding -> finding.getOrDefault("found", "").matches("(?s).*\\bports?\\?.*"))
        .hasSize(1);
    answer.says("ok", "machine");
    assertRefused(unknown);
    DoctorAnswer wrong = examine(settings().with("machine", "cpus", -1));
    wrong.hasErrors(Set.of("configuration"), "configuration", "machine.cpus");
    assertThat(wrong.findings()).hasSize(1);
  }

  @Test
  void rootIsToldToAskAsAUser() throws IOException {
    ProcessBuilder builder = new ProcessBuilder(Program.launcher().toString(), "doctor", "--json");
    builder.environment().put("JAVA_HOME", Program.javaHome().toString());
    DoctorAnswer.parse(Command.run(builder, "", DoctorAnswer.LIMIT))
        .hasErrors(Set.of("user"), "user", "root", "runuser");
  }

  // ---- things that are broken

  private static Path script(String name, String body) {
    try {
      Path file = Files.createTempFile(stage, name, ".sh");
      Files.write(file, ("#!/bin/sh\n" + body).getBytes(UTF_8));
      run("chmod", "755", file.toString());
      return file;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// A golden image to be spoilt: its manifest is a copy.
  private static Path image() {
    try {
      Path image = Files.createTempDirectory(stage, "image");
      try (Stream<Path> files = Files.list(Program.image())) {
        for (Path file : files.filter(Files::isRegularFile).toList()) {
          Path copy = image.resolve(file.getFileName());
          if (file.endsWith("manifest.json")) {
            Files.copy(file, copy);
          } else {
            Files.createSymbolicLink(copy, file);
          }
        }
      }
      run("chmod", "755", image.toString());
      return image;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
