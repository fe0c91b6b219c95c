package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.Holdings.Kind;
import org.casement.testkit.Leaks;
import org.casement.testkit.ProcessEntry;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What breaks while a session runs: a helper or a program of ours is killed, the disk is full. The
/// session goes on, or ends and leaves nothing.
final class FailureTest {
  private static final Duration CLEAN_LIMIT = Duration.ofSeconds(20);
  private static final Duration SHARE_LIMIT = Duration.ofSeconds(60);
  private static final Duration DISK_LIMIT = Duration.ofSeconds(60);

  private static final Duration FILL_LIMIT = Duration.ofMinutes(4);
  private static final long GIBIBYTE = 1L << 30;

  /// More than the 256 MiB that a session asks for at its start.
  private static final int DISK_MEBIBYTES = 384;

  /// Left free when the disk is filled up: less than the guest then writes.
  private static final int FREE_MEBIBYTES = 8;

  private static final int WRITTEN_MEBIBYTES = 64;

  /// Processes that may be killed, of which the session cannot do without any.
  enum Victim {
    QEMU,
    SUPERVISOR,
    UNSHARE,
    OUTER;

    ProcessEntry in(Session session) {
      return switch (this) {
        case QEMU -> session.qemu();
        case SUPERVISOR -> session.supervisor();
        case UNSHARE -> session.unshare();
        case OUTER -> session.outer();
      };
    }
  }

  private static Path disk;
  private static TestUser user;
  private static Leaks leaks;
  private static Session session;
  private static GuestShell guest;

  @BeforeAll
  static void startSession() throws IOException {
    disk = Files.createTempDirectory(Path.of("/run"), "casement-test-disk-");
    Command.run(
            "mount",
            "-t",
            "tmpfs",
            "-o",
            "mode=1777,size=" + DISK_MEBIBYTES + "m",
            "tmpfs",
            disk.toString())
        .orFail();
    user = TestUser.create();
    leaks = Session.leaks(user, disk);
    session =
        Session.start(
            user, Settings.standard().withTestPort().with("session", "runtime_parent", disk));
    guest = session.guestShell();
    session.awaitReady();
    guest.awaitShare("home");
  }

  @AfterAll
  static void endSession() {
    guest.close();
    assertThat(session.stop().status()).isZero();
    session.close();
    leaks.awaitBack(CLEAN_LIMIT);
    user.close();
    Command.run("umount", disk.toString()).orFail();
    Command.run("rmdir", disk.toString()).orFail();
  }

  @Test
  void aKilledSmbdComesBackAndTheGuestsShareWorksAgain() {
    guest.run("echo before >/home/user/home/before.txt").orFail();
    Leaks during = leaks.rebased();
    ProcessEntry killed = session.smbd();
    killed.kill();
    session.awaitLog("event=helper-ended name=smbd", SHARE_LIMIT);
    session.awaitLog("event=helper-restarted name=smbd", SHARE_LIMIT);
    // One that dies again and again is started less and less often.
    session.smbd().kill();
    Await.until(
        "it is started once more",
        SHARE_LIMIT,
        () -> session.log().split("event=helper-restarted name=smbd", -1).length == 3);
    assertThat(
            session
                .log()
                .lines()
                .filter(line -> line.contains("event=helper-ended name=smbd"))
                .map(line -> line.replaceFirst(".* pause=", "")))
        .containsExactly("250ms", "500ms");
    // The guest's kernel connects again by itself; a call that it cannot repeat may fail once.
    Await.until(
        "the guest writes to its share again",
        SHARE_LIMIT,
        () -> guest.run("echo after >/home/user/home/after.txt").status() == 0,
        () -> guest.run("dmesg | tail").out());
    assertThat(user.home().resolve("casement/after.txt")).hasContent("after");
    assertThat(guest.run("cat /home/user/home/before.txt").orFail()).isEqualTo("before\n");
    assertThat(session.smbd().pid()).isNotEqualTo(killed.pid());
    assertThat(session.status()).containsEntry("state", "ready");
    during.only(Kind.PROCESSES, Kind.NAMESPACES, Kind.MOUNTS, Kind.SOCKETS).awaitBack(CLEAN_LIMIT);
  }

  @Test
  void aFullDiskPausesTheMachineUntilThereIsRoom() throws IOException {
    Path filler = disk.resolve("filler");
    long free = Files.getFileStore(disk).getUsableSpace() >> 20;
    Command.run("fallocate", "-l", (free - FREE_MEBIBYTES) + "M", filler.toString()).orFail();
    CompletableFuture<Command.Outcome> writing = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(
            () ->
                writing.complete(
                    guest.run(
                        "dd if=/dev/urandom bs=1M count=%d of=/root/big conv=fsync && sha256sum /root/big"
                            .formatted(WRITTEN_MEBIBYTES),
                        DISK_LIMIT.multipliedBy(2))));
    session.awaitLog("the node's disk is full", DISK_LIMIT);
    assertThat(writing).isNotDone();
    assertThat(session.status()).containsEntry("state", "ready");
    assertThat(session.log()).contains("event=trouble what=disk text=\"the machine waits");

    Files.delete(filler);
    session.awaitLog("event=trouble-over what=disk", DISK_LIMIT);
    Command.Outcome written = writing.join();
    assertThat(written.status()).as(written.out()).isZero();
    guest.run("echo 3 >/proc/sys/vm/drop_caches").orFail();
    String sum = written.out().lines().toList().getLast();
    assertThat(guest.run("sha256sum /root/big").orFail().strip()).isEqualTo(sum);
    guest.run("rm /root/big").orFail();
  }

  @Test
  void anOverlayAtItsLimitStopsTheMachineAndSaysSo() throws IOException {
    try (TestUser own = TestUser.create()) {
      Leaks ownLeaks = Session.leaks(own);
      Settings settings =
          Settings.standard()
              .withTestPort()
              .with("machine", "overlay_limit_gib", 1)
              .with("session", "drain_timeout", "1s");
      try (Session full = Session.start(own, settings);
          GuestShell writer = full.guestShell()) {
        full.awaitReady();
        Path overlay = full.runtime().resolve("machine/disk/overlay.qcow2");
        assertThat(Files.size(overlay)).isLessThan(GIBIBYTE / 4);
        writer
            .run("head -c 1048576 /dev/urandom >/tmp/piece; echo 3 >/proc/sys/vm/drop_caches")
            .orFail();
        writer.post("while cat /tmp/piece; do :; done >/root/big");
        full.awaitLog("its disk has reached the 1 GiB that the configuration allows", FILL_LIMIT);
        assertThat(Files.size(overlay)).isBetween(GIBIBYTE * 9 / 10, GIBIBYTE);
        assertThat(full.status()).containsEntry("state", "ready");
        assertThat(full.stop().status()).isZero();
      }
      ownLeaks.awaitBack(CLEAN_LIMIT);
    }
  }

  @ParameterizedTest
  @EnumSource(Victim.class)
  void whoeverIsKilledNothingIsLeft(Victim victim) {
    try (TestUser own = TestUser.create()) {
      Leaks ownLeaks = Session.leaks(own);
      Settings settings = Settings.standard().with("session", "drain_timeout", "1s");
      try (Session doomed = Session.start(own, settings)) {
        doomed.awaitState("booting", Session.READY_LIMIT);
        ownLeaks.assertMore(
            Kind.PROCESSES,
            Kind.THREADS,
            Kind.DESCRIPTORS,
            Kind.NAMESPACES,
            Kind.MOUNTS,
            Kind.SOCKETS,
            Kind.FILES);
        Path runtime = doomed.runtime();
        ProcessEntry killed = victim.in(doomed);
        killed.kill();
        Command.Outcome end = doomed.awaitExit(CLEAN_LIMIT);
        switch (victim) {
          case QEMU -> {
            assertThat(end.status()).isEqualTo(70);
            assertThat(end.err())
                .contains("casement: the session failed: the virtual machine ended");
            assertThat(doomed.log()).contains("event=helper-ended name=qemu");
          }
          case SUPERVISOR, UNSHARE -> {
            assertThat(end.status()).isEqualTo(70);
            assertThat(end.err()).contains("casement: the session was killed");
          }
          case OUTER -> {
            assertThat(end.status()).isEqualTo(128 + 9);
            theNextStartRemovesWhatIsLeft(own, ownLeaks, runtime, settings);
          }
        }
      }
      ownLeaks.awaitBack(CLEAN_LIMIT);
    }
  }

  /// Nobody of the session's survived to remove its files.
  private static void theNextStartRemovesWhatIsLeft(
      TestUser own, Leaks ownLeaks, Path runtime, Settings settings) {
    ownLeaks
        .only(
            Kind.PROCESSES,
            Kind.THREADS,
            Kind.DESCRIPTORS,
            Kind.NAMESPACES,
            Kind.MOUNTS,
            Kind.SOCKETS)
        .awaitBack(CLEAN_LIMIT);
    assertThat(runtime).isDirectory();
    try (Session next = Session.start(own, settings)) {
      assertThat(runtime).doesNotExist();
      assertThat(next.casement("list").orFail().lines())
          .hasSize(1)
          .allMatch(line -> line.startsWith(next.id()));
    }
  }
}
