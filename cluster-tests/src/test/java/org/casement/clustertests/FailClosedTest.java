package org.casement.clustertests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.time.Duration;
import java.time.Instant;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Whatever fails: a task that must be sealed does not run, the user reads why, others run, and no
/// node is drained.
final class FailClosedTest {
  private static Cluster cluster;

  @BeforeAll
  static void start() {
    cluster = Cluster.start();
  }

  @AfterAll
  static void end() {
    cluster.close();
  }

  @AfterEach
  void noNodeIsDrained() {
    cluster.awaitNoJobs();
    cluster.on(
        "n1",
        "pkill -KILL -f 'casement.* node' ; pkill -KILL -f fake-agent;"
            + " umount -l /run/casement/sealed 2>/dev/null; rm -rf /run/casement/*");
    cluster.reload("required", "");
    assertThat(cluster.states()).isEqualTo("idle");
    assertRuns("");
  }

  private static void assertRuns(String options) {
    assertThat(cluster.alice("srun " + options + " echo ran")).isEqualTo("ran\n");
  }

  private static String refused(String options) {
    Command.Outcome outcome =
        cluster.as("alice", "rm -f ran; srun " + options + " sh -c 'touch ran; echo ran'");
    assertThat(outcome.status()).as(outcome.err()).isNotZero();
    assertThat(outcome.out()).isEmpty();
    assertThat(cluster.run("ls /run/home/alice/ran").status()).isNotZero();
    assertThat(outcome.err()).contains("iso_netns: ");
    return outcome.err();
  }

  @Test
  void withoutAnAgent() {
    assertThat(refused("--iso-netns")).contains("/run/casement/node.sock does not answer");
    refused("--iso-netns-listeners=0");
    cluster.startAgent("n1");
    assertRuns("--iso-netns");
    cluster.killAgent("n1");
    refused("--iso-netns");
  }

  /// A batch script is refused like any task: its job fails, and is not requeued.
  @Test
  void aBatchScript() {
    String job = cluster.submit("--iso-netns", "echo ran");
    cluster.awaitNoJobs();
    assertThat(cluster.run("cat /run/home/alice/out-" + job).out())
        .contains("does not answer")
        .doesNotContain("ran\n");
    assertThat(cluster.run("scontrol show job " + job).out()).contains("JobState=FAILED");
  }

  @Test
  void anAgentThatStandsStill() {
    cluster.startAgent("n1");
    cluster.signalAgent("n1", "STOP");
    Instant begin = Instant.now();
    assertThat(refused("--iso-netns")).contains("does not answer");
    assertThat(Duration.between(begin, Instant.now()))
        .isBetween(Duration.ofSeconds(9), Duration.ofSeconds(20));
    assertRuns("");
  }

  /// A file that root made in the job's name decides without the agent.
  @Test
  void aJobWithAMarker() {
    String next = cluster.alice("srun sh -c 'echo $SLURM_JOB_ID'").strip();
    int job = Integer.parseInt(next) + 1;
    cluster.on("n1", "mkdir -p /run/casement/sealed; touch /run/casement/sealed/" + job).orFail();
    assertThat(refused("")).contains("must run in a sealed network");
    assertRuns("");
  }

  @Test
  void whereEverybodyIsSealedUnlessTheAgentSaysOtherwise() {
    cluster.reload("required", "default=sealed");
    refused("");
    cluster.startAgent("n1");
    assertRuns("");
    assertRuns("--iso-netns");
    cluster.reload("required", "default=open");
    cluster.killAgent("n1");
    assertRuns("");
  }

  @Test
  void scriptsOfThePredecessorAreNotPassedOver() {
    cluster.startAgent("n1");
    cluster.reload("required", "setup_script=/etc/slurm/iso_netns.sh");
    assertThat(refused("--iso-netns")).contains("setup_script=/etc/slurm/iso_netns.sh");
    assertRuns("");
  }

  /// Slurm lets no such plugin refuse a task.
  @Test
  void aPluginThatIsOptionalRefusesToo() {
    cluster.reload("optional", "");
    assertThat(refused("--iso-netns")).contains("does not answer");
    assertRuns("");
    cluster.startAgent("n1");
    assertRuns("--iso-netns");
  }

  @Test
  void whereNothingCanBeWritten() {
    cluster.startAgent("n1");
    assertRuns("--iso-netns");
    cluster.on("n1", "mount -t tmpfs -o nr_inodes=1 tmpfs /run/casement/sealed").orFail();
    refused("--iso-netns");
    assertThat(cluster.on("n1", "grep -c '/run/casement/ns/' /proc/self/mountinfo").out())
        .isEqualTo("0\n");
    cluster.on("n1", "umount /run/casement/sealed").orFail();
    assertRuns("--iso-netns");
  }

  /// What says `%s` on the agent's socket, in Perl; each connection the same.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"\"",
        "\"open\"",
        "\"yes\\n\"",
        "\"join\\n\"",
        "\"joined\\nA=b\\n\"",
        "\"joined\\nNO_VALUE\\n\"",
        "\"joined\\nA=#0\\n\"",
        "\"joined\\nA=#-1\\n\"",
        "\"joined\\nA=#99999999999\\n\"",
        "\"joined\\nA=\" . (\"x\" x 9000) . \"\\n\"",
        "\"\\0\\0\\0\"",
        "\"refuse \" . (\"y\" x 7000)",
        "\"create\\n\""
      })
  void anAgentThatTalksNonsense(String answer) {
    cluster.write(
        "/run/cluster/fake-agent.pl",
        """
        use Socket; unlink "/run/casement/node.sock";
        socket(my $l, AF_UNIX, SOCK_SEQPACKET, 0); bind($l, sockaddr_un("/run/casement/node.sock")) or die $!; listen($l, 9);
        while (accept(my $s, $l)) { recv($s, my $heard, 9000, 0); send($s, %s, 0) if length %s; close $s }
        """
            .formatted(answer, answer));
    cluster
        .on("n1", "setsid perl /run/cluster/fake-agent.pl >/dev/null 2>&1 </dev/null &")
        .orFail();
    Await.until(
        "the fake listens",
        Duration.ofSeconds(10),
        () -> cluster.on("n1", "test -S /run/casement/node.sock").status() == 0);
    refused("--iso-netns");
  }

  private static void startFake(String answer, int descriptors, String file) {
    cluster.run("pkill -KILL -f fake-agent; true");
    cluster.on("n1", "rm -f /run/casement/node.sock").orFail();
    cluster
        .on(
            "n1",
            "setsid perl %s '%s' %d %s >/dev/null 2>&1 </dev/null &"
                .formatted(cluster.copied("fake-agent.pl"), answer, descriptors, file))
        .orFail();
    Await.until(
        "the fake listens",
        Duration.ofSeconds(10),
        () -> cluster.on("n1", "ss -Hxl src /run/casement/node.sock | grep -c sock").status() == 0);
  }

  /// With descriptors that are none of a namespace, too many, or too few.
  @Test
  void anAgentThatSendsNonsense() {
    // Else a task could not enter what this agent makes: skips.txt names that run alone.
    assumeThat(cluster.alice("srun readlink /proc/self/ns/user"))
        .isEqualTo(cluster.run("readlink /proc/self/ns/user").out());
    startFake("join\\nA=b\\n", 1, "new");
    assertThat(cluster.alice("srun --iso-netns sh -c 'echo $A $(grep -c : /proc/net/dev)'"))
        .isEqualTo("b 1\n");
    startFake("join\\n", 1, "/dev/null");
    assertThat(refused("--iso-netns")).contains("cannot enter the job's network namespace");
    startFake("join\\n", 1, "/proc/self/ns/uts");
    refused("--iso-netns");
    startFake("join\\n", 60, "new");
    refused("--iso-netns");
    startFake("join\\nA=#1\\n", 1, "new");
    refused("--iso-netns");
  }

  /// It goes on, and no descriptor that comes with a packet stays with it.
  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void anAgentThatHearsNonsense(int seed) {
    cluster.startAgent("n1");
    assertRuns("--iso-netns-listeners=1,1");
    String before = cluster.awaitGround("n1");
    String said =
        cluster.on("n1", "perl %s %d 2500".formatted(cluster.copied("hostile.pl"), seed)).orFail();
    // It got past the first packet, and that often.
    assertThat(said).matches("answered [0-9]{3,}, create [0-9]{2,}\n");
    awaitHoldings(before);
    assertThat(cluster.agentLog("n1"))
        .contains("this is no handle of a network namespace")
        .contains("this is the node's own network namespace")
        .contains("a packet is too long")
        .doesNotContain("Exception");
    assertRuns("--iso-netns-listeners=1,1");
  }

  private static void awaitHoldings(String before) {
    Await.until(
        "nothing is left",
        Duration.ofSeconds(20),
        () -> cluster.holdings("n1").equals(before),
        () -> before + "before, now\n" + cluster.holdings("n1"));
  }

  /// It drops who says nothing: beside as many as it takes, and where the socket takes no more, a
  /// task runs within its ten seconds.
  @ParameterizedTest
  @ValueSource(ints = {200, 1000})
  void anAgentWithPeersThatSayNothing(int peers) {
    cluster.startAgent("n1");
    assertRuns("--iso-netns");
    String before = cluster.awaitGround("n1");
    cluster.on("n1", "rm -f /run/cluster/held").orFail();
    cluster
        .on(
            "n1",
            "setsid perl %s %d /run/cluster/held >/dev/null 2>&1 </dev/null &"
                .formatted(cluster.copied("hold-agent.pl"), peers))
        .orFail();
    Await.until(
        "all are connected",
        Duration.ofSeconds(20),
        () -> cluster.run("test -e /run/cluster/held").status() == 0);
    String[] held = cluster.run("cat /run/cluster/held").out().strip().split(" ", -1);
    if (peers == 200) {
      assertThat(held[0]).isEqualTo("200");
    } else { // 256 that it answers, and what waits
      assertThat(Integer.parseInt(held[0])).isBetween(257, 999);
    }
    assertThat(cluster.holdings("n1")).isNotEqualTo(before);
    assertRuns("--iso-netns");
    cluster.awaitNoJobs();
    awaitHoldings(before); // though they are still there
    cluster.on("n1", "kill -KILL " + held[1]).orFail();
    assertRuns("--iso-netns");
  }

  @Test
  void anAgentWithoutDescriptorsLeft() {
    cluster.startAgent("n1");
    String limit = "prlimit --pid $(cat /run/cluster/agent-n1) --nofile=%d:";
    cluster.run(limit.formatted(5)).orFail();
    refused("--iso-netns");
    cluster.run(limit.formatted(10_000)).orFail();
    assertRuns("--iso-netns");
  }

  /// The socket is root's, and so is what it says.
  @Test
  void nobodyButRootIsAnswered() {
    cluster.startAgent("n1");
    String ask =
        "perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0); connect($s, sockaddr_un(\"/run/casement/node.sock\")) or do { print \"$!\\n\"; exit };"
            + "send($s, \"task 1\\njob 1\\nstep 0\\nuid 0\\ngid 0\\ntasks 1\\nasked 0\\nlisteners \\n\", 0); recv($s, my $h, 9000, 0); print $h'";
    String quoted = "'" + ask.replace("'", "'\\''") + "'";
    assertThat(cluster.on("n1", ask).out()).isEqualTo("open\n");
    assertThat(cluster.on("n1", "as alice sh -c " + quoted).out()).isEqualTo("Permission denied\n");
    cluster.on("n1", "chmod 666 /run/casement/node.sock").orFail();
    assertThat(cluster.on("n1", "as alice sh -c " + quoted).out())
        .isEqualTo("refuse only slurmstepd is answered\n");
  }

  /// Without nft and an account to relay as there are no listeners, and sealing goes on.
  @Test
  void listenersWithoutAFirewall() {
    cluster.startAgent("n1", "nft = \"/nonexistent/nft\"", "relay_account = \"none-such\"");
    assertThat(refused("--iso-netns-listeners=1")).contains("listeners need firewall rules");
    assertRuns("--iso-netns");
  }
}
