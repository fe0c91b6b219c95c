package org.casement.clustertests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.time.Duration;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Ways out of a sealed job, and into one, each tried on canaries that answer, and each tried the
/// same way from a job that is not sealed, where it works.
final class EscapeTest {
  private static final Duration LIMIT = Duration.ofSeconds(20);
  private static final String HEARD = "/run/cluster/heard";

  private static Cluster cluster;
  private static String escape;

  @BeforeAll
  static void start() {
    cluster = Cluster.start();
    escape = cluster.copied("escape.pl");
    cluster.startCanaries(HEARD);
    cluster.startAgent("n1");
  }

  @AfterAll
  static void end() {
    cluster.close();
  }

  @BeforeEach
  void nothingHeard() {
    cluster.run(": >" + HEARD).orFail();
  }

  private static String heard() {
    return cluster.run("cat " + HEARD).out();
  }

  /// In a job that is not sealed, with a socket that it made itself.
  private static String open(String way, String host) {
    return cluster.alice("srun perl " + escape + " " + way + " own " + host).strip();
  }

  private static String sealed(String way, String host) {
    return cluster
        .alice(
            "srun --iso-netns-listeners=1,1 sh -c 'exec perl %s %s $SPANK_ISO_NETNS_LISTENING_FD_%d %s'"
                .formatted(escape, way, way.matches("udp|unmarked") ? 1 : 0, host))
        .strip();
  }

  /// To another host, and to the node itself.
  @ParameterizedTest
  @ValueSource(strings = {"10.77.0.1", "10.77.0.11", "127.0.0.1"})
  void aListenerIsNotTurnedRound(String host) {
    assertThat(open("listener", host)).isEqualTo("got out");
    assertThat(heard()).contains("escaped by listener");
    nothingHeard();
    assertThat(sealed("listener", host)).isEqualTo("connect: Connection refused");
    assertThat(heard()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"10.77.0.1", "127.0.0.1"})
  void noDataLeavesInASyn(String host) {
    assertThat(open("fastopen", host)).isEqualTo("got out");
    assertThat(heard()).contains("escaped by fastopen");
    nothingHeard();
    assertThat(sealed("fastopen", host)).doesNotContain("got out");
    assertThat(heard()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"10.77.0.1", "127.0.0.1"})
  void nothingIsSentOverUdpThatIsNoAnswer(String host) {
    assertThat(open("udp", host)).isEqualTo("sent");
    Await.until("the canary hears", LIMIT, () -> heard().contains("escaped by udp"));
    nothingHeard();
    assertThat(sealed("udp", host)).isEqualTo("send: Operation not permitted");
    // It hears what comes after.
    cluster.on("n1", "perl " + escape + " udp own " + host).orFail();
    Await.until("the canary hears", LIMIT, () -> heard().contains("escaped by udp"));
    assertThat(heard()).isEqualTo("escaped by udp\n");
  }

  /// Sockets of the other family, turned to both.
  @Test
  void noListenerOfIpv6IsTurnedRoundEither() {
    cluster.signalAgent("n1", "TERM");
    cluster.startAgent("n1", "listener_address = \"::\"");
    try {
      for (String way : new String[] {"listener", "fastopen", "udp"}) {
        nothingHeard();
        assertThat(open(way, "::1")).isEqualTo(way.equals("udp") ? "sent" : "got out");
        Await.until("the canary hears", LIMIT, () -> heard().contains("escaped by " + way));
        nothingHeard();
        for (String host : new String[] {"::1", "127.0.0.1", "10.77.0.1"}) {
          assertThat(sealed(way, host))
              .as(way + " to " + host)
              .matches("(connect|send): (Connection refused|Operation not permitted)");
        }
        assertThat(heard()).isEmpty();
      }
    } finally {
      cluster.signalAgent("n1", "TERM");
      cluster.startAgent("n1");
    }
  }

  /// A filter against SYN+ACK does not see a peer that answers a SYN with a SYN.
  @Test
  void noPeerOpensFromItsSide() {
    String peer = cluster.copied("raw-peer.pl");
    cluster.run("setsid perl " + peer + " " + HEARD + " >/dev/null 2>&1 </dev/null &").orFail();
    cluster
        .run(
            "echo 'table inet peer { chain resets { type filter hook output priority 0;"
                + " tcp sport 7002 tcp flags & rst == rst drop; }; }' | nft -f -")
        .orFail();
    Await.until("the peer listens", LIMIT, () -> open("peer", "10.77.0.1").equals("got out"));
    assertThat(heard()).contains("SYN\nescaped by peer\n");
    nothingHeard();
    assertThat(sealed("peer", "10.77.0.1")).isEqualTo("connect: Connection refused");
    assertThat(heard()).isEmpty();
  }

  @Test
  void aPortIsNotLeft() {
    assertThat(open("rebind", "10.77.0.1")).isEqualTo("bind: Invalid argument");
    assertThat(sealed("rebind", "10.77.0.1")).isEqualTo("bind: Invalid argument");
  }

  @Test
  void markAndFilterStay() {
    assertThat(sealed("unmark", "10.77.0.1"))
        .isEqualTo("clear: Operation not permitted\ndetach: Operation not permitted");
    // Nor does root of a user namespace clear it, nor a datagram that says its own.
    assertThat(
            cluster
                .alice(
                    "srun --iso-netns-listeners=1 sh -c 'exec unshare -Ur perl %s unmark $SPANK_ISO_NETNS_LISTENING_FD_0'"
                        .formatted(escape))
                .strip())
        .isEqualTo("clear: Operation not permitted\ndetach: Operation not permitted");
    assertThat(sealed("unmarked", "10.77.0.1")).isEqualTo("send: Operation not permitted");
    assertThat(cluster.on("n1", "perl " + escape + " unmarked own 10.77.0.1").out())
        .isEqualTo("sent\n");
  }

  @Test
  void withoutAListenerThereIsNothing() {
    assertThat(open("plain", "10.77.0.11")).isEqualTo("got out");
    nothingHeard();
    for (String host : new String[] {"10.77.0.1", "10.77.0.11", "127.0.0.1"}) {
      assertThat(cluster.alice("srun --iso-netns perl " + escape + " plain own " + host).strip())
          .matches("connect: (Connection refused|Network is unreachable)");
    }
    assertThat(heard()).isEmpty();
  }

  /// What a listener is for works: from another host, over TCP and UDP.
  @Test
  void listenersServeAndAnAcceptedConnectionIsNotTurnedRoundEither() {
    String job =
        cluster.submit(
            "--iso-netns-listeners=2,1",
            """
            perl %1$s serve $SPANK_ISO_NETNS_LISTENING_FD_0 >serve.out 2>&1
            perl %1$s echo $SPANK_ISO_NETNS_LISTENING_FD_2 >echo.out 2>&1
            perl %1$s accepted $SPANK_ISO_NETNS_LISTENING_FD_1 10.77.0.1
            """
                .formatted(escape));
    assertThat(clientHears("serve.out", "")).isEqualTo("served\n");
    int udp = port("echo.out");
    assertThat(
            cluster
                .run(
                    "perl -MSocket -e 'socket(my $s, AF_INET, SOCK_DGRAM, 0); $SIG{ALRM} = sub { exit 1 }; alarm 10;"
                        + "send($s, \"hello\\n\", 0, sockaddr_in(%d, inet_aton(\"10.77.0.11\"))); recv($s, my $h, 100, 0); print $h'"
                            .formatted(udp))
                .out())
        .isEqualTo("answer\n");
    nothingHeard();
    clientHears("out-" + job, "");
    assertThat(cluster.awaitOutput(job, "connect:")).contains("connect: Connection refused");
    assertThat(heard()).isEmpty();
    cluster.awaitNoJobs();
  }

  private static int port(String file) {
    String path = "/run/home/alice/" + file;
    Await.until(
        "a server says its port",
        LIMIT,
        () -> cluster.run("cat " + path).out().contains("port "),
        cluster::logs);
    return Integer.parseInt(
        cluster.run("cat " + path).out().replaceAll("(?s).*port ([0-9]+).*", "$1"));
  }

  private static String clientHears(String file, String say) {
    return cluster
        .run(
            "perl -MSocket -e 'socket(my $s, AF_INET, SOCK_STREAM, 0); connect($s, sockaddr_in(%d, inet_aton(\"10.77.0.11\"))) or die $!; print $s \"%s\"; my $h = \"\"; sysread($s, $h, 100); print $h'"
                .formatted(port(file), say))
        .out();
  }

  /// Every descriptor of a task: no namespace, no socket but what it was given.
  @Test
  void noDescriptorComesAlong() {
    String list = "for f in /proc/self/fd/*; do readlink $f; done";
    String open = cluster.alice("srun bash -c '" + list + "; true'");
    String sealed = cluster.alice("srun --iso-netns bash -c '" + list + "; true'");
    assertThat(open.lines().filter(line -> line.matches("(socket|net|mnt|anon).*"))).isEmpty();
    assertThat(sealed.lines().filter(line -> line.matches("(socket|net|mnt|anon).*"))).isEmpty();
    assertThat(
            cluster
                .alice("srun --iso-netns-listeners=2,1 bash -c '" + list + "; true'")
                .lines()
                .filter(line -> line.matches("(socket|net|mnt|anon).*")))
        .hasSize(3)
        .allMatch(line -> line.startsWith("socket:"));
    // Neither does slurmstepd keep one.
    String job = cluster.submit("--iso-netns-listeners=1", "echo up; sleep 100");
    cluster.awaitOutput(job, "up");
    assertThat(
            cluster
                .on(
                    "n1",
                    "for p in $(pgrep slurmstepd); do ls -l /proc/$p/fd; done | grep -c 'net:\\['")
                .out())
        .isEqualTo("0\n");
    cluster.alice("scancel " + job);
    cluster.awaitNoJobs();
  }

  /// Services within a sealed job are reached from within only: not by other accounts, and not by
  /// the same one.
  @Test
  void nobodyComesInFromTheNode() {
    String serve =
        "perl -MSocket -e 'socket(my $l, AF_INET, SOCK_STREAM, 0); setsockopt($l, SOL_SOCKET, SO_REUSEADDR, 1);"
            + "bind($l, sockaddr_in(8123, INADDR_ANY)) or die $!; listen($l, 5);"
            + "socket(my $u, AF_INET, SOCK_DGRAM, 0); bind($u, sockaddr_in(8124, INADDR_ANY)) or die $!;"
            + "socket(my $a, AF_UNIX, SOCK_STREAM, 0); bind($a, pack(\"S a*\", AF_UNIX, \"\\0inside\")) or die $!; listen($a, 5);"
            + "$| = 1; print \"up\\n\"; while (my $from = recv($u, my $heard, 9, 0)) { send($u, $heard, 0, $from) }'";
    String reach =
        "perl -MSocket -e 'for my $h (\"127.0.0.1\", \"10.77.0.11\", \"10.255.0.1\") { socket(my $c, AF_INET, SOCK_STREAM, 0); $SIG{ALRM} = sub {}; alarm 2; print connect($c, sockaddr_in(8123, inet_aton($h))) ? \"reached\\n\" : \"not\\n\" }"
            + "socket(my $u, AF_INET, SOCK_DGRAM, 0); connect($u, sockaddr_in(8124, inet_aton(\"127.0.0.1\"))); send($u, \"?\", 0); alarm 2; print defined(recv($u, my $heard, 9, 0)) ? \"reached\\n\" : \"not\\n\"; alarm 0;"
            + "socket(my $a, AF_UNIX, SOCK_STREAM, 0); print connect($a, pack(\"S a*\", AF_UNIX, \"\\0inside\")) ? \"reached\\n\" : \"not\\n\"'";
    for (boolean sealed : new boolean[] {false, true}) {
      String job = cluster.submit(sealed ? "--iso-netns" : "", serve);
      cluster.awaitOutput(job, "up");
      for (String user : new String[] {"alice", "bob"}) {
        String seen =
            cluster.on("n1", "as " + user + " sh -c '" + reach.replace("'", "'\\''") + "'").out();
        assertThat(seen.lines().filter("reached"::equals))
            .as(user + ", sealed: " + sealed)
            .hasSize(sealed ? 0 : 4);
      }
      if (sealed) {
        String pid = cluster.on("n1", "pgrep -f 'bind.*8123' | head -n 1").out().strip();
        for (String way : new String[] {"as alice", "as bob", "as alice unshare -Ur"}) {
          assertThat(cluster.on("n1", way + " nsenter -t " + pid + " -n true").err())
              .as(way)
              .containsPattern("Operation not permitted|Permission denied");
        }
        assertThat(cluster.on("n1", "nsenter -t " + pid + " -n true").status()).isZero();
      }
      cluster.alice("scancel " + job);
      cluster.awaitNoJobs();
    }
  }

  /// Nobody else gets the port of a job that has ended: who still knows it would speak to them.
  @Test
  void thePortOfAJobThatEndedIsNobodys() {
    String port =
        cluster
            .alice("srun --iso-netns-listeners=1 sh -c 'echo $SPANK_ISO_NETNS_LISTENING_PORT_0'")
            .strip();
    String take =
        "as bob perl -MSocket -e 'for my $o (0, SO_REUSEADDR, 15) { socket(my $l, AF_INET, SOCK_STREAM, 0); setsockopt($l, SOL_SOCKET, $o, 1) if $o; print bind($l, sockaddr_in($ARGV[0], INADDR_ANY)) ? \"taken\\n\" : \"not\\n\" }' ";
    assertThat(cluster.on("n1", take + port).out()).isEqualTo("not\nnot\nnot\n");
    assertThat(cluster.on("n1", take + "20999").out()).contains("taken");
    assertThat(
            cluster.alice(
                "for i in 1 2 3; do srun --iso-netns-listeners=1 sh -c 'echo $SPANK_ISO_NETNS_LISTENING_PORT_0'; done"))
        .doesNotContain(port);
  }

  /// With the job's own sockets beside it no other account gets the port either.
  @Test
  void thePortOfAJobThatRunsIsItsOwn() {
    String job =
        cluster.submit(
            "--iso-netns-listeners=1,1",
            "echo ports $SPANK_ISO_NETNS_LISTENING_PORT_0 $SPANK_ISO_NETNS_LISTENING_PORT_1; sleep 100");
    String ports = cluster.awaitOutput(job, "ports 2").strip();
    String take =
        "as bob perl -MSocket -e 'for my $o (0, SO_REUSEADDR, 15) { socket(my $s, AF_INET, shift @ARGV, 0); setsockopt($s, SOL_SOCKET, $o, 1) if $o; print bind($s, sockaddr_in(%s, INADDR_ANY)) ? \"taken\\n\" : \"not\\n\" }' %s";
    String[] numbers = ports.split(" ", -1);
    assertThat(cluster.on("n1", take.formatted(numbers[1], "1 1 1")).out())
        .isEqualTo("not\nnot\nnot\n");
    assertThat(cluster.on("n1", take.formatted(numbers[2], "2 2 2")).out())
        .isEqualTo("not\nnot\nnot\n");
    assertThat(cluster.on("n1", take.formatted("20999", "1 1 2")).out()).contains("taken");
    cluster.alice("scancel " + job);
    cluster.awaitNoJobs();
  }

  /// A process that goes into a network namespace of its own, below the job's, and takes the
  /// listeners along.
  @Test
  void whoHidesInANamespaceWithinTheJobsEndsWithTheJob() {
    String job =
        cluster.submit(
            "--iso-netns-listeners=1",
            "setsid unshare -Urn sleep 986 </dev/null >/dev/null 2>&1 &"
                + " until [ \"$(readlink /proc/$!/ns/net)\" != \"$(readlink /proc/self/ns/net)\" ]; do sleep 0.05; done;"
                + " echo port $SPANK_ISO_NETNS_LISTENING_PORT_0 hidden; sleep 0.5; pgrep -fc 'sleep 98[6]'");
    String said = cluster.awaitOutput(job, "hidden\n1\n");
    cluster.awaitNoJobs();
    String listening =
        "ss -Hltn 'sport = :%s' | wc -l".formatted(said.replaceAll("(?s).*port ([0-9]+).*", "$1"));
    try {
      Await.until(
          "its port is closed",
          LIMIT,
          () -> cluster.on("n1", listening).out().equals("0\n"),
          () -> cluster.on("n1", "ss -ltnp").out() + cluster.logs());
    } finally {
      cluster.run("pkill -KILL -f 'sleep 98[6]'");
    }
  }

  /// A process that outlives the job with a listener that does not listen, and may listen again.
  @Test
  void aPortThatSomebodyMayListenOnAgainIsNotGivenToTheNextJob() {
    cluster.signalAgent("n1", "TERM");
    cluster.startAgent("n1", "listener_ports = \"20990-20990\"", "listener_rest = \"0s\"");
    try {
      String job =
          cluster.submit(
              "--iso-netns-listeners=1",
              "perl %s stay $SPANK_ISO_NETNS_LISTENING_FD_0; sleep 1".formatted(escape));
      cluster.awaitOutput(job, "stays\n");
      cluster.awaitNoJobs();
      // In a PID namespace of Slurm's nobody outlives the job: skips.txt names that run alone.
      assumeThat(cluster.on("n1", "pgrep -fc 'escape.pl sta[y]'").out()).isEqualTo("1\n");
      Await.until(
          "the next job is refused",
          LIMIT,
          () -> {
            Command.Outcome next = cluster.as("alice", "srun --iso-netns-listeners=1 true");
            return next.status() != 0 && next.err().contains("ports of this node are in use");
          },
          cluster::logs);
      cluster.run("pkill -KILL -f 'escape.pl sta[y]'").orFail();
      assertThat(cluster.alice("srun --iso-netns-listeners=1 echo ran")).isEqualTo("ran\n");
    } finally {
      cluster.run("pkill -KILL -f 'escape.pl sta[y]'");
      cluster.signalAgent("n1", "TERM");
      cluster.startAgent("n1");
    }
  }

  @Test
  void theFirewallsRulesComeBackWhenSomebodyFlushesThem() {
    assertThat(sealed("listener", "10.77.0.1")).isEqualTo("connect: Connection refused");
    cluster.on("n1", "nft flush ruleset").orFail();
    assertThat(cluster.on("n1", "nft list ruleset").out()).isEmpty();
    assertThat(sealed("listener", "10.77.0.1")).isEqualTo("connect: Connection refused");
    assertThat(cluster.on("n1", "nft list ruleset").out()).contains("casement_tcp");
  }
}
