package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.casement.testkit.Command;
import org.casement.testkit.Leaks;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A session that cannot be: it says why before anything runs, everything at once, and leaves
/// nothing.
final class RefusedStartTest {
  private static final int MISSING = 69;
  private static final int CONFIGURATION = 78;
  private static final Duration CLEAN_LIMIT = Duration.ofSeconds(20);

  private static TestUser user;
  private static Leaks leaks;

  /// A golden image of this test's own, to be spoilt.
  private static Path image;

  @BeforeAll
  static void copyImage() throws IOException {
    user = TestUser.create();
    leaks = Session.leaks(user);
    image = Files.createTempDirectory(Path.of("/var/tmp"), "casement-test-image-");
    Command.run("chmod", "755", image.toString()).orFail();
  }

  @AfterEach
  void nothingIsLeft() {
    leaks.awaitBack(CLEAN_LIMIT);
  }

  @AfterAll
  static void removeImage() {
    Command.run("rm", "-rf", image.toString()).orFail();
    user.close();
  }

  private static Settings settings() {
    return Settings.standard().with("session", "drain_timeout", "1s");
  }

  private static List<String> complaints(Command.Outcome outcome) {
    return outcome.err().lines().filter(line -> line.startsWith("casement: ")).toList();
  }

  private static void assertRefused(Settings settings, int status, String... words) {
    Command.Outcome refused = Session.refused(user, settings);
    assertThat(refused.status()).as(refused.toString()).isEqualTo(status);
    assertThat(String.join("\n", complaints(refused))).contains(words);
    // It speaks to the user, in sentences of ours.
    assertThat(refused.err()).doesNotContain("Exception", "\tat ");
  }

  /// The twin of a refusal: as far as the machine itself.
  private static void assertAccepted(Settings settings) {
    try (Session session = Session.start(user, settings)) {
      session.awaitState("booting", Session.READY_LIMIT);
    }
  }

  /// What can be wrong with a golden image, and two words of what is said then; more of the
  /// manifest in GoldenImageTest.
  enum Spoilt {
    DISK_MISSING("has no ", "disk.qcow2"),
    DISK_UNREADABLE("disk.qcow2", "not readable"),
    DISK_EMPTY("disk.qcow2", "it has 0 bytes"),
    /// QEMU itself would start, and the guest meet the end of its disk some day.
    DISK_SHORT_OF_ONE_BYTE("disk.qcow2", "bytes, its manifest says"),
    KERNEL_MISSING("has no ", "vmlinuz"),
    MANIFEST_MISSING("has no ", "manifest.json"),
    MANIFEST_NO_JSON("manifest.json", "is not a manifest"),
    MANIFEST_LEADS_ELSEWHERE("manifest.json", "kernel is not a plain file name");

    private final String first;
    private final String second;

    Spoilt(String first, String second) {
      this.first = first;
      this.second = second;
    }

    private void spoil() {
      String disk = image.resolve("disk.qcow2").toString();
      String kernel = image.resolve("vmlinuz").toString();
      String manifest = image.resolve("manifest.json").toString();
      switch (this) {
        case DISK_MISSING -> run("rm", disk);
        case DISK_UNREADABLE -> run("chmod", "600", disk);
        case DISK_EMPTY -> run("truncate", "-s", "0", disk);
        case DISK_SHORT_OF_ONE_BYTE -> run("truncate", "-s", "-1", disk);
        case KERNEL_MISSING -> run("rm", kernel);
        case MANIFEST_MISSING -> run("rm", manifest);
        case MANIFEST_NO_JSON -> edit(manifest, "s/{//");
        case MANIFEST_LEADS_ELSEWHERE -> edit(manifest, "s|\"vmlinuz\"|\"../../../etc/hostname\"|");
      }
    }

    private static void edit(String file, String script) {
      String before = Command.run("cat", file).orFail();
      run("sed", "-i", script, file);
      assertThat(Command.run("cat", file).orFail()).isNotEqualTo(before);
    }
  }

  private static void run(String... command) {
    Command.run(command).orFail();
  }

  private static void restoreImage() throws IOException {
    try (Stream<Path> files = Files.list(Program.image())) {
      for (Path original : files.filter(Files::isRegularFile).toList()) {
        run("cp", "--reflink=auto", "-f", original.toString(), image.toString());
        run("chmod", "444", image.resolve(original.getFileName()).toString());
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Spoilt.class)
  void aSpoiltGoldenImage(Spoilt spoilt) throws IOException {
    restoreImage();
    spoilt.spoil();
    assertRefused(
        settings().with("golden", "image", image),
        MISSING,
        image.toString(),
        spoilt.first,
        spoilt.second);
  }

  @Test
  void theSameGoldenImageUnspoilt() throws IOException {
    restoreImage();
    assertAccepted(settings().with("golden", "image", image));
  }

  @Test
  void aSealThatCannotBeMadeInOneLine() {
    Settings settings =
        settings()
            .with("isolation", "nftables", "required")
            .with("isolation", "nft", "/nonexistent");
    assertRefused(settings, MISSING, "/nonexistent is not there");
    assertThat(complaints(Session.refused(user, settings))).hasSize(1);
    assertAccepted(settings.with("isolation", "nftables", "auto"));
  }

  @Test
  void aRuntimeParentThatTheUserMayNotWriteTo() throws IOException {
    Path parent = Files.createTempDirectory(Path.of("/var/tmp"), "ct-");
    try {
      run("chmod", "755", parent.toString());
      assertRefused(
          settings().with("session", "runtime_parent", parent),
          MISSING,
          parent.toString(),
          "permission denied");
      run("chmod", "1777", parent.toString());
      assertAccepted(settings().with("session", "runtime_parent", parent));
    } finally {
      run("rm", "-rf", parent.toString());
    }
  }

  @Test
  void everythingThatIsMissingIsNamedAtOnce() {
    List<String> faults =
        List.of(
            "/nonexistent/qemu",
            "/nonexistent/qemu-img",
            "/nonexistent/smbd",
            "/nonexistent/bwrap",
            "/nonexistent/image");
    Command.Outcome refused =
        Session.refused(
            user,
            settings()
                .with("machine", "qemu", faults.get(0))
                .with("machine", "qemu_img", faults.get(1))
                .with("shares", "smbd", faults.get(2))
                .with("isolation", "bwrap", faults.get(3))
                .with("golden", "image", faults.get(4)));
    assertThat(refused.status()).isEqualTo(MISSING);
    assertThat(complaints(refused)).hasSizeGreaterThanOrEqualTo(faults.size());
    for (String fault : faults) {
      assertThat(complaints(refused)).anyMatch(line -> line.contains(fault));
    }
    assertThat(logs())
        .anyMatch(log -> faults.stream().allMatch(log::contains))
        .anyMatch(
            log ->
                log.lines().filter(line -> line.contains("event=node-fault")).count()
                    >= faults.size());
  }

  private static List<String> logs() {
    List<String> logs = new ArrayList<>();
    try (Stream<Path> files = Files.walk(user.home().resolve(".local/state/casement/sessions"))) {
      for (Path file : files.filter(path -> path.endsWith("log")).toList()) {
        logs.add(Files.readString(file));
      }
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
    return logs;
  }

  @Test
  void aPortThatIsTakenAndARangeThatIsExhausted() throws IOException {
    Settings one = settings().with("listen", "console", false);
    try (ServerSocket taken = listen(0)) {
      int port = taken.getLocalPort();
      assertRefused(
          one.with("listen", "ports", Integer.toString(port)), MISSING, Integer.toString(port));
    }
    int first = freePair();
    String range = first + "-" + (first + 1);
    try (ServerSocket _ = listen(first)) {
      // Two connectors, one free port.
      assertRefused(settings().with("listen", "ports", range), MISSING, range);
      // The twin: one connector takes what is free.
      try (Session session = Session.start(user, one.with("listen", "ports", range))) {
        assertThat(session.link().getPort()).isEqualTo(first + 1);
      }
    }
    try (Session session = Session.start(user, settings().with("listen", "ports", range))) {
      assertThat(session.link().getPort()).isEqualTo(first);
      assertThat(session.console().orElseThrow().getPort()).isEqualTo(first + 1);
    }
  }

  private static ServerSocket listen(int port) throws IOException {
    ServerSocket socket = new ServerSocket();
    socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    return socket;
  }

  /// The first of two ports side by side that nobody uses.
  private static int freePair() {
    return IntStream.range(Settings.FIRST_PORT + 900, Settings.FIRST_PORT + 999)
        .filter(port -> isFree(port) && isFree(port + 1))
        .findFirst()
        .orElseThrow();
  }

  private static boolean isFree(int port) {
    try (ServerSocket _ = listen(port)) {
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  @Test
  void aShareThatHoldsOrLiesInTheSessionsOwnDirectories() {
    Path work = user.home().resolve("work");
    Path beside = user.home().resolve("beside");
    user.write("work/state/inner/file", "");
    user.write("beside/file", "");
    user.run("ln", "-s", work.resolve("state").toString(), beside.resolve("state").toString())
        .orFail();
    user.run("chmod", "700", work.toString(), beside.toString()).orFail();
    Settings home = settings().with("session", "home", work.resolve("state"));
    assertRefused(home.withShare("work", work), MISSING, work.toString());
    assertRefused(home.withShare("inner", work.resolve("state/inner")), MISSING, "inner");
    // By another name.
    assertRefused(home.withShare("state", beside.resolve("state")), MISSING, "state");
    Settings runtime = settings().with("session", "runtime_parent", work);
    assertRefused(runtime.withShare("work", work), MISSING, work.toString());
    // The twin: the same directories, beside each other.
    assertAccepted(home.withShare("beside", beside));
    user.run("rm", "-rf", work.toString(), beside.toString()).orFail();
  }

  @Test
  void aShareThatIsNotThereOrNotTheUsers() {
    assertRefused(
        settings().withShare("work", Path.of("/nonexistent/share")), MISSING, "/nonexistent/share");
    assertRefused(settings().withShare("work", Path.of("/root")), MISSING, "/root");
    assertRefused(settings().withShare("work", Path.of("/etc/passwd")), MISSING, "/etc/passwd");
  }

  @Test
  void aConfigurationThatIsWrongNamesTheLine() {
    assertRefused(
        settings().with("machine", "memory_mb", 512),
        CONFIGURATION,
        "casement.toml:",
        "memory_mib");
    assertRefused(settings().with("listen", "ports", "0-99999"), CONFIGURATION, "listen.ports");
  }

  @Test
  void rootIsRefused() throws IOException {
    Path configuration = Files.createTempFile("casement-test-", ".toml");
    try {
      Files.writeString(configuration, settings().toml());
      ProcessBuilder builder =
          new ProcessBuilder(
              Program.launcher().toString(), "run", "--config", configuration.toString());
      builder.environment().put("JAVA_HOME", Program.javaHome().toString());
      Command.Outcome refused = Command.run(builder, "", Session.END_LIMIT);
      assertThat(refused.status()).isNotZero();
      assertThat(refused.err()).startsWith("casement: ").contains("root");
      assertThat(refused.out()).isEmpty();
    } finally {
      Files.delete(configuration);
    }
  }

  /// The JVM makes no path of letters that the locale lacks.
  @Test
  void aPathThatTheLocaleCannotSay() throws IOException {
    Path file = user.write("locale.toml", "[golden]\nimage = \"/nonexistent/übung\"\n");
    Command.Outcome taken = shown(file, "C.UTF-8");
    Command.Outcome refused = shown(file, "C");
    Files.delete(file);
    assertThat(taken.orFail()).contains("/nonexistent/\\u00fcbung");
    assertThat(refused.status()).as(refused.toString()).isEqualTo(CONFIGURATION);
    assertThat(refused.err()).contains("golden.image", "LC_ALL=C.UTF-8");
  }

  private static Command.Outcome shown(Path configuration, String locale) {
    ProcessBuilder command =
        user.process(
            List.of(
                Program.launcher().toString(),
                "config",
                "show",
                "--config",
                configuration.toString()));
    command.environment().put("JAVA_HOME", Program.javaHome().toString());
    command.environment().put("LANG", locale);
    return Command.run(command, "", Duration.ofSeconds(60));
  }
}
