package org.casement.clustertests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Listeners on a node whose firewall cannot seal them: the job's belong to its own namespace, and
/// a process of another account carries what arrives.
final class RelayedListenersTest {
  private static final Duration LIMIT = Duration.ofSeconds(20);
  private static final String HEARD = "/run/cluster/heard";
  private static final String NO_FIREWALL = "nft = \"/nonexistent/nft\"";
  private static final String RELAYS = "pgrep -u casement-relay -c java";

  private static Cluster cluster;
  private static String escape;

  /// Where the relays' account can read it.
  private static Path program;

  @BeforeAll
  static void start() {
    cluster = Cluster.start();
    program = cluster.programDirectory();
    cluster.useLauncher(program.resolve("bin/casement"));
    escape = cluster.copied("escape.pl");
    cluster.startCanaries(HEARD);
    cluster.startAgent("n1", NO_FIREWALL);
  }

  @AfterAll
  static void end() {
    cluster.close();
  }

  @AfterEach
  void nothingIsLeft() {
    cluster.run("scancel --user=alice");
    cluster.awaitGround("n1");
    assertThat(relays()).isZero();
    assertThat(cluster.states()).isEqualTo("idle");
  }

  private static int relays() {
    return Integer.parseInt(cluster.on("n1", RELAYS).out().strip());
  }

  private static String heard() {
    return cluster.run("cat " + HEARD).out();
  }

  /// A job with one listener, at which it serves `script`, Perl with `$s` for each connection.
  ///
  /// @return the job's number and its port
  private static String[] serving(String script) {
    cluster.write(
        "/run/cluster/serve.pl",
        """
        use strict; use Socket; $SIG{CHLD} = 'IGNORE'; $SIG{PIPE} = 'IGNORE';
        open(my $l, '+<&=', $ARGV[0]) or die $!; $| = 1; print "up\\n";
        while (accept(my $s, $l)) { next if fork; close $l; binmode $s; %s; close $s; exit }
        """
            .formatted(script));
    String job =
        cluster.submit(
            "--iso-netns-listeners=1",
            "echo port $SPANK_ISO_NETNS_LISTENING_PORT_0;"
                + " exec perl /run/cluster/serve.pl $SPANK_ISO_NETNS_LISTENING_FD_0");
    String port = cluster.awaitOutput(job, "up").replaceAll("(?s).*port ([0-9]+).*", "$1");
    return new String[] {job, port};
  }

  /// From another host.
  private static Command.Outcome client(String port, String script) {
    cluster.write(
        "/run/cluster/client.pl",
        """
        use strict; use Socket; binmode STDOUT; $SIG{PIPE} = 'IGNORE'; $SIG{ALRM} = sub { print "late\\n"; exit 1 }; alarm 20;
        sub opened { socket(my $s, AF_INET, SOCK_STREAM, 0); connect($s, sockaddr_in($ARGV[0], inet_aton("10.77.0.11"))) or die "connect: $!\\n"; binmode $s; $s }
        sub rest { my ($s) = @_; my $all = ''; my $n; 1 while $n = sysread($s, $all, 65536, length $all); defined $n ? $all : "$all error: $!\\n" }
        %s
        """
            .formatted(script));
    return cluster.run("perl /run/cluster/client.pl " + port);
  }

  private static final String HELLO =
      "my $s = opened(); syswrite($s, \"hello\\n\"); print rest($s)";

  @Test
  void whatArrivesIsCarriedIn() {
    String[] job = serving("my $heard = <$s>; print $s \"heard $heard\"");
    assertThat(client(job[1], HELLO).out()).isEqualTo("heard hello\n");
    assertThat(relays()).isOne();
    assertThat(cluster.agentLog("n1")).contains("ports [" + job[1] + "], relayed");
    // Within, the same port is the job's own.
    assertThat(
            cluster
                .alice(
                    "srun --overlap --jobid=%s perl -MSocket -e 'socket(my $s, AF_INET, SOCK_STREAM, 0); connect($s, sockaddr_in(%s, inet_aton(\"127.0.0.1\"))) or die $!; syswrite($s, \"in\\n\"); print <$s>'"
                        .formatted(job[0], job[1]))
                .strip())
        .isEqualTo("heard in");
  }

  /// Both ways at a time, more than any buffer has, and each end's own end.
  @Test
  void everyByteArrivesAndSoDoesTheEnd() {
    String[] job =
        serving(
            "my ($n, $sum) = (0, 0); while (sysread($s, my $b, 65536)) { $n += length $b; $sum = ($sum + unpack('%32C*', $b)) % 4294967296; syswrite($s, $b) } print $s \"|$n $sum\"");
    assertThat(
            client(
                    job[1],
                    """
                    my $s = opened(); my ($sent, $sum) = (0, 0);
                    if (!fork) { for my $i (1 .. 500) { my $b = pack('N*', map { $i * 7919 + $_ } 1 .. 4096);
                      my $o = 0; $o += syswrite($s, $b, length($b) - $o, $o) while $o < length $b } shutdown($s, 1); exit }
                    my $got = rest($s); wait;
                    my ($echo, $said) = $got =~ /^(.*)\\|(.*)$/s; print length $echo, ' ', unpack('%32C*', $echo) % 4294967296, ' ', $said
                    """)
                .out())
        .matches("8192000 ([0-9]+) 8192000 \\1");
  }

  /// A server that breaks off is told from one that has said everything.
  @Test
  void aResetIsAReset() {
    String[] job =
        serving(
            "my $what = <$s>; print $s \"a part\"; $s->flush; sleep 1; setsockopt($s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) if $what =~ /hello/");
    assertThat(client(job[1], HELLO).out()).isEqualTo("a part error: Connection reset by peer\n");
    assertThat(client(job[1], HELLO.replace("hello", "other")).out()).isEqualTo("a part");
  }

  /// What the job has closed takes no connection into a backlog that nobody empties.
  @Test
  void aListenerThatTheJobHasClosedAnswersWithAReset() {
    String[] job = serving("<$s>; print $s \"there\\n\"");
    assertThat(client(job[1], HELLO).out()).isEqualTo("there\n");
    cluster.run("scancel " + job[0]).orFail();
    Await.until("the job has gone", LIMIT, () -> !cluster.run("squeue -h").out().contains(job[0]));
    String stays =
        cluster.submit(
            "--iso-netns-listeners=1",
            "echo port $SPANK_ISO_NETNS_LISTENING_PORT_0; eval \"exec $SPANK_ISO_NETNS_LISTENING_FD_0>&-\"; echo up; sleep 100");
    String port = cluster.awaitOutput(stays, "up").replaceAll("(?s).*port ([0-9]+).*", "$1");
    assertThat(client(port, HELLO).out() + client(port, HELLO).err())
        .contains("Connection reset by peer");
  }

  /// More than it carries at a time wait, and then have their turn.
  @Test
  void connectionsBeyondTheLimitWait() {
    String[] job = serving("syswrite($s, \"there\\n\"); 1 while sysread($s, my $b, 100)");
    assertThat(
            client(
                    job[1],
                    """
                    my @all = map { opened() } 1 .. 560; my $served = 0;
                    for my $s (@all[0 .. 499]) { $served++ if <$s> =~ /there/ }
                    close $_ for @all[0 .. 499];
                    for my $s (@all[500 .. 559]) { $served++ if <$s> =~ /there/ }
                    print "$served\\n"
                    """)
                .out())
        .isEqualTo("560\n");
    assertThat(client(job[1], "my $s = opened(); print scalar <$s>").out()).isEqualTo("there\n");
  }

  /// They never hang up, and have all the connections there are: the next one is served after ten
  /// seconds, and one that waits for the job, however long, is not cut off.
  @Test
  void strangersWhoStayDoNotShutOthersOut() {
    String[] job = serving("my $w = <$s>; sleep 12 if $w =~ /wait/; syswrite($s, \"there\\n\")");
    assertThat(
            client(
                    job[1],
                    """
                    alarm 45; my $patient = opened(); syswrite($patient, "wait\n"); shutdown($patient, 1);
                    my @all = map { my $s = opened(); syswrite($s, "at once\n"); $s } 1 .. 511;
                    my $served = 0; for my $s (@all) { $served++ if <$s> =~ /there/ }
                    my $next = opened(); syswrite($next, "at once\n"); print $served, ' ', scalar <$next>;
                    print scalar <$patient>
                    """)
                .out())
        .isEqualTo("511 there\nthere\n");
  }

  /// They read nothing, and the job gives up on them: so does the relay. One that is slow gets
  /// everything.
  @Test
  void strangersWhoReadNothingDoNotShutOthersOut() {
    String[] job =
        serving(
            """
            my $w = <$s>; my $chunk = 'x' x 65536;
            if ($w =~ /much/) { alarm 2; 1 while syswrite($s, $chunk) }
            elsif ($w =~ /all/) { for (1 .. 200) { my $o = 0; $o += syswrite($s, $chunk, 65536 - $o, $o) while $o < 65536 } }
            else { syswrite($s, "there\\n") }""");
    assertThat(
            client(
                    job[1],
                    """
                    alarm 55; my $slow = opened(); syswrite($slow, "all\n");
                    my @all = map { my $s = opened(); syswrite($s, "much\n"); $s } 1 .. 511;
                    my $next = opened(); syswrite($next, "at once\n"); my ($until, $got) = (time + 24, 0);
                    while (time < $until) { $got += sysread($slow, my $b, 65536); select undef, undef, undef, 0.3 }
                    print scalar <$next>, $got + length rest($slow)
                    """)
                .out())
        .isEqualTo("there\n13107200");
  }

  /// All that was tried on a listener of the node's, on one of these: it leads nowhere.
  @ParameterizedTest
  @ValueSource(strings = {"10.77.0.1", "10.77.0.11", "127.0.0.1"})
  void nothingGetsOut(String host) {
    for (String way : new String[] {"listener", "fastopen"}) {
      cluster.run(": >" + HEARD).orFail();
      assertThat(cluster.alice("srun perl " + escape + " " + way + " own " + host).strip())
          .isEqualTo("got out");
      assertThat(heard()).contains("escaped by " + way);
      cluster.run(": >" + HEARD).orFail();
      assertThat(
              cluster.alice(
                  "srun --iso-netns-listeners=1 sh -c 'exec perl %s %s $SPANK_ISO_NETNS_LISTENING_FD_0 %s'"
                      .formatted(escape, way, host)))
          .matches("(connect|send): (Connection refused|Network is unreachable)\n");
      assertThat(heard()).isEmpty();
    }
  }

  /// No socket of the node's is in the job: neither a listener nor a connection that it accepts.
  @Test
  void aConnectionIsTheNamespacesOwn() {
    String job =
        cluster.submit(
            "--iso-netns-listeners=1",
            "perl %s accepted $SPANK_ISO_NETNS_LISTENING_FD_0 10.77.0.1".formatted(escape));
    String port = cluster.awaitOutput(job, "port ").replaceAll("(?s).*port ([0-9]+).*", "$1");
    cluster.run(": >" + HEARD).orFail();
    client(port, "my $s = opened(); sleep 2");
    assertThat(cluster.awaitOutput(job, "connect:")).contains("Network is unreachable");
    assertThat(heard()).isEmpty();
  }

  @Test
  void theRelayHasNoRightsAndNobodyElseHasIt() {
    String[] job = serving("print $s \"there\\n\"");
    String relay = cluster.on("n1", "pgrep -u casement-relay java").out().strip();
    String status = cluster.on("n1", "cat /proc/" + relay + "/status").out();
    assertThat(status)
        .containsPattern("Uid:\\s+60010\\s+60010\\s+60010\\s+60010\n")
        .containsPattern("Gid:\\s+60010\\s+60010\\s+60010\\s+60010\n")
        .containsPattern("Groups:\\s*\n")
        .containsPattern("CapPrm:\\s+0+\n")
        .containsPattern("CapEff:\\s+0+\n")
        .containsPattern("CapInh:\\s+0+\n")
        .containsPattern("NoNewPrivs:\\s+1\n");
    String ns = cluster.on("n1", "readlink /proc/" + relay + "/ns/net").out();
    assertThat(cluster.alice("srun --overlap --jobid=" + job[0] + " readlink /proc/self/ns/net"))
        .isEqualTo(ns)
        .isNotEqualTo(cluster.on("n1", "readlink /proc/self/ns/net").out());
    // The job's listener alone is from outside, and nothing of the agent's came along.
    String files = cluster.on("n1", "ls -l /proc/" + relay + "/fd").out();
    assertThat(files.lines().filter(line -> line.contains("socket:"))).hasSize(1);
    assertThat(files).doesNotContain("/run/casement").doesNotContain("net:[");
    for (String way : new String[] {"kill -0 ", "ls /proc/%s/fd ".formatted(relay)}) {
      String script = way.contains("kill") ? way + relay : way;
      assertThat(
              cluster
                  .as("alice", "srun --overlap --jobid=" + job[0] + " sh -c '" + script + "'")
                  .status())
          .as(script)
          .isNotZero();
      assertThat(cluster.on("n1", script).status()).as(script).isZero();
    }
  }

  /// A later step gets its own socket on the same port; the relay is the same.
  @Test
  void stepsShareIt() {
    String job = cluster.submit("--iso-netns", "echo up; sleep 100");
    cluster.awaitOutput(job, "up");
    assertThat(relays()).isZero();
    String step =
        "srun --overlap --jobid=%s --iso-netns-listeners=%s sh -c 'echo $SPANK_ISO_NETNS_LISTENING_PORT_0'";
    String port = cluster.alice(step.formatted(job, "1"));
    assertThat(port).matches("21[0-9]{3}\n");
    assertThat(relays()).isOne();
    assertThat(cluster.alice(step.formatted(job, "1"))).isEqualTo(port);
    assertThat(relays()).isOne();
    assertThat(cluster.as("alice", step.formatted(job, "2")).err())
        .contains("this job has 1 TCP and 0 UDP listeners, and no others");
  }

  @Test
  void connectionsOutliveTheAgentAndARelayThatIsKilledIsReplaced() {
    String[] job = serving("while (my $line = <$s>) { syswrite($s, \"again $line\") }");
    String file = "/run/cluster/talk";
    cluster
        .run(
            "echo one >%1$s; setsid bash -c 'exec 3<>/dev/tcp/10.77.0.11/%2$s; cat <&3 >%1$s.out & tail -n +1 -f %1$s >&3' >/dev/null 2>&1 </dev/null &"
                .formatted(file, job[1]))
        .orFail();
    Await.until(
        "it talks", LIMIT, () -> cluster.run("cat " + file + ".out").out().contains("again one"));
    cluster.killAgent("n1");
    cluster.run("echo two >>" + file).orFail();
    Await.until(
        "it talks", LIMIT, () -> cluster.run("cat " + file + ".out").out().contains("again two"));
    String late = "my $s = opened(); syswrite($s, \"late\\n\"); print scalar <$s>";
    assertThat(client(job[1], late).out()).isEqualTo("again late\n");
    cluster.startAgain("n1");
    assertThat(client(job[1], late).out()).isEqualTo("again late\n");
    assertThat(relays()).isOne();
    cluster.run("pkill tail; pkill cat; true");
    // The agent looks when it starts, and every minute.
    cluster.on("n1", "pkill -KILL -u casement-relay").orFail();
    Await.until("it has gone", LIMIT, () -> relays() == 0);
    assertThat(client(job[1], late).err()).contains("connect: Connection refused");
    cluster.signalAgent("n1", "TERM");
    cluster.startAgain("n1");
    Await.until("there is another", LIMIT, () -> client(job[1], late).out().contains("again late"));
    assertThat(relays()).isOne();
  }

  /// A relay is no process of the job's: it does not keep what the job has left.
  @Test
  void aJobThatLeftWithoutAWordIsReleased() {
    String[] job = serving("print $s \"there\\n\"");
    assertThat(relays()).isOne();
    cluster
        .on("n1", "pkill -KILL slurmd; pkill -KILL slurmstepd; pkill -KILL -u alice; true")
        .orFail();
    cluster.alice("scancel " + job[0]);
    cluster.startSlurmdAgain("n1");
    cluster.awaitNoJobs();
    cluster.signalAgent("n1", "TERM");
    cluster.startAgain("n1");
    Await.until("the relay has gone", LIMIT, () -> relays() == 0, () -> cluster.holdings("n1"));
    Await.until("the node is idle", Duration.ofSeconds(40), () -> cluster.states().equals("idle"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"10.77.0.11", "::", "fd77::11"})
  void onEveryKindOfAddress(String address) {
    cluster.on("n1", "ip -6 address replace fd77::11/64 dev lo nodad").orFail();
    cluster.signalAgent("n1", "TERM");
    cluster.startAgent("n1", NO_FIREWALL, "listener_address = \"" + address + "\"");
    try {
      String[] job = serving("print $s \"there\\n\"");
      String reached = address.equals("::") ? "10.77.0.11" : address;
      assertThat(
              cluster
                  .on("n1", "timeout 5 bash -c 'cat </dev/tcp/%s/%s'".formatted(reached, job[1]))
                  .out())
          .isEqualTo("there\n");
      assertThat(relays()).isOne();
      cluster.alice("scancel " + job[0]);
      cluster.awaitGround("n1");
    } finally {
      cluster.signalAgent("n1", "TERM");
      cluster.startAgent("n1", NO_FIREWALL);
    }
  }

  /// What there is no relay for is refused, and what cannot be relayed.
  @Test
  void otherwiseThereAreNoListeners() {
    String run = "srun --iso-netns-listeners=%s echo ran";
    assertThat(cluster.as("alice", run.formatted("0,1")).err())
        .contains("UDP listeners need firewall rules on this node");
    assertThat(cluster.as("alice", run.formatted("1,1")).err())
        .contains("UDP listeners need firewall rules on this node");
    assertThat(cluster.alice(run.formatted("1,0"))).isEqualTo("ran\n");
    for (String account : new String[] {"nobody-such", "root"}) {
      cluster.signalAgent("n1", "TERM");
      cluster.startAgent("n1", NO_FIREWALL, "relay_account = \"" + account + "\"");
      assertThat(cluster.as("alice", run.formatted("1")).err())
          .contains("listeners need firewall rules on this node")
          .contains("there is no ordinary account " + account + " to relay as");
      assertThat(cluster.alice(run.formatted("0"))).isEqualTo("ran\n");
    }
    // A program that the account may not execute.
    cluster
        .run("mkdir -m 700 /run/cluster/closed; cp -a " + program + " /run/cluster/closed/program")
        .orFail();
    cluster.signalAgent("n1", "TERM");
    cluster.useLauncher(Path.of("/run/cluster/closed/program/bin/casement"));
    cluster.startAgent("n1", NO_FIREWALL);
    assertThat(cluster.as("alice", run.formatted("1")).err())
        .contains("the relay does not start: the other end has gone");
    assertThat(cluster.agentLog("n1")).contains("closed/program/bin/casement");
    cluster.signalAgent("n1", "TERM");
    cluster.useLauncher(program.resolve("bin/casement"));
    cluster.startAgent("n1", NO_FIREWALL);
    assertThat(cluster.alice(run.formatted("1"))).isEqualTo("ran\n");
  }
}
