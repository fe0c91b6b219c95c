package org.casement.clustertests;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/// Jobs outlive the agent, and what they hold does not outlive them, whoever is killed.
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class AgentRestartTest {
  private static final Duration LIMIT = Duration.ofSeconds(20);
  private static final String NAMESPACE = "readlink /proc/self/ns/net";

  private static Cluster cluster;

  @BeforeAll
  static void start() {
    cluster = Cluster.start();
    cluster.startAgent("n1");
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

  private static String sleeping(String options) {
    String job = cluster.submit(options, NAMESPACE + "; sleep 100");
    return job + " " + cluster.awaitOutput(job, "net:").strip();
  }

  private static Command.Outcome step(String job) {
    return cluster.as("alice", "srun --overlap --jobid=" + job + " " + NAMESPACE);
  }

  @Test
  void stepsJoinAfterTheAgentIsReplaced() {
    String[] job = sleeping("--iso-netns-listeners=1,1").split(" ", -1);
    for (String signal : new String[] {"TERM", "KILL"}) {
      assertThat(step(job[0]).out().strip()).isEqualTo(job[1]);
      cluster.signalAgent("n1", signal);
      cluster.startAgain("n1");
      assertThat(cluster.agentLog("n1")).contains("ready; 1 jobs are sealed");
    }
    assertThat(step(job[0]).out().strip()).isEqualTo(job[1]);
    // Its ports are still its own.
    String same =
        cluster.alice(
            "srun --overlap --jobid=%s --iso-netns-listeners=1,1 sh -c 'echo $SPANK_ISO_NETNS_LISTENING_PORT_0'"
                .formatted(job[0]));
    assertThat(
            cluster.alice(
                "srun --iso-netns-listeners=1 sh -c 'echo $SPANK_ISO_NETNS_LISTENING_PORT_0' || true"))
        .isNotEqualTo(same);
    cluster.alice("scancel " + job[0]);
    cluster.awaitNoJobs();
    Await.until("all is gone", LIMIT, () -> cluster.holdings("n1").contains("pins 0\nrecords 0\n"));
  }

  /// The agent holds the port beside the job's socket, and where the job has closed it.
  @Test
  void noPortIsFreeBecauseTheAgentWasReplaced() {
    String job =
        cluster.submit(
            "--iso-netns-listeners=1,1",
            "eval \"exec $SPANK_ISO_NETNS_LISTENING_FD_0>&- $SPANK_ISO_NETNS_LISTENING_FD_1>&-\";"
                + " echo ports $SPANK_ISO_NETNS_LISTENING_PORT_0 $SPANK_ISO_NETNS_LISTENING_PORT_1; sleep 100");
    String[] ports = cluster.awaitOutput(job, "ports 2").strip().split(" ", -1);
    String take =
        "as bob perl -MSocket -e 'for my $p (@ARGV) { socket(my $s, AF_INET, $p == $ARGV[0] ? SOCK_STREAM : SOCK_DGRAM, 0); print bind($s, sockaddr_in($p, INADDR_ANY)) ? \"taken\\n\" : \"not\\n\" }' "
            + ports[1]
            + " "
            + ports[2];
    assertThat(cluster.on("n1", take).out()).isEqualTo("not\nnot\n");
    cluster.killAgent("n1");
    cluster.startAgain("n1");
    assertThat(cluster.on("n1", take).out()).isEqualTo("not\nnot\n");
    // One that the job has: it goes on with it, and so does a later step.
    String serving =
        cluster.submit(
            "--iso-netns-listeners=0,1",
            "echo port $SPANK_ISO_NETNS_LISTENING_PORT_0; exec perl %s echo $SPANK_ISO_NETNS_LISTENING_FD_0"
                .formatted(cluster.copied("escape.pl")));
    String port = cluster.awaitOutput(serving, "port ").replaceAll("(?s).*port ([0-9]+).*", "$1");
    cluster.killAgent("n1");
    cluster.startAgain("n1");
    assertThat(
            cluster
                .run(
                    "perl -MSocket -e 'socket(my $s, AF_INET, SOCK_DGRAM, 0); $SIG{ALRM} = sub { exit 1 }; alarm 10;"
                        + "send($s, \"hello\\n\", 0, sockaddr_in(%s, inet_aton(\"10.77.0.11\"))); recv($s, my $h, 100, 0); print $h'"
                            .formatted(port))
                .out())
        .isEqualTo("answer\n");
  }

  @Test
  void aJobWhoseSlurmstepdIsKilledLeavesNothing() {
    String[] job = sleeping("--iso-netns-listeners=1").split(" ", -1);
    assertThat(cluster.holdings("n1")).contains("pins 1\n");
    cluster.on("n1", "pkill -KILL slurmstepd").orFail();
    cluster.alice("scancel " + job[0]);
    cluster.awaitNoJobs();
    Await.until(
        "all is gone",
        LIMIT,
        () ->
            cluster.holdings("n1").contains("pins 0\nrecords 0\n")
                && cluster.run("pgrep -u alice sleep").status() != 0,
        () -> cluster.holdings("n1") + cluster.logs());
  }

  @Test
  void aJobWhoseNamespaceWasLostIsRefused() {
    String[] job = sleeping("--iso-netns").split(" ", -1);
    assertThat(step(job[0]).out().strip()).isEqualTo(job[1]);
    cluster.on("n1", "umount -l /run/casement/ns/" + job[0]).orFail();
    assertThat(step(job[0]).status()).isNotZero();
    // Another one in its place is no better, and the node's own least of all.
    cluster.on("n1", "mount --bind /proc/self/ns/net /run/casement/ns/" + job[0]).orFail();
    Command.Outcome nodes = step(job[0]);
    assertThat(nodes.status()).isNotZero();
    assertThat(nodes.err()).contains("this is the node's own network namespace");
    cluster.on("n1", "umount -l /run/casement/ns/" + job[0]).orFail();
    cluster
        .on("n1", "unshare -n mount --bind /proc/self/ns/uts /run/casement/ns/" + job[0])
        .orFail();
    assertThat(step(job[0]).err()).contains("this is no handle of a network namespace");
    assertThat(cluster.alice("srun --iso-netns echo ran")).isEqualTo("ran\n");
  }

  /// slurmd is killed with the job's slurmstepd: nobody reports the end.
  @Test
  @Order(Order.DEFAULT + 1)
  void aJobWhoseEndNobodyReportsIsReleasedAllTheSame() {
    String[] job = sleeping("--iso-netns-listeners=1").split(" ", -1);
    cluster
        .on("n1", "pkill -KILL slurmd; pkill -KILL slurmstepd; pkill -KILL -u alice; true")
        .orFail();
    cluster.alice("scancel " + job[0]);
    assertThat(cluster.holdings("n1")).contains("pins 1");
    cluster.startSlurmdAgain("n1");
    cluster.awaitNoJobs();
    cluster.signalAgent("n1", "TERM");
    cluster.startAgain("n1");
    Await.until(
        "all is gone",
        LIMIT,
        () -> cluster.holdings("n1").contains("pins 0\nrecords 0\n"),
        () -> cluster.holdings("n1") + cluster.logs());
    Await.until("the node is idle", Duration.ofSeconds(40), () -> cluster.states().equals("idle"));
    assertThat(cluster.alice("srun --iso-netns echo ran")).isEqualTo("ran\n");
  }
}
