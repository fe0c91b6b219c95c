package org.casement.systemtests;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.SecretSearch;
import org.casement.testkit.SecretSearch.Finding;
import org.casement.testkit.TcpRelay;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// No secret of a running session is anywhere that somebody else sees. The session is one with a
/// person in it: entered by a link, desktop shown, share mounted.
final class SecretsTest {
  private static final Duration PAGE_LIMIT = Duration.ofSeconds(30);

  private static TestUser user;
  private static Session session;
  private static GuestShell guest;
  private static TcpRelay wire;
  private static Browser browser;
  private static final Map<String, String> secrets = new LinkedHashMap<>();

  @BeforeAll
  static void collectSecrets() throws IOException {
    Path screenshots = Path.of("target/screenshots");
    Files.createDirectories(screenshots);
    user = TestUser.create();
    session = Session.start(user, Settings.standard().withTestPort());
    secrets.put("first link", session.link().getFragment().substring("t=".length()));
    guest = session.guestShell();
    collectFromTheGuest();
    session.awaitReady();

    URI another = session.anotherLink();
    secrets.put("another link", another.getFragment().substring("t=".length()));
    wire = TcpRelay.to(session.link().getPort());
    browser = Browser.open(screenshots);
    browser.go(through(wire, session.link()));
    browser.awaitPhase("desktop", PAGE_LIMIT);
    secrets.put("tab secret", tabSecret());
    browser.context().cookies().forEach(cookie -> secrets.put("cookie", cookie.value));
    assertThat(secrets)
        .containsOnlyKeys(
            "first link",
            "another link",
            "boot token",
            "agent credential",
            "desktop password",
            "share password",
            "tab secret",
            "cookie");
    assertThat(secrets.values()).doesNotHaveDuplicates().allMatch(secret -> secret.length() >= 24);
  }

  private static URI through(TcpRelay relay, URI link) {
    return URI.create(
        link.toString().replace(":" + link.getPort() + "/", ":" + relay.port() + "/"));
  }

  private static String tabSecret() {
    String stored =
        String.valueOf(browser.page().evaluate("() => Object.values(sessionStorage)[0]"));
    return stored.substring(stored.indexOf('.') + 1);
  }

  /// The guest agent keeps the document only until the account and the share are there; root's
  /// shell is up before it.
  private static void collectFromTheGuest() {
    String document =
        guest
            .run(
                "until cat /run/casement/document 2>/dev/null; do usleep 20000; done",
                Session.READY_LIMIT)
            .orFail();
    secrets.put("agent credential", assigned(document, "credential"));
    secrets.put("desktop password", assigned(document, "password"));
    secrets.put("share password", assigned(document, "share_password"));
    String token = guest.run(HostileInputTest.BOOT_TOKEN).orFail().strip();
    secrets.put("boot token", token.substring("casement:1:".length()));
  }

  private static String assigned(String document, String variable) {
    Matcher matcher = Pattern.compile("(?m)(?:^| )" + variable + "='([^']*)'").matcher(document);
    assertThat(matcher.find()).as("%s in the session document", variable).isTrue();
    return matcher.group(1);
  }

  /// A batch job's output is a file, made with the user's umask.
  @Test
  void anOutputThatOthersCanReadSaysOnlyWhereTheLinksAre() throws Exception {
    try (TestUser other = TestUser.create()) {
      Path configuration =
          other.write(".config/casement/casement.toml", Settings.standard().toml());
      Path output = other.home().resolve("output");
      ProcessBuilder builder =
          other.process(
              List.of(
                  "/bin/sh",
                  "-c",
                  "umask 022; exec \"$0\" run --config \"$1\" >\"$2\"",
                  Program.launcher().toString(),
                  configuration.toString(),
                  output.toString()));
      builder.environment().put("JAVA_HOME", Program.javaHome().toString());
      Process process = builder.redirectError(ProcessBuilder.Redirect.DISCARD).start();
      try {
        Await.until(
            "both links are named",
            PAGE_LIMIT,
            () ->
                BrowserTest.read(output).contains("link-file ")
                    && BrowserTest.read(output).contains("console-file "),
            () -> BrowserTest.read(output));
        assertThat(BrowserTest.read(output)).doesNotContain("#t=");
        Matcher named =
            Pattern.compile("(?m)^(?:link|console)-file (.*)$").matcher(BrowserTest.read(output));
        assertThat(named.results().map(found -> Path.of(found.group(1))))
            .hasSize(2)
            .allSatisfy(
                file -> {
                  assertThat(BrowserTest.read(file)).contains("#t=");
                  assertThat(Files.getPosixFilePermissions(file)).hasSize(2); // the owner's
                });
      } finally {
        process.destroy();
        process.waitFor();
      }
    }
  }

  @AfterAll
  static void endSession() {
    browser.close();
    wire.close();
    guest.close();
    session.close();
    user.close();
  }

  private static String secret(String name) {
    return Objects.requireNonNull(secrets.get(name), name);
  }

  private static SecretSearch search() {
    SecretSearch search = new SecretSearch();
    secrets.forEach(search::add);
    return search;
  }

  /// Everywhere on the node that another user, or a reader of logs, looks at.
  private static List<Finding> onTheNode() {
    return search()
        .inProcesses()
        .inFiles(
            session.home().resolve("log"),
            session.runtime().resolve("machine/log"),
            session.runtime().resolve("share/log"))
        .inFilesOpenToOthers(
            Path.of("/home"),
            Path.of("/tmp"),
            Path.of("/var/tmp"),
            Path.of("/run"),
            Path.of("/dev/shm"),
            Path.of("/var/log"))
        .findings();
  }

  @Test
  void noSecretIsInArgumentsEnvironmentsLogsOrOpenFiles() {
    assertThat(onTheNode()).isEmpty();
  }

  @Test
  void theSameSearchFindsPlantedOnes() throws IOException {
    String password = secret("desktop password");
    String token = secret("boot token");
    Path open = Files.createTempFile("casement-test-planted-", "");
    ProcessBuilder planted =
        user.process(List.of("/usr/bin/perl", "-e", "$| = 1; print qq(up\\n); <STDIN>", password));
    planted.environment().put("PLANTED", secret("share password"));
    Process process = planted.start();
    byte[] log = Files.readAllBytes(session.home().resolve("log"));
    try {
      assertThat(process.inputReader().read()).isEqualTo('u');
      Files.writeString(
          open, "x" + Base64.getEncoder().encodeToString(("ab" + token).getBytes(UTF_8)));
      Command.run("chmod", "644", open.toString()).orFail();
      Files.writeString(session.home().resolve("log"), new String(log, UTF_8) + secret("cookie"));
      // A file of mode 0600 in a directory of 0700 is nobody else's to see: the twin of the twin.
      user.write("planted", secret("tab secret"));
      List<Finding> found = onTheNode();
      assertThat(found)
          .anyMatch(
              one -> one.secret().equals("desktop password") && one.place().startsWith("argv of "))
          .anyMatch(
              one ->
                  one.secret().equals("share password")
                      && one.place().startsWith("environment of "))
          .anyMatch(one -> one.secret().equals("boot token") && one.place().equals(open.toString()))
          .anyMatch(one -> one.secret().equals("cookie") && one.place().endsWith("/log"))
          .noneMatch(one -> one.secret().equals("tab secret"));
    } finally {
      process.destroyForcibly();
      Files.write(session.home().resolve("log"), log);
      Files.delete(open);
    }
  }

  @Test
  void theMachinesFirmwareTablesHoldTheBootTokenOnly() {
    String tables =
        guest
            .run("base64 /sys/firmware/dmi/tables/DMI | tr -d '\\n'", Duration.ofSeconds(30))
            .orFail()
            .strip();
    byte[] smbios = Base64.getDecoder().decode(tables);
    assertThat(search().in("SMBIOS", smbios).findings())
        .isNotEmpty()
        .allMatch(finding -> finding.secret().equals("boot token"));
    // What else a machine is told by its maker.
    String given = guest.run("cat /proc/cmdline; ls /sys/firmware/qemu_fw_cfg/by_name 2>&1").out();
    assertThat(search().in("command line", given.getBytes(UTF_8)).findings()).isEmpty();
  }

  @Test
  void noUrlThatReachesAServerHoldsASecret() {
    browser.page().reload();
    browser.awaitPhase("desktop", PAGE_LIMIT);
    List<String> heard = wire.heard();
    String said =
        heard.stream()
            .flatMap(String::lines)
            .filter(line -> line.matches("(?i)(GET|POST|HEAD) .*|(referer|origin|host): .*"))
            .collect(Collectors.joining("\n"));
    assertThat(said).contains("GET /", "POST /enter", "ws/events", "ws/rdp");
    assertThat(search().in("URLs", said.getBytes(ISO_8859_1)).findings()).isEmpty();
    // The twin: the body of the entry holds the link's token, the headers the cookie, and nothing
    // said here ever holds the tab secret or a password.
    SecretSearch all = search();
    heard.forEach(text -> all.in("all that was said", text.getBytes(ISO_8859_1)));
    assertThat(all.findings().stream().map(Finding::secret).distinct())
        .containsExactlyInAnyOrder("first link", "cookie");
  }

  @Test
  void thePageHoldsNoPassword() {
    String page =
        browser.page().content()
            + browser
                .page()
                .evaluate("() => JSON.stringify([sessionStorage, localStorage, location.href])");
    assertThat(search().in("page", page.getBytes(UTF_8)).findings().stream().map(Finding::secret))
        .containsOnly("tab secret");
  }
}
