package org.casement.systemtests;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.ProcessEntry;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// `./dev` as a person uses it: in a copy of this checkout, because it builds.
final class DevScriptTest {
  /// A build of everything and a second start; nothing is compiled or fetched.
  private static final Duration LINK_LIMIT = Duration.ofMinutes(5);

  private static final Path DEMO = Path.of("/var/lib/casement-demo");
  private static final Path WANTED = Path.of("/etc/systemd/system/multi-user.target.wants");

  private static Path work;
  private static Path checkout;

  @BeforeAll
  static void copyCheckout() throws IOException {
    Path original = Path.of("..").toAbsolutePath().normalize();
    assertThat(original.resolve("dev")).isExecutable();
    work = Files.createTempDirectory(Path.of("/var/tmp"), "casement-test-checkout-");
    checkout = work.resolve("checkout");
    Command.run("cp", "-a", original.toString(), checkout.toString()).orFail();
    Path cache = work.resolve("cache");
    Files.createDirectories(cache);
    Path image = Path.of(Objects.requireNonNull(System.getProperty("casement.image")));
    Command.run("cp", "-a", image.toString(), cache.resolve(image.getFileName()).toString())
        .orFail();
  }

  @AfterAll
  static void removeCheckout() {
    Command.run("rm", "-rf", work.toString()).orFail();
  }

  private static ProcessBuilder dev(String... arguments) {
    List<String> command = new java.util.ArrayList<>(List.of("./dev"));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).directory(checkout.toFile());
    builder.environment().put("CASEMENT_CACHE", work.resolve("cache").toString());
    builder.environment().put("JAVA_HOME", Program.javaHome().toString());
    return builder;
  }

  /// Runs `script` after the functions of `dev` have been read; without arguments it prints its
  /// help and does nothing.
  private static Command.Outcome withDevsFunctions(String script) {
    ProcessBuilder builder =
        new ProcessBuilder("bash", "-c", "set --; . ./dev >/dev/null; " + script)
            .directory(checkout.toFile());
    return Command.run(builder, "", Duration.ofSeconds(60));
  }

  /// Services that packages bring. A session's own helpers, anybody's, are in other namespaces.
  private static List<String> daemons() {
    ProcessEntry self =
        ProcessEntry.read(Math.toIntExact(ProcessHandle.current().pid())).orElseThrow();
    return ProcessEntry.all().stream()
        .filter(process -> process.name().matches("smbd|nmbd|winbindd|xrdp.*|samba.*"))
        .filter(process -> process.namespace("pid").equals(self.namespace("pid")))
        .map(ProcessEntry::name)
        .sorted()
        .toList();
  }

  private static boolean demoAccountExists() {
    return Command.run("id", "-u", "casement-demo").status() == 0;
  }

  private static List<ProcessEntry> demoProcesses() {
    int uid = Integer.parseInt(Command.run("id", "-u", "casement-demo").orFail().strip());
    return ProcessEntry.ofUser(uid);
  }

  @Test
  void rootsDemoRunsAsAnAccountOfItsOwnAndLeavesNothingRunning()
      throws IOException, InterruptedException {
    boolean hadAccount = demoAccountExists();
    if (hadAccount) {
      assertThat(demoProcesses()).as("a demo that runs on this machine: end it first").isEmpty();
    }
    String services = withDevsFunctions("enabled_services").orFail();
    List<String> daemons = daemons();

    Process process = dev("demo").redirectErrorStream(true).start();
    List<String> said = new CopyOnWriteArrayList<>();
    Thread.ofVirtual().start(() -> read(process.inputReader(UTF_8), said));
    try {
      Await.until(
          "the demo prints its link",
          LINK_LIMIT,
          () -> said.stream().anyMatch(line -> line.startsWith("link ")) || !process.isAlive(),
          () -> String.join("\n", said));
      URI link =
          said.stream()
              .filter(line -> line.startsWith("link "))
              .map(line -> URI.create(line.substring("link ".length())))
              .findFirst()
              .orElseThrow(() -> new AssertionError(String.join("\n", said)));
      assertThat(RawHttp.status(enter(link))).isEqualTo(200);
      assertThat(RawHttp.status(enter(link))).isEqualTo(403);
      assertThat(demoProcesses()).extracting(ProcessEntry::name).contains("java", "unshare");
      assertThat(DEMO.resolve("home")).isDirectory();

      // Ctrl-C.
      Command.run("kill", "-INT", Long.toString(process.pid())).orFail();
      assertThat(process.waitFor(Session.END_LIMIT.toSeconds(), TimeUnit.SECONDS))
          .as(String.join("\n", said))
          .isTrue();
      assertThat(process.exitValue()).as(String.join("\n", said)).isZero();
      Await.until("nothing of it runs", Session.END_LIMIT, () -> demoProcesses().isEmpty());
    } finally {
      process.destroyForcibly();
    }
    assertThat(withDevsFunctions("enabled_services").orFail()).isEqualTo(services);
    assertThat(daemons()).isEqualTo(daemons);
    if (!hadAccount) {
      // What the demo made and nobody had before is what `./dev clean` removes.
      Command.run(dev("clean"), "", LINK_LIMIT).orFail();
      assertThat(demoAccountExists()).isFalse();
      assertThat(DEMO).doesNotExist();
      assertThat(work.resolve("cache")).doesNotExist();
    }
  }

  private static void read(BufferedReader reader, List<String> lines) {
    reader.lines().forEach(lines::add);
  }

  private static String enter(URI link) {
    return RawHttp.request(
        link.getPort(),
        "POST",
        "/enter",
        Map.of("Content-Type", "application/json"),
        "{\"token\": \"%s\"}".formatted(link.getFragment().substring("t=".length())));
  }

  /// Stands in for apt: enables a service, as a package's scripts do, and asks whether it may start
  /// it.
  private static String apt() {
    return """
    #!/bin/sh
    [ "$1" = install ] || exit 0
    ln -s /lib/systemd/system/casement-test.service %1$s/casement-test-new.service
    /usr/sbin/policy-rc.d casement-test start; echo $? >%2$s/may-start
    echo "$@" >%2$s/installed
    """
        .formatted(WANTED, work);
  }

  @Test
  void whatDevInstallsIsNeitherStartedNorEnabled() throws IOException {
    Path bin = Files.createDirectories(work.resolve("bin"));
    Path policy = Path.of("/usr/sbin/policy-rc.d");
    boolean hadPolicy = Files.exists(policy);
    Files.writeString(bin.resolve("apt-get"), apt());
    Command.run("chmod", "755", bin.resolve("apt-get").toString()).orFail();
    Files.createDirectories(WANTED);
    Path before = WANTED.resolve("casement-test-old.service");
    Path after = WANTED.resolve("casement-test-new.service");
    Files.createSymbolicLink(before, Path.of("/lib/systemd/system/casement-test.service"));
    try {
      withDevsFunctions(
              "PATH=%s:$PATH; need /nonexistent/tool casement-test-package 'a test'; install"
                  .formatted(bin))
          .orFail();
      assertThat(work.resolve("installed")).content().contains("casement-test-package");
      assertThat(work.resolve("may-start")).hasContent(hadPolicy ? policyStatus(policy) : "101");
      // What was enabled before stays.
      assertThat(Files.isSymbolicLink(before)).isTrue();
      assertThat(Files.isSymbolicLink(after)).isFalse();
      assertThat(Files.exists(policy)).isEqualTo(hadPolicy);
    } finally {
      Files.deleteIfExists(before);
      Files.deleteIfExists(after);
    }
  }

  private static String policyStatus(Path policy) {
    return Integer.toString(Command.run(policy.toString(), "casement-test", "start").status());
  }

  @Test
  void anUnknownVerbIsAnErrorAndHelpNamesEveryVerb() {
    assertThat(Command.run(dev("no-such-verb"), "", LINK_LIMIT).status()).isEqualTo(64);
    String help = Command.run(dev("help"), "", LINK_LIMIT).orFail();
    assertThat(help.lines().filter(line -> line.startsWith("./dev ")).collect(Collectors.joining()))
        .contains(
            "demo", "test", "build", "image", "fmt", "lint", "fuzz", "bench", "soak", "cluster",
            "docs", "clean");
  }
}
