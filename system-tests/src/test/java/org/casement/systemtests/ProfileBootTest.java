package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.casement.testkit.Command;
import org.casement.testkit.Leaks;
import org.casement.testkit.Place;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// The demo guest on the hardware of several machine profiles. Whether the machine is what its
/// profile says is shown by MachineProfileTest.
final class ProfileBootTest {
  private static final Duration CLEAN_LIMIT = Duration.ofSeconds(20);
  private static final Duration BUILD_LIMIT = Duration.ofMinutes(10);
  private static final Duration LOG_LIMIT = Duration.ofSeconds(60);

  private static TestUser user;
  private static Leaks leaks;

  @BeforeAll
  static void createUser() {
    user = TestUser.create();
    leaks = Session.leaks(user);
  }

  @AfterEach
  void nothingIsLeft() {
    leaks.awaitBack(CLEAN_LIMIT);
  }

  @AfterAll
  static void removeUser() {
    user.close();
  }

  private static Settings settings(ProfiledImage image) {
    return from(image, Settings.standard());
  }

  private static Settings from(ProfiledImage image, Settings settings) {
    return settings
        .with("golden", "image", image.directory())
        .with("session", "drain_timeout", "1s");
  }

  /// UEFI from its disk, with a TPM that its firmware has measured into. The TPM is stopped and
  /// goes on; then it is killed: the guest goes on, and its restart ends the session.
  @Test
  void uefiAndTpm() {
    try (ProfiledImage image = ProfiledImage.bootingFromDisk("demo-linux-uefi");
        Session session = Session.start(user, settings(image).withTestPort());
        GuestShell guest = session.guestShell()) {
      session.awaitReady();
      assertThat(guest.run("cat /sys/firmware/efi/fw_platform_size").orFail()).isEqualTo("64\n");
      assertThat(guest.run("test -c /dev/tpm0; cat /sys/class/tpm/tpm0/tpm_version_major").orFail())
          .isEqualTo("2\n");
      assertThat(guest.run("cat /sys/class/tpm/tpm0/pcr-sha256/0").orFail().strip())
          .hasSize(64)
          .doesNotMatch("0+");
      assertThat(session.helper("swtpm").lines("status")).contains("Seccomp:\t2");

      session.helper("swtpm").signal("STOP");
      session.awaitLog("event=trouble what=tpm", LOG_LIMIT);
      assertThat(guest.run("echo alive").orFail()).isEqualTo("alive\n");
      session.helper("swtpm").signal("CONT");
      session.awaitLog("event=trouble-over what=tpm", LOG_LIMIT);

      session.helper("swtpm").kill();
      session.awaitLog("event=helper-ended name=swtpm", LOG_LIMIT);
      session.awaitLog("event=warning text=\"the machine's TPM has stopped", LOG_LIMIT);
      assertThat(session.status()).containsEntry("state", "ready");
      assertThat(guest.run("echo alive").orFail()).isEqualTo("alive\n");

      guest.post("reboot -f");
      Command.Outcome end = session.awaitExit(Session.END_LIMIT);
      assertThat(end.status()).isEqualTo(70);
      assertThat(end.err())
          .contains("the virtual machine ended unexpectedly (status 1) after its TPM had stopped");
    }
  }

  /// The same disk with and without Microsoft's keys in the firmware; what it boots is not signed.
  @Test
  void secureBootRefusesWhatIsNotSigned() {
    Settings small =
        Settings.standard().with("machine", "memory_mib", 512).with("machine", "cpus", 2);
    Duration twin;
    try (ProfiledImage image = ProfiledImage.bootingFromDisk("demo-linux-uefi");
        Session session = Session.start(user, from(image, small))) {
      session.awaitState("booting", Session.READY_LIMIT);
      long start = System.nanoTime();
      session.awaitReady();
      twin = Duration.ofNanos(System.nanoTime() - start);
    }
    Duration limit = twin.multipliedBy(4).plusSeconds(10);
    try (ProfiledImage image = ProfiledImage.bootingFromDisk("windows-11");
        Session session =
            Session.start(
                user,
                from(image, small).with("session", "boot_timeout", limit.toSeconds() + "s"))) {
      Command.Outcome end = session.awaitExit(limit.plus(Session.END_LIMIT));
      assertThat(end.status()).isEqualTo(70);
      assertThat(end.err())
          .contains("the guest was not ready within", "still at: booting the guest system");
      assertThat(session.log()).doesNotContain("event=traded");
    }
  }

  /// AHCI and e1000e, with the demo guest whose kernel has drivers for them, which is made here.
  @Test
  void theOlderHardware() throws IOException {
    Path image = Files.createTempDirectory(Path.of("/var/tmp"), "casement-test-legacy-");
    try {
      Command.run(
              new ProcessBuilder("../guest/demo/build", image.toString(), "legacy"),
              "",
              BUILD_LIMIT)
          .orFail();
      Command.run("chmod", "-R", "a+rX", image.toString()).orFail();
      Settings settings =
          Settings.standard().with("golden", "image", image).with("session", "drain_timeout", "1s");
      try (Session session = Session.start(user, settings)) {
        session.awaitReady(); // from a disk and over a network that the machine has only one of
        session.awaitLog("share home is connected", LOG_LIMIT);
      }
    } finally {
      Command.run("rm", "-rf", image.toString()).orFail();
    }
  }

  @Test
  void aProfileThatIsNotKnownIsNamedAndRuns() {
    try (ProfiledImage image = ProfiledImage.of("demo-next");
        Session session = Session.start(user, settings(image))) {
      session.awaitReady();
      assertThat(session.log())
          .contains("event=profile-unknown profile=demo-next base=demo-linux")
          .contains("event=warning text=\"this machine is untried");
    }
  }

  /// The oldest dialect is the profile's: whoever speaks it gets as far as its wrong password.
  @Test
  void theShareSpeaksTheProfilesDialects() {
    try (ProfiledImage image = ProfiledImage.of("windows-legacy");
        Session session = Session.start(user, settings(image))) {
      session.awaitState("booting", Session.READY_LIMIT);
      assertThat(negotiated(session, "SMB2_10")).contains("NT_STATUS_LOGON_FAILURE");
      assertThat(negotiated(session, "NT1")).doesNotContain("NT_STATUS_LOGON_FAILURE");
    }
    try (Session session =
        Session.start(user, Settings.standard().with("session", "drain_timeout", "1s"))) {
      session.awaitState("booting", Session.READY_LIMIT);
      assertThat(negotiated(session, "SMB3_11")).contains("NT_STATUS_LOGON_FAILURE");
      assertThat(negotiated(session, "SMB3_02")).doesNotContain("NT_STATUS_LOGON_FAILURE");
    }
  }

  /// What smbclient says, speaking at most `dialect`, with a wrong password.
  private static String negotiated(Session session, String dialect) {
    Place place = Place.inside(session.supervisor(), user);
    ProcessBuilder client =
        place.process(
            List.of(
                "/usr/bin/smbclient",
                "-L",
                "//127.0.0.1",
                "-m",
                dialect,
                "--option=client min protocol=NT1",
                "-U",
                "casement%wrong"));
    Command.Outcome outcome = Command.run(client, "", Duration.ofSeconds(60));
    return outcome.out() + outcome.err();
  }

  @Test
  void whatAProfileNeedsIsMissedOnlyWhereItIsNeeded() {
    try (ProfiledImage image = ProfiledImage.of("windows-server-2025")) {
      Settings settings =
          settings(image)
              .with("firmware", "uefi_code", "/nonexistent/code")
              .with("firmware", "secure_boot_variables", "/nonexistent/variables")
              .with("firmware", "swtpm", "/nonexistent/swtpm");
      Command.Outcome refused = Session.refused(user, settings);
      assertThat(refused.status()).isEqualTo(69);
      assertThat(refused.err())
          .contains("/nonexistent/code", "/nonexistent/variables", "/nonexistent/swtpm")
          .contains("Debian: ovmf", "Debian: swtpm");
      try (Session session =
          Session.start(user, settings.with("golden", "image", Program.image()))) {
        session.awaitState("booting", Session.READY_LIMIT);
      }
    }
  }
}
