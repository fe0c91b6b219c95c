package org.casement.clustertests;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.junit.jupiter.api.Test;

/// The tests' own ground: a cluster is all of its own, and goes as a whole.
final class ClusterTest {
  private static String outside() {
    return Command.run(
            "sh",
            "-c",
            "pgrep -c 'slurm|munged'; ls -d /var/tmp/ct-cluster-* 2>/dev/null | wc -l;"
                + " grep -c casement-cluster /proc/self/mountinfo;"
                + " nft list ruleset 2>/dev/null | grep -c casement; ls /run/casement/node.sock 2>/dev/null | wc -l")
        .out();
  }

  @Test
  void nothingIsLeftOfIt() {
    String before = outside();
    try (Cluster cluster = Cluster.start(2, "")) {
      assertThat(outside()).isNotEqualTo(before);
      cluster.startAgent("n1");
      cluster.startAgent("n2");
      assertThat(cluster.alice("srun -N 2 --iso-netns-listeners=1 hostname").lines())
          .containsExactlyInAnyOrder("n1", "n2");
      cluster.submit("--iso-netns", "sleep 1000");
    }
    Await.until("all is gone", Duration.ofSeconds(10), () -> outside().equals(before));
  }
}
