package org.casement.clustertests;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What jobs that were written for spank_iso_netns rely on, and what they find better.
final class CompatibilityTest {
  private static final String NAMESPACE = "readlink /proc/self/ns/net";

  private static Cluster cluster;

  @BeforeAll
  static void start() {
    cluster = Cluster.start(2, "");
    cluster.startAgent("n1");
    cluster.startAgent("n2");
  }

  @AfterAll
  static void end() {
    cluster.close();
  }

  @AfterEach
  void noNodeIsDrained() {
    cluster.run("scancel --user=alice");
    cluster.awaitNoJobs();
    assertThat(cluster.states()).isEqualTo("idle");
  }

  private static String node() {
    return cluster.on("n1", NAMESPACE).orFail();
  }

  @Test
  void aSealedJobHasLoopbackAndNothingElse() {
    String seen =
        cluster.alice(
            "srun -w n1 --iso-netns sh -c '"
                + NAMESPACE
                + "; cut -d: -f1 /proc/net/dev | tail -n +3; cat /proc/net/route | wc -l;"
                + " cat /proc/sys/net/ipv4/ip_unprivileged_port_start; env | grep SEALED;"
                + " grep -c . /proc/net/if_inet6'");
    assertThat(seen).doesNotContain(node().strip());
    assertThat(seen.lines().skip(1).map(String::strip))
        .containsExactly("lo", "1", "0", "SPANK_ISO_NETNS_SEALED=1", "1");
  }

  @Test
  void aJobThatDoesNotAskIsLeftAlone() {
    String seen = cluster.alice("srun -w n1 sh -c '" + NAMESPACE + "; env | grep ISO_NETNS; true'");
    assertThat(seen).isEqualTo(node());
  }

  /// Both addresses, and what getaddrinfo(3) does with AI_ADDRCONFIG where there is loopback only.
  @Test
  void servicesWithinTheJobFindEachOther() {
    assertThat(
            cluster.alice(
                "srun -w n1 --iso-netns perl -MSocket=:all -e '"
                    + "my ($e, @a) = getaddrinfo(\"localhost\", \"80\", {socktype => SOCK_STREAM, flags => AI_ADDRCONFIG});"
                    + "print \"found \", scalar(@a) > 0 ? 1 : $e, \"\\n\";"
                    + "for my $h (\"127.0.0.1\", \"10.255.0.1\") {"
                    + " socket(my $l, AF_INET, SOCK_STREAM, 0); bind($l, sockaddr_in(80, inet_aton($h))) or die $!; listen($l, 1);"
                    + " socket(my $c, AF_INET, SOCK_STREAM, 0); print connect($c, sockaddr_in(80, inet_aton($h))) ? \"yes\\n\" : \"$!\\n\"}'"))
        .isEqualTo("found 1\nyes\nyes\n");
  }

  @Test
  void listenersComeWithTheirVariables() {
    String seen =
        cluster.alice(
            "srun -w n1 --iso-netns-listeners=2,1 sh -c '"
                + "for i in 0 1 2; do eval \"echo \\$SPANK_ISO_NETNS_LISTENING_PROTO_$i \\$SPANK_ISO_NETNS_LISTENING_PORT_$i"
                + " \\$(readlink /proc/self/fd/\\$SPANK_ISO_NETNS_LISTENING_FD_$i | cut -d: -f1)\"; done;"
                + " env | grep -c SPANK_ISO_NETNS_LISTENING; cut -d: -f1 /proc/net/dev | tail -n +3'");
    List<String> lines = seen.lines().map(String::strip).toList();
    assertThat(lines).hasSize(5);
    assertThat(lines.get(0)).matches("tcp 2[0-9]{4} socket");
    assertThat(lines.get(1)).matches("tcp 2[0-9]{4} socket");
    assertThat(lines.get(2)).matches("udp 2[0-9]{4} socket");
    assertThat(lines.subList(3, 5)).containsExactly("9", "lo");
    assertThat(lines.subList(0, 3)).doesNotHaveDuplicates();
  }

  @Test
  void theMostThatSpankIsoNetnsAllowed() {
    assertThat(
            cluster.alice(
                "srun -w n1 --iso-netns-listeners=20,20 sh -c"
                    + " 'env | grep -c LISTENING; ls -l /proc/$$/fd | grep -c socket:'"))
        .isEqualTo("120\n40\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " 3", "+2", "01", "1,", "0", "0,0"})
  void countsThatItTook(String count) {
    assertThat(
            cluster.alice(
                "srun -w n1 '--iso-netns-listeners=" + count + "' sh -c 'env | grep SEALED'"))
        .isEqualTo("SPANK_ISO_NETNS_SEALED=1\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"abc", "-1", "21", "0x10", "1,2,3", "99999999999999999999", "1,21", ",,"})
  void countsThatItRefused(String count) {
    Command.Outcome refused =
        cluster.as("alice", "srun -w n1 '--iso-netns-listeners=" + count + "' echo ran");
    assertThat(refused.status()).isNotZero();
    assertThat(refused.out()).doesNotContain("ran");
    assertThat(refused.err()).contains("takes numbers from 0 to 20");
  }

  /// Past srun's own check, by the environment in which Slurm passes options on. The node stays.
  @ParameterizedTest
  @ValueSource(strings = {"abc", "1,2,3", "21", "1\nasked 0", "-1", "1,\nuid 0"})
  void countsThatAreForged(String count) {
    Command.Outcome refused =
        cluster.as(
            "alice",
            "export _SLURM_SPANK_OPTION_spank_iso_netns_iso_netns_listeners='"
                + count
                + "'; srun -w n1 echo ran");
    assertThat(refused.out()).doesNotContain("ran");
    assertThat(refused.status()).isNotZero();
    assertThat(
            cluster.alice(
                "export _SLURM_SPANK_OPTION_spank_iso_netns_iso_netns_listeners=1;"
                    + " srun -w n1 sh -c 'env | grep -c LISTENING_FD'"))
        .isEqualTo("1\n");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--iso-netns-proxies=tcp@10.0.0.1:80",
        "--iso-netns-http-proxy-conf=x",
        "--iso-netns-options=x"
      })
  void waysOutAreRefused(String option) {
    Command.Outcome refused = cluster.as("alice", "srun -w n1 " + option + " echo ran");
    assertThat(refused.status()).isNotZero();
    assertThat(refused.out()).doesNotContain("ran");
    assertThat(refused.err()).contains("docs/iso_netns.md");
  }

  @Test
  void theOldNameOfTheOptionSealsToo() {
    assertThat(
            cluster.alice(
                "srun -w n1 --iso-netns-tcp-listeners=1 sh -c 'env | grep -c LISTENING;"
                    + " cut -d: -f1 /proc/net/dev | tail -n +3'"))
        .matches("3\n\\s*lo\n");
  }

  /// With socket activation, as sd_listen_fds(3) has it: from descriptor 3 on, and nothing else.
  @Test
  void listenersForProgramsWithSocketActivation() {
    String show =
        "echo $LISTEN_FDS $LISTEN_PID = $$; for f in /proc/$$/fd/*; do echo ${f##*/} $(readlink $f | cut -d: -f1); done | sort -n";
    List<String> seen =
        cluster
            .alice(
                "srun -w n1 --iso-netns-listeners=2,1 "
                    + cluster.program()
                    + " activate -- bash -c '"
                    + show
                    + "'")
            .lines()
            .toList();
    assertThat(seen.getFirst()).matches("3 ([0-9]+) = \\1");
    assertThat(seen).contains("3 socket", "4 socket", "5 socket").doesNotContain("6 socket");
    assertThat(seen.stream().filter(line -> line.endsWith(" socket"))).hasSize(3);
    Command.Outcome none =
        cluster.as("alice", "srun -w n1 --iso-netns " + cluster.program() + " activate -- true");
    assertThat(none.status()).isEqualTo(64);
    assertThat(none.err()).contains("this step has no listeners");
    Command.Outcome absent =
        cluster.as(
            "alice",
            "srun -w n1 --iso-netns-listeners=1 "
                + cluster.program()
                + " activate -- nothing-here");
    assertThat(absent.status()).isEqualTo(127);
  }

  @Test
  void tasksOfAStepShareNamespaceAndSockets() {
    List<String> seen =
        cluster
            .alice(
                "srun -w n1 -n 3 --iso-netns-listeners=1 sh -c '"
                    + NAMESPACE
                    + "; readlink /proc/self/fd/$SPANK_ISO_NETNS_LISTENING_FD_0;"
                    + " echo $SPANK_ISO_NETNS_LISTENING_PORT_0'")
            .lines()
            .toList();
    assertThat(seen).hasSize(9);
    assertThat(seen.stream().distinct()).hasSize(3);
  }

  @Test
  void elementsOfAnArrayDoNotShare() {
    String array =
        cluster.submit(
            "-w n1 --array=1-2 --iso-netns-listeners=1 --output=element-%a",
            "echo port $SPANK_ISO_NETNS_LISTENING_PORT_0; "
                + NAMESPACE
                + "; while [ ! -e go ]; do sleep 0.1; done");
    String both = "cat /run/home/alice/element-1 /run/home/alice/element-2 2>/dev/null";
    Await.until(
        "both elements run",
        Duration.ofSeconds(30),
        () -> cluster.run(both + " | grep -c net:").out().strip().equals("2"),
        cluster::logs);
    assertThat(cluster.run(both).out().lines().distinct()).as(array).hasSize(4);
    cluster.alice("touch go");
    cluster.awaitNoJobs();
    cluster.alice("rm go element-*");
  }

  @Test
  void componentsOfAHeterogeneousJobDoNotShare() {
    List<String> seen =
        cluster
            .alice(
                "srun --iso-netns -n 1 : --iso-netns -n 1 sh -c '"
                    + NAMESPACE
                    + "; cut -d: -f1 /proc/net/dev | tail -n +3'")
            .lines()
            .map(String::strip)
            .sorted()
            .toList();
    assertThat(seen.subList(0, 2)).containsExactly("lo", "lo");
    assertThat(seen.subList(2, seen.size())).hasSize(2).doesNotHaveDuplicates();
  }

  @Test
  void eachNodeHasItsOwn() {
    String seen =
        cluster.alice(
            "srun -N 2 --iso-netns-listeners=1 sh -c 'echo $(hostname) $(cut -d: -f1 /proc/net/dev | tail -n +3)"
                + " $SPANK_ISO_NETNS_LISTENING_PROTO_0'");
    assertThat(seen.lines()).containsExactlyInAnyOrder("n1 lo tcp", "n2 lo tcp");
  }

  /// The shell is where the user is; the steps are sealed, and share.
  @Test
  void stepsOfAnAllocationShare() {
    List<String> seen =
        cluster
            .alice(
                "salloc -Q -w n1 --iso-netns-listeners=1 sh -c '"
                    + "srun sh -c \""
                    + NAMESPACE
                    + "; echo \\$SPANK_ISO_NETNS_LISTENING_PORT_0\";"
                    + "srun sh -c \""
                    + NAMESPACE
                    + "; echo \\$SPANK_ISO_NETNS_LISTENING_PORT_0\"; "
                    + NAMESPACE
                    + "'")
            .lines()
            .toList();
    assertThat(seen).hasSize(5);
    assertThat(seen.subList(0, 2)).isEqualTo(seen.subList(2, 4));
    assertThat(seen.get(4)).isNotEqualTo(seen.get(0));
  }

  @Test
  void aLaterStepThatWantsOtherListenersIsRefused() {
    Command.Outcome outcome =
        cluster.as(
            "alice",
            "salloc -Q -w n1 --iso-netns-listeners=1 sh -c 'srun true && echo first;"
                + " srun --iso-netns-listeners=2 echo other; srun --iso-netns-listeners=1 echo same'");
    assertThat(outcome.out()).isEqualTo("first\nsame\n");
    assertThat(outcome.err()).contains("this job has 1 TCP and 0 UDP listeners, and no others");
  }

  /// Nobody else has a copy that would go on taking connections.
  @Test
  void aListenerThatTheJobClosesIsClosed() {
    String job =
        cluster.submit(
            "-w n1 --iso-netns-listeners=1",
            "echo port $SPANK_ISO_NETNS_LISTENING_PORT_0; while [ ! -e go ]; do sleep 0.1; done;"
                + " eval \"exec $SPANK_ISO_NETNS_LISTENING_FD_0>&-\"; echo closed; sleep 100");
    String port = cluster.awaitOutput(job, "port 2").replaceAll("(?s).*port ([0-9]+).*", "$1");
    String listening = "ss -Hltn 'sport = :%s' | wc -l".formatted(port);
    assertThat(cluster.on("n1", listening).out()).isEqualTo("1\n");
    cluster.alice("touch go");
    cluster.awaitOutput(job, "closed");
    assertThat(cluster.on("n1", listening).out()).isEqualTo("0\n");
    cluster.alice("rm go");
  }

  @Test
  void fromInsideSlurmIsRefusedAtOnce() {
    String job =
        cluster.submit(
            "-w n1 --iso-netns",
            "for c in 'srun true' 'sbatch --wrap true' 'salloc true'; do time timeout 20 $c; echo status $?; done");
    cluster.awaitNoJobs();
    String said = cluster.run("cat /run/home/alice/out-" + job).out();
    assertThat(said.split("this job is sealed", -1)).hasSize(4);
    assertThat(said).doesNotContain("status 0").doesNotContain("status 124");
    assertThat(said.lines().filter(line -> line.startsWith("real")))
        .allMatch(line -> line.matches("real\\s+0m0\\.[0-9]+s"));
  }

  @Test
  void whatAJobLeavesBehindIsEnded() {
    String job =
        cluster.submit(
            "-w n1 --iso-netns-listeners=1",
            "setsid sleep 987 </dev/null >/dev/null 2>&1 & echo port $SPANK_ISO_NETNS_LISTENING_PORT_0; sleep 1; pgrep -fc 'sleep 98[7]'");
    String said = cluster.awaitOutput(job, "1\n");
    String port = said.replaceAll("(?s).*port ([0-9]+).*", "$1");
    cluster.awaitNoJobs();
    Await.until(
        "it has ended",
        Duration.ofSeconds(10),
        () -> cluster.run("pgrep -f 'sleep 98[7]'").status() != 0,
        cluster::logs);
    assertThat(
            cluster
                .on("n1", "grep -c ':%04X .* 0A ' /proc/net/tcp".formatted(Integer.parseInt(port)))
                .out())
        .isEqualTo("0\n");
  }

  @Test
  void aCancelledJobLeavesNothing() {
    String job = cluster.submit("-w n1 --iso-netns-listeners=1", "echo up; sleep 100");
    cluster.awaitOutput(job, "up");
    assertThat(cluster.holdings("n1")).contains("pins 1", "records 2", "listening 2");
    cluster.alice("scancel " + job);
    cluster.awaitNoJobs();
    Await.until(
        "all is gone",
        Duration.ofSeconds(10),
        () -> cluster.holdings("n1").contains("pins 0\nrecords 0\n"),
        () -> cluster.holdings("n1") + cluster.logs());
    assertThat(cluster.holdings("n1")).contains("listening 1\n");
  }

  @Test
  void aRequeuedJobStartsAfresh() {
    String job =
        cluster.submit(
            "-w n1 --requeue --open-mode=append --iso-netns-listeners=1",
            "echo run $SLURM_RESTART_COUNT port $SPANK_ISO_NETNS_LISTENING_PORT_0 $(cut -d: -f1 /proc/net/dev | tail -n +3); sleep 100");
    String first = cluster.awaitOutput(job, "lo");
    cluster.alice("scontrol requeue " + job);
    cluster.startRequeued(job, "grep -q 'run 1 port' /run/home/alice/out-" + job);
    String both = cluster.awaitOutput(job, "run 1 port");
    assertThat(both.lines().filter(line -> line.endsWith(" lo"))).hasSize(2);
    String port = "(?s).*?port ([0-9]+).*";
    assertThat(both.substring(first.length()).replaceAll(port, "$1"))
        .isNotEqualTo(first.replaceAll(port, "$1"));
  }
}
