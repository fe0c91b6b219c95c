package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.casement.testkit.Canaries;
import org.casement.testkit.Canaries.Spec;
import org.casement.testkit.Command;
import org.casement.testkit.Place;
import org.casement.testkit.Probe;
import org.casement.testkit.ProcessEntry;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What somebody who has taken over QEMU, smbd or swtpm finds: an ordinary process of the same user
/// in the helper's own namespaces (without its seccomp filter and Landlock rules, which only take
/// away more) looks for the user's things. The twin looks from the supervisor's namespaces, where
/// all of them are.
final class HelperConfinementTest {
  enum Helper {
    QEMU,
    SMBD,
    SWTPM;

    ProcessEntry in(Session session) {
      return switch (this) {
        case QEMU -> session.qemu();
        case SMBD -> session.smbd();
        case SWTPM -> session.helper("swtpm");
      };
    }
  }

  private static ProfiledImage image;
  private static TestUser user;
  private static Session session;
  private static Victim victim;
  private static Path munge;
  private static Canaries sockets;
  private static List<Probe> theft;

  @BeforeAll
  static void startSession() throws IOException {
    image = ProfiledImage.of("demo-linux-uefi"); // it has a TPM
    user = TestUser.create();
    Path key = user.write(".ssh/id_test", "word-in-file\n");
    user.write("casement/shared.txt", "meant to be shared\n");
    // Munge's and D-Bus's sockets are open to everybody on a node: this stands in for them.
    munge = Files.createTempDirectory(Path.of("/run"), "casement-test-munge-");
    Command.run("chmod", "755", munge.toString()).orFail();
    sockets =
        Canaries.open(
            List.of(new Spec("munge", "path-stream", munge.resolve("munge.socket").toString(), 0)));
    session = Session.start(user, Settings.standard().with("golden", "image", image.directory()));
    session.awaitLog(
        "state=booting", Session.READY_LIMIT); // before it, QEMU is the one that probes KVM
    ProcessEntry supervisor = session.supervisor();
    victim = Victim.start(Place.inside(supervisor, user), key);

    theft = new ArrayList<>(victim.probes("", victim.pidInside()));
    theft.add(Probe.of("key", "read", key));
    theft.add(Probe.of("home", "list", user.home().resolve(".ssh")));
    theft.add(Probe.of("bashrc", "write", user.home().resolve(".bashrc")));
    theft.add(Probe.of("munge", "path-stream", munge.resolve("munge.socket")));
    theft.add(Probe.of("tmp", "list", "/tmp"));
    theft.add(Probe.of("runtime", "list", session.runtime()));
    theft.add(Probe.of("proc", "read", "/proc/self/status"));
    theft.add(Probe.of("accounts", "read", "/usr/share/doc/base-files/README"));
    theft.add(Probe.of("node-network", "setns", "/proc/1/ns/net"));
  }

  @AfterAll
  static void endSession() {
    victim.close();
    session.close();
    sockets.close();
    Command.run("rm", "-rf", munge.toString()).orFail();
    user.close();
    image.close();
  }

  @Test
  void fromTheSupervisorsPlaceEverythingIsThere() {
    Probe.Results results = Probe.run(Place.inside(session.supervisor(), user), theft);
    assertThat(results.of("environ").detail()).contains("word-in-environment");
    assertThat(results.of("memory").detail()).isEqualTo("word-in-memory");
    assertThat(results.of("vm-read").detail()).isEqualTo("word-in-memory");
    assertThat(results.of("descriptor").detail()).isEqualTo("word-in-file");
    assertThat(results.of("descriptor-by-proc").detail()).isEqualTo("word-in-file");
    assertThat(results.of("key").detail()).isEqualTo("word-in-file");
    assertThat(results.of("munge").detail()).isEqualTo(sockets.token("munge"));
    assertThat(results.reached())
        .contains("signal", "ptrace", "home", "bashrc", "tmp", "runtime", "proc", "accounts");
    // Entering the node's network takes rights that nobody in the session has.
    assertThat(results.reached()).doesNotContain("node-network");
  }

  @ParameterizedTest
  @EnumSource(Helper.class)
  void fromInsideAHelperNothingIsThere(Helper helper) {
    ProcessEntry process = helper.in(session);
    Place confined = Place.inside(process, user);
    sockets.forget();
    List<Probe> probes = new ArrayList<>(theft);
    probes.addAll(victim.probes("by-node-number-", victim.pidOnNode()));
    Probe.Results results = Probe.run(confined, probes);
    assertThat(results.reached()).isEmpty();
    assertThat(sockets.contacted()).isEmpty();
    // The probe itself works in there: it sees the little that there is.
    Probe.Results inside =
        Probe.run(
            confined,
            List.of(
                Probe.of("root", "list", "/"),
                Probe.of("itself", "signal", 1),
                Probe.of("more-rights", "unshare-user")));
    assertThat(inside.of("itself").reached()).isTrue();
    assertThat(inside.of("root").detail().split(",", -1))
        .contains("usr", "dev")
        .doesNotContain("proc", "run", "root", "var", "sys", "boot", "srv", "mnt");
    assertThat(inside.of("more-rights").detail()).contains("No space left on device");
  }

  @Test
  void smbdSeesTheSharesAndNothingBesideThem() {
    ProcessEntry smbd = session.smbd();
    assertThat(
            smbd.lines("mountinfo").stream().filter(line -> line.contains(user.home().toString())))
        .isNotEmpty()
        .allMatch(
            line ->
                line.split(" ", 6)[3].startsWith(user.home().resolve("casement").toString())
                    || line.split(" ", 6)[3].startsWith(session.runtime().toString()));
  }

  private static List<ProcessEntry> helpers() {
    return Stream.of(Helper.values()).map(helper -> helper.in(session)).toList();
  }

  @Test
  void swtpmSeesItsSocketAndNothingOfTheSessionBesideIt() {
    List<String[]> mounts =
        session.helper("swtpm").lines("mountinfo").stream()
            .map(line -> line.split(" ", 6))
            .filter(fields -> !fields[4].startsWith("/usr/") && !fields[4].startsWith("/dev"))
            .toList();
    assertThat(mounts.stream().map(fields -> fields[4]))
        .containsExactlyInAnyOrder("/", "/state", "/socket");
    // A mount's root is told from its file system's, which may be /tmp itself.
    String socket = session.runtime().getFileName() + "/machine/tpm/socket";
    assertThat(mounts.stream().map(fields -> fields[3]))
        .filteredOn(root -> root.endsWith("/" + socket))
        .hasSize(1);
    // Its state is in memory, in there; QEMU sees the socket and cannot put another in its place.
    assertThat(session.runtime().resolve("machine/tpm/socket"))
        .isDirectoryNotContaining(file -> file.toString().contains("permall"));
    assertThat(session.qemu().lines("mountinfo"))
        .anyMatch(line -> line.matches(".*/machine/tpm/socket /tpm ro[, ].*"));
  }

  @Test
  void helpersHaveNoCapabilitiesAndNamespacesOfTheirOwn() {
    ProcessEntry supervisor = session.supervisor();
    for (ProcessEntry helper : helpers()) {
      assertThat(helper.lines("status"))
          .contains("CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1");
      for (String kind : List.of("user", "pid", "ipc", "uts", "mnt")) {
        assertThat(helper.namespace(kind)).isNotEqualTo(supervisor.namespace(kind));
      }
      assertThat(helper.namespace("net")).isEqualTo(supervisor.namespace("net"));
    }
  }

  @Test
  void helpersHaveAnEmptyEnvironment() {
    for (ProcessEntry helper : helpers()) {
      assertThat(new String(helper.environment(), java.nio.charset.StandardCharsets.UTF_8))
          .doesNotContain(user.name(), "JAVA_HOME", "SPANK");
    }
  }

  @Test
  void qemuIsInItsSandbox() {
    ProcessEntry qemu = session.qemu();
    assertThat(qemu.lines("status")).contains("Seccomp:\t2");
    assertThat(session.smbd().lines("status")).contains("Seccomp:\t0");
    assertThat(session.helper("swtpm").lines("status")).contains("Seccomp:\t2");
    assertThat(qemu.arguments())
        .containsSubsequence(
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
  }

  /// Netty would otherwise write its library below /tmp, where a node may forbid to execute.
  @Test
  void theProgramsNativeLibraryIsItsOwn() {
    String ours =
        Program.launcher().resolve("../../lib").normalize() + "/libnetty_transport_native_epoll_";
    assertThat(session.supervisor().lines("maps")).anyMatch(line -> line.contains(ours));
  }

  @Test
  void theSupervisorsMemoryAndEnvironmentAreNotItsUsersToRead() throws IOException {
    assertThat(ownerOfEnvironment(session.supervisor())).isZero();
    // The twin: a program that does nothing about it.
    assertThat(ownerOfEnvironment(session.unshare())).isEqualTo(user.uid());
  }

  private static int ownerOfEnvironment(ProcessEntry process) throws IOException {
    return (Integer) Files.getAttribute(Path.of("/proc/" + process.pid() + "/environ"), "unix:uid");
  }

  @Test
  void aHelperHoldsNoDescriptorOfTheSupervisors() {
    Set<String> sockets = sockets(session.supervisor());
    assertThat(sockets).hasSizeGreaterThan(2);
    for (ProcessEntry helper : helpers()) {
      assertThat(sockets(helper)).isNotEmpty().doesNotContainAnyElementsOf(sockets);
      assertThat(helper.descriptors().values())
          .noneMatch(target -> target.contains(user.home().resolve(".local").toString()))
          .noneMatch(target -> target.endsWith("/control") || target.endsWith("/lock"));
    }
  }

  private static Set<String> sockets(ProcessEntry process) {
    return process.descriptors().values().stream()
        .filter(target -> target.startsWith("socket:"))
        .collect(Collectors.toSet());
  }
}
