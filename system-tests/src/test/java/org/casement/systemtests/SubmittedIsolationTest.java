package org.casement.systemtests;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.casement.clustertests.Cluster;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.Place;
import org.casement.testkit.Probe;
import org.casement.testkit.ProcessEntry;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// The isolation matrix of `casement run` again, for a session under the node agent: here the
/// network is root's, so the same account outside is among those who must not come in.
final class SubmittedIsolationTest {
  private static final int ALICE = 60_001;
  private static final int BOB = 60_002;
  private static final String N1 = "10.77.0.11";

  /// Not where `SubmittedSessionTest` counts what the same account has left, at the same time.
  private static final String RUNTIME_PARENT = "[session]\nruntime_parent = \"/var/tmp\"\n";

  private static final Duration LIMIT = Duration.ofSeconds(20);

  private static Cluster cluster;
  private static String session;
  private static String job;
  private static ProcessEntry supervisor;
  private static ProcessEntry node;

  @BeforeAll
  static void submit() {
    cluster = Cluster.start(2, "");
    cluster.startAgent("n1");
    cluster.on("n1", "ip address add 10.255.0.1/32 dev lo").orFail();
    cluster.run("install -d -o alice /run/home/alice/.config/casement").orFail();
    cluster.write(
        "/run/home/alice/.config/casement/casement.toml",
        "[golden]\nimage = \"%s\"\n[machine]\ntest_port = true\n".formatted(cluster.image())
            + RUNTIME_PARENT);
    String printed = cluster.alice(cluster.program() + " submit --time 20m -- --nodelist=n1");
    session = word(printed, "session");
    job = word(printed, "job");
    supervisor = process(ALICE, "java", "session", session);
    node = process(0, "slurmd", "n1");
    Await.until(
        "the guest is up",
        Session.READY_LIMIT,
        () -> log().contains("state=ready"),
        SubmittedIsolationTest::log);
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  private static String word(String printed, String word) {
    return printed
        .lines()
        .filter(line -> line.startsWith(word + " "))
        .map(line -> line.substring(word.length() + 1))
        .findFirst()
        .orElseThrow();
  }

  private static String log() {
    String homes = "/run/home/alice/.local/state/casement/sessions/";
    return cluster.run("cat " + homes + session + "/log").out();
  }

  private static ProcessEntry process(int uid, String name, String... arguments) {
    return Await.found(
        name + " runs",
        LIMIT,
        () ->
            ProcessEntry.ofUser(uid).stream()
                .filter(entry -> entry.name().equals(name))
                .filter(entry -> entry.arguments().containsAll(Arrays.asList(arguments)))
                .findFirst());
  }

  /// Alice in the job's network, as if she had got into it.
  private static Place sealed() {
    return Place.inside(supervisor, ALICE, ALICE, "net");
  }

  private static Place onTheNode(int uid) {
    return Place.inside(node, uid, uid, "net");
  }

  @Test
  void nothingLeavesTheNetworkAndNothingEntersIt() {
    try (Targets targets = Targets.onANode(onTheNode(0), List.of(N1))) {
      targets.assertAllReached(Probe.run(onTheNode(ALICE), targets.probes()));
      targets.canaries().forget();
      targets.assertNoneReached(Probe.run(sealed(), targets.probes()));
    }
    try (Targets targets = Targets.inside(sealed())) {
      targets.assertAllReached(Probe.run(sealed(), targets.probes()));
      targets.canaries().forget();
      for (Place place : List.of(onTheNode(ALICE), onTheNode(BOB), onTheNode(0))) {
        targets.assertNoneReached(Probe.run(place, targets.probes()));
      }
    }
  }

  @Test
  void theNetworkIsLoopbackAndNobodyInItCanChangeThat() {
    assertThat(ip(sealed(), "-o", "link").out().lines())
        .hasSize(1)
        .allMatch(line -> line.contains("lo:"));
    assertThat(ip(sealed(), "route").out()).isEmpty();
    assertThat(ip(sealed(), "-6", "route", "show", "default").out()).isEmpty();
    assertThat(ip(sealed(), "-o", "address").out()).contains("127.0.0.1/8", "10.255.0.1", "::1");
    assertThat(ip(onTheNode(ALICE), "-o", "link").out().lines()).hasSizeGreaterThan(1);
    assertThat(ip(sealed(), "address", "add", "10.9.9.9/24", "dev", "lo").err())
        .contains("Operation not permitted");
    assertThat(ip(sealed(), "link", "add", "out", "type", "dummy").err())
        .contains("Operation not permitted");
    for (ProcessEntry process : ProcessEntry.tree(supervisor.pid())) {
      assertThat(process.lines("status"))
          .as(process.toString())
          .contains("CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "NoNewPrivs:\t1");
    }
  }

  private static Command.Outcome ip(Place place, String... arguments) {
    List<String> command = new ArrayList<>(List.of("/usr/sbin/ip"));
    command.addAll(List.of(arguments));
    return Command.run(place.process(command), "", LIMIT);
  }

  /// nftables cannot be laid by a session there: what the guest then reaches of the namespace's own
  /// IPv4 loopback is UDP, of which there is none but its own (docs/security-model.md).
  @Test
  void theGuestsRootReachesNothingOfTheNode() throws IOException {
    try (GuestTargets outside = GuestTargets.open(onTheNode(0), List.of(N1));
        GuestTargets inside = GuestTargets.open(sealed(), List.of());
        GuestShell shell = GuestShell.open(runtime().resolve("machine/sockets/test"))) {
      shell.run(GuestIsolationTest.FORCE_IPV6).orFail();
      assertThat(shell.probe(outside.probes()).reached()).isEmpty();
      assertThat(outside.canaries().contacted()).isEmpty();
      Predicate<String> udpOfIpv4 = name -> name.startsWith("udp") && !name.contains(":");
      assertThat(shell.probe(inside.probes()).reached())
          .containsExactlyInAnyOrderElementsOf(
              inside.probes().stream().map(Probe::name).filter(udpOfIpv4).toList());
    }
  }

  private static Path runtime() {
    String homes = "/run/home/alice/.local/state/casement/sessions/";
    String json = cluster.run("cat " + homes + session + "/session.json").out();
    return Path.of(json.replaceAll("(?s).*\"runtime\":\"([^\"]+)\".*", "$1"));
  }

  /// What the same account can do to the supervisor from outside, and, as the twin, to a process of
  /// its own. Of the helpers docs/iso_netns.md says what is open, and the cure.
  @Test
  void theSameAccountCannotTouchTheSupervisor() throws Exception {
    List<String> sleeping = List.of("/usr/bin/unshare", "-Urn", "/usr/bin/sleep", "1000");
    Process own = onTheNode(ALICE).process(sleeping).start();
    try {
      ProcessEntry asleep = process(ALICE, "sleep", "1000");
      assertThat(touched(ALICE, asleep))
          .containsEntry("environ", true)
          .containsEntry("mem", true)
          .containsEntry("enter-user", true)
          .containsEntry("pidfd_getfd", true)
          .containsEntry("ptrace", true);
      assertThat(touched(ALICE, supervisor).values()).containsOnly(false);
      assertThat(touched(BOB, asleep).values()).containsOnly(false);
      ProcessEntry qemu = process(ALICE, "qemu-system-x86");
      assertThat(touched(ALICE, qemu)).containsEntry("enter-net", false);
      assertThat(touched(BOB, qemu).values()).containsOnly(false);
    } finally {
      own.destroyForcibly().waitFor();
    }
  }

  private static Map<String, Boolean> touched(int uid, ProcessEntry process) throws IOException {
    try (InputStream script =
        Objects.requireNonNull(
            SubmittedIsolationTest.class.getResourceAsStream("/touch-process.pl"))) {
      List<String> command =
          List.of(
              "/usr/bin/perl",
              "-e",
              new String(script.readAllBytes(), UTF_8),
              Integer.toString(process.pid()));
      String said = Command.run(onTheNode(uid).process(command), "", LIMIT).orFail();
      Map<String, Boolean> touched = new TreeMap<>();
      said.lines()
          .map(line -> line.split(" ", 2))
          .forEach(words -> touched.put(words[0], words[1].equals("yes")));
      assertThat(touched).hasSize(8);
      return touched;
    }
  }

  @Test
  void noOtherStepComesIn() {
    for (String option : new String[] {"", "--iso-netns"}) {
      Command.Outcome refused =
          cluster.as("alice", "srun --overlap --jobid=" + job + " " + option + " true");
      assertThat(refused.status()).isNotZero();
      assertThat(refused.err()).contains("nobody joins a session of Casement's");
    }
    // Twin.
    assertThat(cluster.alice("srun --nodelist=n1 --iso-netns echo in").strip()).isEqualTo("in");
  }
}
