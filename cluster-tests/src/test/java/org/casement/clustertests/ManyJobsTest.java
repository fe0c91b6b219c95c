package org.casement.clustertests;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.casement.testkit.Await;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Many jobs, one after the other, at once, and cancelled at whatever stage, leave nothing.
final class ManyJobsTest {
  private static final Duration LIMIT = Duration.ofMinutes(2);

  private static Cluster cluster;

  @BeforeAll
  static void start() {
    cluster = Cluster.start();
    cluster.startAgent("n1", "listener_ports = \"21000-21099\"", "listener_rest = \"0s\"");
    cluster.alice("srun --iso-netns-listeners=1,1 true");
    cluster.awaitGround("n1");
  }

  @AfterAll
  static void end() {
    cluster.close();
  }

  private static void assertBackTo(String before) {
    cluster.awaitNoJobs();
    Await.until(
        "nothing is left",
        LIMIT,
        () -> cluster.holdings("n1").equals(before),
        () -> before + "before, now\n" + cluster.holdings("n1") + cluster.logs());
    assertThat(cluster.states()).isEqualTo("idle");
  }

  private static long sealed() {
    return cluster.agentLog("n1").lines().filter(line -> line.contains(": sealed in")).count();
  }

  @Test
  void threeHundredOneAfterTheOther() {
    String before = cluster.holdings("n1");
    long already = sealed();
    cluster.alice(
        "sbatch -Q --array=1-300 --output=/dev/null --iso-netns-listeners=1,1 --wrap 'sleep 0.05'");
    Await.until("some of them hold something", LIMIT, () -> !cluster.holdings("n1").equals(before));
    Await.until("all are over", LIMIT, () -> cluster.run("squeue -h -r").out().isBlank());
    assertBackTo(before);
    assertThat(sealed() - already).isEqualTo(300);
    assertThat(cluster.agentLog("n1")).doesNotContain("refused");
  }

  @Test
  void fiftyAtOnceAndCancelledAtWhateverStage() {
    cluster.run("scontrol update nodename=n1 state=idle; true");
    String before = cluster.holdings("n1");
    long already = sealed();
    cluster.alice(
        "for i in $(seq 50); do sbatch -Q --overcommit -n1 --output=/dev/null --iso-netns-listeners=1 --wrap 'sleep 30' & done; wait;"
            + " for i in $(seq 10); do sleep 0.$i; squeue -h -o %A | shuf -n 6 | xargs -r scancel 2>/dev/null; done; scancel --user=alice");
    assertThat(sealed()).as("some came as far as that").isGreaterThan(already);
    assertBackTo(before);
  }

  @Test
  void fiftyTasksAtOnceInOneNamespace() {
    String before = cluster.holdings("n1");
    assertThat(
            cluster
                .alice("srun --overcommit -n 50 --iso-netns-listeners=1 readlink /proc/self/ns/net")
                .lines()
                .distinct())
        .hasSize(1);
    assertBackTo(before);
  }
}
