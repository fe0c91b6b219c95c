package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import org.casement.testkit.Command;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A node whose KVM is not there, not allowed, not KVM, or not working: the session becomes ready
/// in software and says that it is slow. The tests put things in the place of /dev/kvm and put back
/// what was there.
final class AccelerationTest {
  private static final Path KVM = Path.of("/dev/kvm");
  private static final Path PUT_ASIDE = Path.of("/dev/.casement-test-kvm");

  private static TestUser user;

  @BeforeAll
  static void createUser() {
    user = TestUser.create();
  }

  @AfterAll
  static void removeUser() {
    user.close();
  }

  /// What may be at /dev/kvm.
  enum Device {
    ABSENT("No such file or directory"),
    REGULAR_FILE("kvm version too old"),
    /// Opens, and knows no ioctl.
    NULL_DEVICE("kvm version too old"),
    /// The device itself (10:232), for root only.
    FORBIDDEN("Permission denied");

    private final String why;

    /// What QEMU says of it.
    Device(String why) {
      this.why = why;
    }

    private void put() {
      switch (this) {
        case ABSENT -> {}
        case REGULAR_FILE -> {
          Command.run("touch", KVM.toString()).orFail();
          Command.run("chmod", "666", KVM.toString()).orFail();
        }
        case NULL_DEVICE ->
            Command.run("mknod", "-m", "666", KVM.toString(), "c", "1", "3").orFail();
        case FORBIDDEN ->
            Command.run("mknod", "-m", "000", KVM.toString(), "c", "10", "232").orFail();
      }
    }
  }

  /// Another thing at /dev/kvm, for as long as this is open.
  private static final class Replaced implements AutoCloseable {
    private final boolean putAside;

    private Replaced(boolean putAside) {
      this.putAside = putAside;
    }

    static Replaced by(Device device) {
      boolean there = Files.exists(KVM, LinkOption.NOFOLLOW_LINKS);
      try {
        if (there) {
          Files.move(KVM, PUT_ASIDE);
        }
        device.put();
        return new Replaced(there);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public void close() {
      try {
        Files.deleteIfExists(KVM);
        if (putAside) {
          Files.move(PUT_ASIDE, KVM);
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static void assertReadyInSoftware(Session session) {
    session.awaitReady();
    assertThat(session.status()).containsEntry("acceleration", "tcg");
    assertThat(session.log())
        .contains("event=acceleration using=tcg why=")
        .contains("event=warning");
    assertThat(session.qemu().arguments())
        .anyMatch(word -> word.startsWith("tcg"))
        .doesNotContain("kvm");
  }

  @ParameterizedTest
  @EnumSource(Device.class)
  void withoutAUsableDeviceTheSessionRunsInSoftwareAndWarns(Device device) {
    try (Replaced _ = Replaced.by(device);
        Session session = Session.start(user, Settings.standard())) {
      assertReadyInSoftware(session);
      assertThat(session.log()).containsPattern("using=tcg why=.*" + device.why);
    }
  }

  @Test
  void softwareThatWasChosenIsNamedAsChosen() {
    try (Session session =
        Session.start(
            user,
            Settings.standard()
                .with("machine", "acceleration", "tcg")
                .with("session", "drain_timeout", "1s"))) {
      session.awaitState("booting", Session.READY_LIMIT);
      assertThat(session.status()).containsEntry("acceleration", "tcg");
      assertThat(session.log())
          .contains("event=acceleration using=tcg why=\"the configuration asks for it\"");
    }
  }

  /// What stands for a QEMU on a node where KVM passes the probe and then breaks, before the
  /// machine runs or after.
  enum Breaks {
    /// A QEMU that ends as it starts.
    AT_START(
        "failed to initialize kvm",
        "echo 'failed to initialize kvm: No space left on device' >&2; exit 1"),
    /// Real QEMU with another accelerator, stopped as KVM's internal error stops it.
    LATER(
        "internal error",
        """
        echo 'KVM internal error. Suberror: 1' >&2
               for word; do
                 shift
                 case $word in
                   kvm) word=tcg ;;
                   *accel=kvm*) word=$(echo "$word" | sed s/accel=kvm/accel=tcg/) ;;
                   host | host,*) word=Nehalem ;;
                 esac
                 set -- "$@" "$word"
               done
               exec /usr/bin/qemu-system-x86_64 -S "$@\""""),
    /// Stopped before anybody listens on QMP, with no words: only its status tells.
    SILENTLY(
        "internal error",
        """
        exec /usr/bin/perl -MIO::Socket::UNIX -e '
          my $server = IO::Socket::UNIX->new(Local => "/sockets/qmp", Listen => 1) or die;
          my $client = $server->accept;
          print $client qq({"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}, "capabilities": []}}\\r\\n);
          $client->flush;
          while (<$client>) {
            my ($id) = /"id": *([0-9]+)/;
            my $result = /query-status/ ? qq({"status": "internal-error", "running": false}) : "{}";
            print $client qq({"return": $result, "id": $id}\\r\\n);
            $client->flush;
          }
          sleep 100'\
        """);

    private final String why;
    private final String how;

    Breaks(String why, String how) {
      this.why = why;
      this.how = how;
    }

    private String script() {
      return """
      #!/bin/sh
      case "$*" in
        *kvm*isa-debug-exit* | *isa-debug-exit*kvm*) exit 33 ;;
        *kvm*) %s ;;
      esac
      exec /usr/bin/qemu-system-x86_64 "$@"
      """
          .formatted(how);
    }
  }

  @ParameterizedTest
  @EnumSource(Breaks.class)
  void kvmThatPassesTheProbeAndBreaksIsGivenUpOnce(Breaks breaks) throws IOException {
    Path wrapper = Files.createTempFile(Path.of("/var/tmp"), "casement-test-qemu-", ".sh");
    try (Replaced _ = Replaced.by(Device.NULL_DEVICE)) {
      Files.writeString(wrapper, breaks.script());
      Command.run("chmod", "755", wrapper.toString()).orFail();
      try (Session session =
          Session.start(
              user,
              Settings.standard()
                  .with("machine", "qemu", wrapper)
                  .with(
                      "machine",
                      "qemu_files",
                      List.of(
                          "/usr/share/qemu",
                          "/usr/share/seabios",
                          "/bin/sh",
                          "/usr/bin/perl",
                          "/usr/bin/sed",
                          "/usr/bin/qemu-system-x86_64")))) {
        session.awaitLog("event=acceleration using=kvm", Session.READY_LIMIT);
        assertReadyInSoftware(session);
        assertThat(session.log()).containsPattern("using=tcg why=.*" + breaks.why);
      }
    } finally {
      Files.delete(wrapper);
    }
  }
}
