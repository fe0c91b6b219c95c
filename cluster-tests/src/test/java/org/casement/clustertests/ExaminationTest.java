package org.casement.clustertests;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// What `casement doctor` says on a node whose jobs can be sealed, to an ordinary user, beside what
/// that user can do there.
final class ExaminationTest {
  private static Cluster cluster;

  @BeforeAll
  static void start() {
    cluster = Cluster.start();
    cluster.startAgent("n1");
    cluster.write("/run/cluster/session.toml", "[golden]\nimage = \"/run/cluster/none\"\n");
  }

  @AfterAll
  static void end() {
    cluster.close();
  }

  /// With other findings about a session, which this user has no golden image for.
  private static String doctor() {
    return cluster
        .on(
            "n1",
            "as alice %s doctor --json --config /run/cluster/session.toml"
                .formatted(cluster.program()))
        .out();
  }

  private static void assertFound(String subject, String level, String words) {
    assertThat(doctor())
        .containsPattern(
            "\"subject\":\"%s\",\"level\":\"%s\",\"found\":\"[^\"]*%s"
                .formatted(subject, level, words));
  }

  private static boolean can(String script) {
    return cluster.on("n1", "as alice " + script).status() == 0;
  }

  @Test
  void thePluginAndItsAgent() {
    assertFound("slurm", "ok", "knows --iso-netns");
    assertFound("node-agent", "ok", "is there");
    cluster.run("mv /run/cluster/plugstack.conf /run/cluster/away; : >/run/cluster/plugstack.conf");
    try {
      assertFound("slurm", "warning", "does not know");
      assertThat(doctor()).doesNotContain("node-agent", "proc-net");
    } finally {
      cluster.run("mv /run/cluster/away /run/cluster/plugstack.conf").orFail();
    }
    cluster.killAgent("n1");
    cluster.on("n1", "rm /run/casement/node.sock").orFail();
    assertFound("node-agent", "error", "are refused");
    assertThat(cluster.as("alice", "srun --iso-netns true").status()).isNotZero();
    cluster.startAgent("n1");
    assertFound("node-agent", "ok", "is there");
  }

  @Test
  void theNodesProc() {
    assertThat(can("cat /proc/1/net/tcp")).isTrue();
    assertFound("proc-net", "warning", "connections");
    cluster.on("n1", "mount -o remount,hidepid=invisible /proc").orFail();
    try {
      assertThat(can("cat /proc/1/net/tcp")).isFalse();
      assertFound("proc-net", "ok", "nobody");
    } finally {
      cluster.on("n1", "mount -o remount,hidepid=off /proc").orFail();
    }
  }

  /// This kernel's answers are what they are.
  @Test
  void tracingAndVsock() {
    // PTRACE_ATTACH, of a process that is not its own child; AF_VSOCK
    boolean traces =
        can(
            "sh -c 'sleep 100 >/dev/null 2>&1 & perl -e \"exit(syscall(101, 16, \\$ARGV[0] + 0, 0, 0) != 0)\" $!'");
    assertFound("tracing", traces ? "warning" : "ok", "trace");
    boolean opens = can("perl -e 'socket(my $s, 40, 1, 0) or exit 1'");
    assertFound("vsock", opens ? "warning" : "ok", "AF_VSOCK");
    cluster.run("pkill -KILL -x sleep -u alice");
  }

  @Test
  void whoMakesContainers() {
    assertFound("local-sockets", "ok", "may speak to: none");
    try {
      // What another account may call its own, to be shown on our terminal.
      serve("docker\\e[2J.sock");
      cluster.on("n1", "chmod 666 /run/cluster/docker*").orFail();
      assertFound("local-sockets", "ok", "may speak to: none");
      serve("docker.sock");
      assertFound("local-sockets", "ok", "may speak to: none");
      cluster.on("n1", "chmod 666 /run/cluster/docker.sock").orFail();
      assertFound("local-sockets", "warning", "/run/cluster/docker.sock");
    } finally {
      cluster.run("pkill -KILL -f '/run/cluster/docke[r]'; rm -f /run/cluster/docker*");
    }
  }

  /// Listens until it is killed, for root alone.
  private static void serve(String name) {
    cluster
        .on(
            "n1",
            "perl -MSocket -e 'my $n = \"/run/cluster/%s\"; socket(my $l, AF_UNIX, SOCK_STREAM, 0); bind($l, sockaddr_un($n)) or die $!; listen($l, 5); chmod 0600, $n; sleep 1000' </dev/null >/dev/null 2>&1 & sleep 0.5"
                .formatted(name))
        .orFail();
  }
}
