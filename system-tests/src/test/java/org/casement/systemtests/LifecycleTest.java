package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.Holdings.Kind;
import org.casement.testkit.Leaks;
import org.casement.testkit.ProcessEntry;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.Test;

/// How a session ends in order, for every reason it can have, and what a reset of the guest does.
/// After each nothing is left, of what was there in between.
final class LifecycleTest {
  /// Less than the default drain_timeout of 30 s, after which the guest is killed.
  private static final Duration ORDERLY_LIMIT = Duration.ofSeconds(25);

  private static final Duration CLEAN_LIMIT = Duration.ofSeconds(20);

  /// A drain timeout of one second and the program's own twenty.
  private static final Duration STANDSTILL_LIMIT = Duration.ofSeconds(40);

  private static final Duration SHORT_DRAIN = Duration.ofSeconds(3);

  /// Long enough for a boot where processors are shared; the notice of the last minute comes two
  /// minutes after the start.
  private static final int WALLTIME_SECONDS = 180;

  private static final Duration HEARTBEAT_LIMIT = Duration.ofSeconds(WALLTIME_SECONDS);

  private static final String[] IN_ORDER = {"preparing", "booting", "ready", "draining", "ended"};

  private static void assertHoldsSomething(Leaks leaks) {
    leaks.assertMore(
        Kind.PROCESSES,
        Kind.THREADS,
        Kind.DESCRIPTORS,
        Kind.NAMESPACES,
        Kind.MOUNTS,
        Kind.SOCKETS,
        Kind.FILES);
  }

  private static void assertWentThrough(Session session, String reason, String... states) {
    assertThat(
            session
                .log()
                .lines()
                .filter(line -> line.contains(" event=state "))
                .map(line -> line.replaceFirst(".* state=([a-z]+).*", "$1")))
        .containsExactly(states);
    assertThat(session.log()).contains("reason=" + reason);
  }

  @Test
  void sigtermEndsASessionWithoutConsoleInOrder() {
    try (TestUser user = TestUser.create()) {
      Leaks leaks = Session.leaks(user);
      try (Session session =
          Session.start(user, Settings.standard().with("listen", "console", false))) {
        session.awaitReady();
        assertHoldsSomething(leaks);
        assertThat(session.console()).isEmpty();
        assertThat(session.casement("link", "--console", session.id()).status()).isEqualTo(69);
        assertThat(nodeListeners(leaks)).isEqualTo(1);
        session.terminate();
        Command.Outcome end = session.awaitExit(ORDERLY_LIMIT);
        assertThat(end.status()).as(end.err()).isZero();
        assertWentThrough(session, "cancelled", IN_ORDER);
      }
      leaks.awaitBack(CLEAN_LIMIT);
    }
  }

  /// As a batch system cancels a job. QEMU and its bwrap do not hear of it, so that the guest can
  /// be shut down.
  @Test
  void aSigtermToEveryProcessEndsASessionInOrder() {
    try (TestUser user = TestUser.create()) {
      Leaks leaks = Session.leaks(user);
      try (Session session = Session.start(user, Settings.standard())) {
        session.awaitReady();
        assertHoldsSomething(leaks);
        // QEMU before who might end it; some are gone before their turn.
        List<String> command = new ArrayList<>(List.of("kill", "-TERM"));
        ProcessEntry.tree(session.outer().pid()).reversed().stream()
            .map(process -> Integer.toString(process.pid()))
            .forEach(command::add);
        var _ = Command.run(command.toArray(String[]::new));
        Command.Outcome end = session.awaitExit(ORDERLY_LIMIT);
        assertThat(end.status()).as(end.err()).isZero();
        assertWentThrough(session, "cancelled", IN_ORDER);
        assertThat(session.log()).containsPattern("helper-ended name=qemu status=0");
      }
      leaks.awaitBack(CLEAN_LIMIT);
    }
  }

  /// Where SIGTERM cannot be kept from it, or another signal comes.
  @Test
  void aSignalThatQemuHeedsIsACancelledSessionAndNoFailure() {
    try (TestUser user = TestUser.create()) {
      Leaks leaks = Session.leaks(user);
      try (Session session = Session.start(user, Settings.standard())) {
        session.awaitState("booting", Session.READY_LIMIT);
        assertHoldsSomething(leaks);
        session.qemu().signal("INT");
        Command.Outcome end = session.awaitExit(ORDERLY_LIMIT);
        assertThat(end.status()).as(end.err()).isZero();
        assertThat(end.err()).contains("the session was cancelled");
      }
      leaks.awaitBack(CLEAN_LIMIT);
    }
  }

  @Test
  void casementStopEndsASessionWithoutDesktopInOrder() {
    try (TestUser user = TestUser.create()) {
      Leaks leaks = Session.leaks(user);
      try (Session session =
          Session.start(user, Settings.standard().with("listen", "web", false))) {
        session.awaitReady();
        assertHoldsSomething(leaks);
        assertThat(session.console()).isPresent();
        assertThat(session.casement("link", session.id()).status()).isEqualTo(69);
        assertThat(nodeListeners(leaks)).isEqualTo(1);
        session.casement("stop", session.id()).orFail();
        assertThat(session.awaitExit(ORDERLY_LIMIT).status()).isZero();
        assertWentThrough(session, "user", IN_ORDER);
      }
      leaks.awaitBack(CLEAN_LIMIT);
    }
  }

  /// Listening TCP sockets in the port range of these tests: those that were opened outside.
  private static int nodeListeners(Leaks leaks) {
    return leaks.now().of(Kind.SOCKETS).entrySet().stream()
        .filter(socket -> socket.getKey().startsWith("tcp "))
        .filter(
            socket -> {
              int port = Integer.parseInt(socket.getKey().replaceFirst(".*:", ""), 16);
              return port >= Settings.FIRST_PORT && port < Settings.FIRST_PORT + 1000;
            })
        .mapToInt(java.util.Map.Entry::getValue)
        .sum();
  }

  @Test
  void aResetGuestTradesOnceMoreAndAShutDownGuestEndsTheSession() {
    try (TestUser user = TestUser.create()) {
      Leaks leaks = Session.leaks(user);
      try (Session session = Session.start(user, Settings.standard().withTestPort());
          GuestShell guest = session.guestShell()) {
        session.awaitReady();
        assertHoldsSomething(leaks);
        String credential = credential(guest);
        guest.run("sync").orFail();
        guest.post("echo b >/proc/sysrq-trigger");
        guest.awaitReboot(Session.READY_LIMIT);
        Await.until(
            "the agent has another credential",
            Session.READY_LIMIT,
            () -> !credential(guest).isEmpty() && !credential(guest).equals(credential),
            session::log);
        // The desktop is there again, with the session's own account and share.
        guest.awaitShare("home");
        assertThat(session.status()).containsEntry("state", "ready");
        // The old credential is void, and the token used up.
        assertThat(
                guest
                    .run(
                        "curl -s -o /dev/null -w '%%{http_code}' -X POST -H 'Content-Type: application/json' -H '%s' -d '{\"idleSeconds\": 1, \"seen\": 0}' http://169.254.100.2:54321/v1/heartbeat"
                            .formatted(credential))
                    .out())
            .contains("401");
        assertThat(
                guest
                    .run(
                        "token=$("
                            + HostileInputTest.BOOT_TOKEN
                            + "); curl -s -o /dev/null -w '%{http_code}' -X POST -H 'Content-Type: application/json' -d '{\"token\": \"'$token'\", \"agent\": \"x\"}' http://169.254.100.2:54321/v1/trade")
                    .out())
            .contains("409");

        // A second reset is one too many for the agent; the machine itself goes on.
        guest.post("echo b >/proc/sysrq-trigger");
        guest.awaitReboot(Session.READY_LIMIT);
        session.awaitLog("event=reset count=2", CLEAN_LIMIT);
        session.awaitLog("the guest was reset once more; it cannot be set up again", CLEAN_LIMIT);
        Await.until(
            "the agent's token is refused",
            Session.READY_LIMIT,
            () -> guest.run("grep -q 'traded before' /run/casement/answer.trade").status() == 0,
            session::log);
        assertThat(credential(guest)).isEmpty();
        assertThat(session.log().lines().filter(line -> line.contains("event=traded"))).hasSize(2);

        guest.post("poweroff");
        Command.Outcome end = session.awaitExit(Session.END_LIMIT);
        assertThat(end.status()).as(end.err()).isZero();
        assertWentThrough(session, "guest-shutdown", "preparing", "booting", "ready", "ended");
      }
      leaks.awaitBack(CLEAN_LIMIT);
    }
  }

  @Test
  void aGuestThatIgnoresThePowerButtonIsKilledAfterTheDrainTimeout() {
    try (TestUser user = TestUser.create()) {
      Leaks leaks = Session.leaks(user);
      Settings settings =
          Settings.standard()
              .withTestPort()
              .with("session", "drain_timeout", SHORT_DRAIN.toSeconds() + "s");
      try (Session session = Session.start(user, settings);
          GuestShell guest = session.guestShell()) {
        session.awaitReady();
        guest.run("mv /etc/acpi/PWRF /etc/acpi/ignored").orFail();
        assertHoldsSomething(leaks);
        long asked = System.nanoTime();
        session.terminate();
        Command.Outcome end = session.awaitExit(ORDERLY_LIMIT);
        assertThat(Duration.ofNanos(System.nanoTime() - asked)).isGreaterThan(SHORT_DRAIN);
        assertThat(end.status()).as(end.err()).isZero();
        assertWentThrough(session, "cancelled", IN_ORDER);
        // Nobody but the supervisor ended it.
        assertThat(session.log()).doesNotContain("event=helper-ended name=qemu");
      }
      leaks.awaitBack(CLEAN_LIMIT);
    }
  }

  @Test
  void aSignalDuringTheStartEndsItInOrder() {
    try (TestUser user = TestUser.create()) {
      Leaks leaks = Session.leaks(user);
      // From before the first namespace to after the last helper.
      for (int delay = 200; delay <= 2000; delay += 300) {
        try (Session session = Session.launch(user, Settings.standard())) {
          Await.pause(Duration.ofMillis(delay));
          session.terminate();
          Command.Outcome end = session.awaitExit(ORDERLY_LIMIT);
          // 143: before the program had so much as a handler.
          assertThat(end.status()).as("%d ms: %s", delay, end.err()).isIn(0, 128 + 15);
          assertThat(end.err()).doesNotContain("killed", "Exception");
        }
        leaks.awaitBack(CLEAN_LIMIT);
      }
    }
  }

  @Test
  void aSessionThatStandsStillIsKilledAfterASignal() {
    try (TestUser user = TestUser.create()) {
      Leaks leaks = Session.leaks(user);
      try (Session session =
          Session.start(user, Settings.standard().with("session", "drain_timeout", "1s"))) {
        session.awaitState("booting", Session.READY_LIMIT);
        assertHoldsSomething(leaks);
        session.supervisor().signal("STOP");
        session.terminate();
        Command.Outcome end = session.awaitExit(STANDSTILL_LIMIT);
        assertThat(end.status()).as(end.err()).isEqualTo(70);
        assertThat(end.err()).contains("casement: the session was killed");
      }
      leaks.awaitBack(CLEAN_LIMIT);
    }
  }

  private static String credential(GuestShell guest) {
    return guest.run("cat /run/casement/authorization; true").out().strip();
  }

  /// In the guest and on the page; what the guest has saved is safe, what it has not is lost with
  /// the machine's disk.
  @Test
  void theWalltimeIsAnnouncedAndEndsTheSession() throws IOException {
    try (TestUser user = TestUser.create()) {
      Leaks leaks = Session.leaks(user);
      try (Session session =
              Session.start(
                  user, Settings.standard().withTestPort(), "--time", WALLTIME_SECONDS + "s");
          GuestShell guest = session.guestShell();
          Browser browser = Browser.open(Path.of("target/screenshots"))) {
        browser.go(session.link());
        session.awaitReady();
        Path overlay = session.runtime().resolve("machine/disk/overlay.qcow2");
        assertThat(overlay).exists();
        guest.awaitShare("home");
        guest
            .run(
                "cd /home/user/home && echo saved | dd of=letter conv=fsync && echo rest >/root/rest")
            .orFail();
        // An editor with the rest of the letter, which does not want to go.
        guest.post("(trap '' TERM HUP; sleep 1000) &");
        Await.until(
            "the guest has the notice",
            HEARTBEAT_LIMIT,
            () -> !guest.run("cat /run/casement/notices; true").out().isBlank(),
            session::log);
        browser.page().locator("#left.soon").waitFor();
        assertHoldsSomething(leaks);
        browser.awaitPhase("ended", Session.END_LIMIT.plusSeconds(WALLTIME_SECONDS));
        Command.Outcome end = session.awaitExit(Session.END_LIMIT);
        assertThat(end.status()).as(end.err()).isZero();
        assertWentThrough(session, "walltime", IN_ORDER);
        assertThat(user.home().resolve("casement/letter")).hasContent("saved");
        assertThat(overlay).doesNotExist();
      }
      leaks.awaitBack(CLEAN_LIMIT);
    }
  }
}
