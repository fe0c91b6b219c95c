package org.casement.clustertests;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Policy on a cluster with slurmdbd: qualities of service exist, and an account is one that the
/// user belongs to.
final class AccountingTest {
  private static final String INTERFACES = "sh -c 'echo $(cut -d: -f1 /proc/net/dev | tail -n +3)'";

  private static Cluster cluster;

  @BeforeAll
  static void start() {
    cluster = Cluster.start(1, "", "--accounting", "secret,public");
  }

  @AfterAll
  static void end() {
    cluster.close();
  }

  @AfterEach
  void noNodeIsDrained() {
    cluster.awaitNoJobs();
    cluster.run("pkill -KILL -f 'casement.* node'; true");
    assertThat(cluster.states()).isEqualTo("idle");
  }

  private static void assertSealed(String options) {
    assertThat(cluster.alice(options + " " + INTERFACES)).as(options).isEqualTo("lo\n");
  }

  private static void assertOpen(String options) {
    assertThat(cluster.alice(options + " " + INTERFACES)).as(options).contains("eth0");
  }

  @Test
  void aQualityOfService() {
    cluster.startAgent("n1", "sealed_qos = [\"secret\"]");
    assertSealed("srun --qos=secret");
    assertOpen("srun --qos=public");
    assertOpen("srun");
    // The environment says what its owner likes.
    assertSealed("SLURM_JOB_QOS=public SLURM_QOS=secret srun");
    assertOpen("SLURM_JOB_QOS=secret srun --qos=public");
    // A batch script, and each element of an array.
    for (String options : new String[] {"", "--array=0-1"}) {
      cluster.run("rm -f /run/home/alice/said-*").orFail();
      cluster.submit(
          "--qos=secret " + options,
          "echo $(cut -d: -f1 /proc/net/dev | tail -n +3) >said-$SLURM_JOB_ID");
      cluster.awaitNoJobs();
      assertThat(cluster.run("sort -u /run/home/alice/said-*").out()).as(options).isEqualTo("lo\n");
    }
    // Who may not use it is refused by Slurm already.
    assertThat(cluster.as("bob", "srun --qos=secret true").err()).contains("Invalid qos");
  }

  /// The administrator moves a job that waits.
  @Test
  void aQualityOfServiceThatWasGivenLater() {
    cluster.startAgent("n1", "sealed_qos = [\"secret\"]");
    String job = cluster.submit("--hold", "echo $(cut -d: -f1 /proc/net/dev | tail -n +3)");
    cluster.run("scontrol update job=" + job + " qos=secret && scontrol release " + job).orFail();
    assertThat(cluster.awaitOutput(job, "\n")).isEqualTo("lo\n");
  }

  @Test
  void anAccountThatTheUserBelongsTo() {
    cluster.startAgent("n1", "sealed_accounts = [\"science\"]");
    assertSealed("srun");
    assertSealed("SLURM_JOB_ACCOUNT=other srun");
    assertThat(cluster.as("alice", "srun --account=other true").status()).isNotZero();
    cluster.signalAgent("n1", "TERM");
    cluster.startAgent("n1", "sealed_accounts = [\"other\"]");
    assertOpen("srun");
  }
}
