package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.Leaks;
import org.casement.testkit.ProcessEntry;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/// Helpers that are alive and do nothing: stopped by a signal, as a hanging file system would stop
/// them. The session says so, goes on when they do, and does not wait for ever. A stopped swtpm is
/// in ProfileBootTest.
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class FrozenHelperTest {
  private static final Path SCREENSHOTS = Path.of("target/screenshots");
  private static final Duration CLEAN_LIMIT = Duration.ofSeconds(20);
  private static final Duration PAGE_LIMIT = Duration.ofSeconds(30);

  /// Said after two questions of 5 s each.
  private static final Duration SAID_LIMIT = Duration.ofSeconds(30);

  /// smbd is given up after 30 s, and the guest's kernel connects again.
  private static final Duration SHARE_LIMIT = Duration.ofMinutes(2);

  /// QEMU is given up after 90 s.
  private static final Duration GIVEN_UP_LIMIT = Duration.ofSeconds(150);

  private static TestUser user;
  private static Leaks leaks;
  private static Session session;
  private static GuestShell guest;

  /// What stands for a QEMU that runs, whose monitor takes commands until the machine is there, and
  /// nothing afterwards.
  private static final String DUMB_MONITOR =
      """
      #!/bin/sh
      case "$*" in *isa-debug-exit*) exit 1 ;; esac
      exec /usr/bin/perl -MIO::Socket::UNIX -e '
        my $server = IO::Socket::UNIX->new(Local => "/sockets/qmp", Listen => 1) or die;
        my $client = $server->accept;
        print $client qq({"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}, "capabilities": []}}\\r\\n);
        $client->flush;
        while (<$client>) {
          my ($id) = /"id": *([0-9]+)/;
          next unless /qmp_capabilities/;
          print $client qq({"return": {}, "id": $id}\\r\\n);
          $client->flush;
        }
        sleep 1000'
      """;

  @BeforeAll
  static void startSession() throws IOException {
    Files.createDirectories(SCREENSHOTS);
    user = TestUser.create();
    leaks = Session.leaks(user);
    session = Session.start(user, Settings.standard().withTestPort());
    guest = session.guestShell();
    session.awaitReady();
    guest.awaitShare("home");
  }

  /// What an earlier test has frozen is whole again: the guest reads its share.
  @BeforeEach
  void theShareIsHealthy() {
    Await.until(
        "the guest reads and writes its share",
        SHARE_LIMIT,
        () -> guest.run("cd /home/user/home && echo healthy >healthy && cat healthy").status() == 0,
        () -> guest.run("dmesg | tail").out());
  }

  @AfterAll
  static void endSession() {
    guest.close();
    session.close();
    leaks.awaitBack(CLEAN_LIMIT);
    user.close();
  }

  private static int count(String text) {
    return session.log().split(text, -1).length - 1;
  }

  /// Waits until `text` is in the log once more than `before`.
  private static void awaitOnceMore(String text, int before, Duration limit) {
    Await.until("the log says " + text, limit, () -> count(text) > before, session::story);
  }

  @Test
  @Order(1)
  void aStoppedQemuIsNamedOnThePageUntilItGoesOn() {
    try (Browser browser = Browser.open(SCREENSHOTS)) {
      browser.go(session.link());
      browser.awaitPhase("desktop", PAGE_LIMIT.multipliedBy(2));
      ProcessEntry qemu = session.qemu();
      qemu.signal("STOP");
      Await.until(
          "the page names the trouble",
          SAID_LIMIT,
          () -> browser.text().contains("The virtual machine does not answer"),
          session::story);
      browser.screenshot("frozen-qemu");
      qemu.signal("CONT");
      Await.until(
          "the page names it no more",
          SAID_LIMIT,
          () -> !browser.text().contains("The virtual machine does not answer"),
          session::story);
      assertThat(session.log())
          .contains("event=trouble what=machine")
          .contains("event=trouble-over what=machine");
      assertThat(guest.run("echo alive").orFail()).isEqualTo("alive\n");
      assertThat(session.status()).containsEntry("state", "ready");
    }
  }

  @Test
  @Order(2)
  void aFrozenSmbdThatGoesOnIsLeftAsItIs() {
    int over = count("event=trouble-over what=share");
    int troubles = count("event=trouble what=share");
    ProcessEntry smbd = session.smbd();
    smbd.signal("STOP");
    awaitOnceMore("event=trouble what=share", troubles, SAID_LIMIT);
    smbd.signal("CONT");
    awaitOnceMore("event=trouble-over what=share", over, SAID_LIMIT);
    assertThat(session.smbd().pid()).isEqualTo(smbd.pid());
    assertThat(session.log()).doesNotContain("event=helper-given-up");
  }

  /// The main process answers whoever comes new; the guest's own server does nothing.
  @Test
  @Order(3)
  void aFrozenServerOfTheGuestAloneIsReplaced() throws IOException {
    int restarts = count("event=helper-restarted name=smbd");
    int over = count("event=trouble-over what=share");
    int main = session.smbd().pid();
    List<ProcessEntry> children =
        ProcessEntry.all().stream()
            .filter(entry -> entry.parent() == main && entry.name().startsWith("smbd"))
            .toList();
    assertThat(children).isNotEmpty();
    children.forEach(child -> child.signal("STOP"));
    CompletableFuture<Command.Outcome> writing = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(
            () ->
                writing.complete(
                    guest.run("echo patient >/home/user/home/patient.txt; sync", SHARE_LIMIT)));
    awaitOnceMore("event=helper-restarted name=smbd", restarts, SHARE_LIMIT);
    assertThat(session.log()).contains("event=helper-given-up name=smbd");
    assertThat(session.smbd().pid()).isNotEqualTo(main);
    writing.join(); // it waited, or failed; what is written now is there
    theShareIsHealthy();
    assertThat(user.home().resolve("casement/healthy")).hasContent("healthy");
    awaitOnceMore("event=trouble-over what=share", over, SAID_LIMIT);
  }

  /// SIGSTOP to everything, as a batch system suspends a job: nobody is blamed for the time.
  @Test
  @Order(4)
  void aSuspendedSessionGoesOn() {
    int givenUp = count("event=helper-given-up");
    List<ProcessEntry> tree = ProcessEntry.tree(session.outer().pid());
    tree.forEach(entry -> entry.signal("STOP"));
    Await.pause(Duration.ofSeconds(15));
    tree.reversed().forEach(entry -> entry.signal("CONT"));
    assertThat(guest.run("echo alive").orFail()).isEqualTo("alive\n");
    theShareIsHealthy();
    assertThat(session.status()).containsEntry("state", "ready");
    assertThat(count("event=helper-given-up")).isEqualTo(givenUp);
  }

  /// Two sessions at once, because it takes 90 s: one whose QEMU is stopped, and one whose QEMU
  /// runs while its monitor is dumb.
  @Test
  @Order(5)
  void aQemuThatStaysSilentEndsTheSession() throws IOException {
    Path dumb = Files.createTempFile(Path.of("/var/tmp"), "casement-test-qemu-", ".sh");
    try (TestUser other = TestUser.create()) {
      Files.writeString(dumb, DUMB_MONITOR);
      Command.run("chmod", "755", dumb.toString()).orFail();
      Settings settings =
          Settings.standard()
              .with("machine", "qemu", dumb)
              .with("machine", "qemu_files", List.of("/bin/sh", "/usr/bin/perl"));
      Leaks otherLeaks = Session.leaks(other);
      try (Session deaf = Session.start(other, settings)) {
        session.qemu().signal("STOP");
        for (Session doomed : List.of(deaf, session)) {
          Command.Outcome end = doomed.awaitExit(GIVEN_UP_LIMIT);
          assertThat(end.status()).isEqualTo(70);
          assertThat(end.err())
              .contains("the virtual machine does not answer; if it stays so, the session ends")
              .contains("the virtual machine has not answered for 90 s");
        }
      }
      otherLeaks.awaitBack(CLEAN_LIMIT);
    } finally {
      Files.delete(dumb);
    }
  }
}
