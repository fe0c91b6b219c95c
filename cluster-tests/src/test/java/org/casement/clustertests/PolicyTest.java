package org.casement.clustertests;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// What the administrator decides: which jobs are sealed whether they ask or not, and who joins
/// them. AccountingTest has QOS, which are not there without slurmdbd.
final class PolicyTest {
  private static final String INTERFACES = "sh -c 'echo $(cut -d: -f1 /proc/net/dev | tail -n +3)'";
  private static final String KEY = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";

  private static Cluster cluster;

  @BeforeAll
  static void start() {
    cluster =
        Cluster.start(1, "", "--conf", "PartitionName=locked Nodes=ALL MaxTime=INFINITE State=UP");
  }

  @AfterAll
  static void end() {
    cluster.close();
  }

  @AfterEach
  void noNodeIsDrained() {
    cluster.run("scancel --user=alice");
    cluster.awaitNoJobs();
    cluster.run("pkill -KILL -f 'casement.* node'; true");
    assertThat(cluster.states()).isEqualTo("idle");
  }

  private static void assertSealed(String options) {
    assertThat(cluster.alice("srun " + options + " " + INTERFACES)).as(options).isEqualTo("lo\n");
  }

  private static void assertOpen(String options) {
    assertThat(cluster.alice("srun " + options + " " + INTERFACES)).as(options).contains("eth0");
  }

  @Test
  void aPartition() {
    cluster.startAgent("n1", "sealed_partitions = [\"locked\"]");
    assertSealed("-p locked");
    assertOpen("-p main");
    assertThat(cluster.alice("SLURM_JOB_PARTITION=main srun -p locked " + INTERFACES))
        .isEqualTo("lo\n");
    // While the agent is away, those that must be sealed are refused.
    String job = cluster.submit("-p locked", "sleep 100");
    cluster.awaitOutput(job, "");
    Await.until(
        "it is sealed",
        Duration.ofSeconds(20),
        () -> cluster.agentLog("n1").contains("job " + job + ": sealed"));
    cluster.killAgent("n1");
    Command.Outcome step = cluster.as("alice", "srun --overlap --jobid=" + job + " " + INTERFACES);
    assertThat(step.status()).isNotZero();
    assertThat(step.err()).contains("must run in a sealed network");
    assertOpen("-p main");
    cluster.startAgain("n1");
    assertSealed("--overlap --jobid=" + job);
  }

  /// A refusal, here for want of ports, does not open the way for when the agent is away.
  @Test
  void theMarkOutlastsARefusal() {
    cluster.startAgent(
        "n1", "sealed_partitions = [\"locked\"]", "listener_ports = \"23100-23100\"");
    cluster.write(
        "/run/home/alice/steps",
        "srun --iso-netns-listeners=2 true; touch asked; while [ ! -e go ]; do sleep 0.1; done;"
            + " srun echo ran\n");
    cluster.alice("rm -f asked go; salloc -Q -p locked bash steps >steps.out 2>&1 </dev/null &");
    Await.until(
        "the first step is refused",
        Duration.ofSeconds(20),
        () -> cluster.run("test -e /run/home/alice/asked").status() == 0,
        cluster::logs);
    String marks = cluster.on("n1", "ls /run/casement/sealed").out();
    cluster.killAgent("n1");
    cluster.alice("touch go");
    cluster.awaitNoJobs();
    String said = cluster.run("cat /run/home/alice/steps.out").out();
    assertThat(said).contains("all listener ports of this node are in use");
    assertThat(said).doesNotContain("ran\n").contains("must run in a sealed network");
    assertThat(marks).isNotEmpty();
  }

  /// The controller's word counts, not what the user writes into the environment.
  @Test
  void anAccount() {
    cluster.startAgent("n1", "sealed_accounts = [\"secret\"]");
    assertSealed("-A secret");
    assertOpen("-A public");
    assertOpen("");
    assertThat(
            cluster.alice(
                "SLURM_JOB_ACCOUNT=public SLURM_JOB_PARTITION=x srun -A secret " + INTERFACES))
        .isEqualTo("lo\n");
  }

  @Test
  void aReservation() {
    cluster
        .run(
            "scontrol create reservation reservationname=quiet starttime=now duration=60 users=alice nodecnt=1 flags=overlap")
        .orFail();
    cluster.startAgent("n1", "sealed_reservations = [\"quiet\"]");
    assertSealed("--reservation=quiet");
    cluster.run("scontrol delete reservationname=quiet").orFail();
    assertOpen("");
  }

  @Test
  void whoCannotBeAskedSealsNobodyInTheOpen() {
    cluster.startAgent("n1", "sealed_accounts = [\"secret\"]", "squeue = \"/bin/false\"");
    Command.Outcome refused = cluster.as("alice", "srun -A public " + INTERFACES);
    assertThat(refused.status()).isNotZero();
    assertThat(refused.err())
        .contains("the controller does not say whether this job must be sealed");
    assertSealed("--iso-netns");
  }

  @Test
  void reportingOnly() {
    cluster.startAgent(
        "n1",
        "report_only = true",
        "sealed_partitions = [\"locked\"]",
        "sealed_accounts = [\"secret\"]");
    assertOpen("-p locked");
    assertThat(cluster.agentLog("n1")).contains("would be sealed by policy (partition locked)");
    assertOpen("-A secret");
    assertThat(cluster.agentLog("n1").split("would be sealed", -1)).hasSize(3);
    assertOpen("");
    assertThat(cluster.agentLog("n1").split("would be sealed", -1)).hasSize(3);
    assertSealed("--iso-netns");
  }

  private static String sleeping(String options) {
    String job = cluster.submit("--iso-netns " + options, "readlink /proc/self/ns/net; sleep 100");
    return job + " " + cluster.awaitOutput(job, "net:").strip();
  }

  private static Command.Outcome outside(String job, String options) {
    return cluster.as(
        "alice", "srun --overlap --jobid=" + job + " " + options + " readlink /proc/self/ns/net");
  }

  @Test
  void stepsFromOutsideJoin() {
    cluster.startAgent("n1");
    String[] job = sleeping("").split(" ", -1);
    assertThat(outside(job[0], "").out().strip()).isEqualTo(job[1]);
    assertThat(
            cluster
                .as("bob", "srun --overlap --jobid=" + job[0] + " readlink /proc/self/ns/net")
                .status())
        .isNotZero();
    assertThat(
            cluster.alice(
                "srun --overlap --jobid=" + job[0] + " sh -c 'env | grep -c LISTENING; true'"))
        .isEqualTo("0\n");
  }

  @Test
  void stepsFromOutsideRunInTheOpen() {
    cluster.startAgent("n1", "steps_from_outside = \"open\"");
    String[] job = sleeping("").split(" ", -1);
    assertThat(outside(job[0], "").out())
        .isEqualTo(cluster.on("n1", "readlink /proc/self/ns/net").out());
    assertThat(outside(job[0], "--iso-netns").out().strip()).isEqualTo(job[1]);
  }

  @Test
  void stepsFromOutsideNeverRun() {
    cluster.startAgent("n1", "steps_from_outside = \"never\"");
    String[] job = sleeping("").split(" ", -1);
    Command.Outcome refused = outside(job[0], "");
    assertThat(refused.status()).isNotZero();
    assertThat(refused.err()).contains("the administrator lets no step in");
    assertThat(outside(job[0], "--iso-netns").out().strip()).isEqualTo(job[1]);
  }

  /// Not even who asks, nor who took the mark of a session off in the meantime.
  @Test
  void nobodyJoinsASession() {
    cluster.startAgent("n1");
    String[] job = sleeping("--comment=casement:1:" + KEY).split(" ", -1);
    for (String option : new String[] {"", "--iso-netns"}) {
      Command.Outcome refused = outside(job[0], option);
      assertThat(refused.status()).isNotZero();
      assertThat(refused.err()).contains("nobody joins a session of Casement's");
    }
    cluster.alice("scontrol update jobid=" + job[0] + " comment=none");
    assertThat(outside(job[0], "").err()).contains("nobody joins a session of Casement's");
    cluster.killAgent("n1");
    cluster.startAgain("n1");
    assertThat(outside(job[0], "").err()).contains("nobody joins a session of Casement's");
    // The same with another comment is joined.
    String[] other = sleeping("--comment=casement:1:short").split(" ", -1);
    assertThat(outside(other[0], "").out().strip()).isEqualTo(other[1]);
  }

  @Test
  void onlyRootsConfigurationIsTaken() {
    cluster.write("/run/cluster/n1.toml", "[node]\n");
    for (String spoil : new String[] {"chmod 666", "chown alice"}) {
      cluster.run(spoil + " /run/cluster/n1.toml").orFail();
      cluster.launch("n1");
      Await.until(
          "it is refused",
          Duration.ofSeconds(20),
          () -> cluster.agentLog("n1").contains("can be changed by others than root"),
          () -> cluster.agentLog("n1"));
      cluster.run("chown root /run/cluster/n1.toml; chmod 644 /run/cluster/n1.toml").orFail();
    }
    // Nor one that somebody else could put another in the place of.
    cluster
        .run("install -d -o alice /run/cluster/theirs; mv /run/cluster/n1.toml /run/cluster/theirs")
        .orFail();
    cluster.run("ln -s theirs/n1.toml /run/cluster/n1.toml").orFail();
    cluster.launch("n1");
    Await.until(
        "it is refused",
        Duration.ofSeconds(20),
        () -> cluster.agentLog("n1").contains("can be changed by others than root"),
        () -> cluster.agentLog("n1"));
    cluster.run("rm /run/cluster/n1.toml").orFail();
    cluster.startAgent("n1");
    assertSealed("--iso-netns");
  }

  @Test
  void aFewListeners() {
    cluster.startAgent("n1", "listener_limit = 2", "listener_ports = \"23000-23003\"");
    assertSealed("--iso-netns-listeners=2");
    Command.Outcome more = cluster.as("alice", "srun --iso-netns-listeners=3 echo ran");
    assertThat(more.err()).contains("the administrator allows 2 listeners a job");
    // The rest outlasts the agent.
    cluster.killAgent("n1");
    cluster.startAgain("n1");
    assertSealed("--iso-netns-listeners=2");
    Command.Outcome none = cluster.as("alice", "srun --iso-netns-listeners=1 echo ran");
    assertThat(none.status()).isNotZero();
    assertThat(none.err()).contains("all listener ports of this node are in use");
  }
}
