package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.casement.clustertests.Cluster;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Sessions as Slurm jobs, on a cluster of two nodes: under the plugin, and without it.
final class SubmittedSessionTest {
  private static final Path SCREENSHOTS = Path.of("target/screenshots");
  private static final Duration DESKTOP_LIMIT = Session.READY_LIMIT;
  private static final Duration END_LIMIT = Session.END_LIMIT;
  private static final Pattern NONCE = Pattern.compile("\"nonce\":\"([0-9a-f]{16})\"");

  private static Cluster cluster;

  @BeforeAll
  static void start() throws Exception {
    Files.createDirectories(SCREENSHOTS);
    cluster =
        Cluster.start(
            2,
            "",
            "--conf",
            "PartitionName=two Nodes=n2 MaxTime=1:00:00",
            // A guest in software on a busy machine takes its time to shut down.
            "--conf",
            "KillWait=120");
    // The browser's way into the cluster has the same numbers on this machine, where other tests'
    // sessions have theirs.
    cluster.startAgent("n1", "listener_ports = \"23000-23099\"");
    cluster.useLauncher(cluster.programDirectory().resolve("bin/casement"));
    cluster.startAgent("n2", "listener_ports = \"23100-23199\"", "nft = \"/nonexistent/nft\"");
    for (String user : new String[] {"alice", "bob"}) {
      configure(user, "");
    }
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @AfterEach
  void nothingRuns() {
    cluster.run("scancel --user=alice; scancel --user=bob").orFail();
    cluster.awaitNoJobs();
    configure("alice", "");
  }

  private static void configure(String user, String more) {
    String file = "/run/home/%s/.config/casement/casement.toml".formatted(user);
    cluster.run("install -d -o %s /run/home/%s/.config/casement".formatted(user, user)).orFail();
    // Where no plugin gives listeners, other hosts must reach the session's own.
    cluster.write(
        file,
        "[golden]\nimage = \"%s\"\n[listen]\naddress = \"0.0.0.0\"\nports = \"23200-23299\"\n%s"
            .formatted(cluster.image(), more));
  }

  private static String casement(String user, String arguments) {
    Command.Outcome outcome = cluster.as(user, cluster.program() + " " + arguments);
    if (outcome.status() != 0) {
      throw new AssertionError(arguments + ": " + outcome.out() + outcome.err() + cluster.logs());
    }
    return outcome.out();
  }

  /// What a command prints behind `word`.
  private static String word(String printed, String word) {
    return printed
        .lines()
        .filter(line -> line.startsWith(word + " "))
        .map(line -> line.substring(word.length() + 1))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no " + word + " in " + printed));
  }

  private static String log(String user, String session) {
    return cluster
        .run("cat /run/home/%s/.local/state/casement/sessions/%s/log".formatted(user, session))
        .out();
  }

  private static String files(String session) {
    return cluster
        .run("ls /run/home/alice/.local/state/casement/sessions/" + session)
        .out()
        .strip()
        .replace('\n', ' ');
  }

  private static String status(String node, String session) {
    return cluster.on(node, "as alice " + cluster.program() + " status " + session).orFail();
  }

  /// The desktop of a session, in a browser on this machine.
  private static void showsItsDesktop(String printed, String node, String address, String promise)
      throws Exception {
    URI link = URI.create(word(printed, "link"));
    assertThat(link.getHost()).isEqualTo(node);
    String session = word(printed, "session");
    Process relay = cluster.relay(address, link.getPort());
    try (Browser browser = Browser.open(SCREENSHOTS)) {
      URI here = new URI("http", null, "127.0.0.1", link.getPort(), "/", null, link.getFragment());
      browser.go(here);
      Await.until(
          "the guest shows itself",
          DESKTOP_LIMIT,
          () -> NONCE.matcher(status(node, session)).find(),
          () -> browser.text() + log("alice", session));
      Matcher nonce = NONCE.matcher(status(node, session));
      assertThat(nonce.find()).isTrue();
      browser.awaitNonce(nonce.group(1), DESKTOP_LIMIT);
      browser.screenshot("submitted-" + promise);
      assertThat(log("alice", session)).contains("strength=" + promise);
      assertThat(String.valueOf(browser.page().locator("#about-promise").textContent()))
          .contains(
              promise.equals("node-agent") ? "by the node agent" : "sealed without privileges");
    } finally {
      relay.destroy();
      relay.waitFor();
    }
  }

  @Test
  void aSessionUnderThePluginShowsItsDesktopAndEndsInOrder() throws Exception {
    String before = cluster.holdings("n1");
    String printed = casement("alice", "submit --time 30m -- --nodelist=n1");
    String session = word(printed, "session");
    String job = word(printed, "job");
    assertThat(cluster.run("squeue -h -o %k -j " + job).out().strip())
        .matches("casement:1:[A-Za-z0-9_-]{43}");
    assertThat(cluster.run("scontrol show job " + job).out()).contains("Requeue=0");
    assertThat(cluster.holdings("n1")).isNotEqualTo(before);
    assertThat(files(session)).isEqualTo("console job job.log key link log session.json");
    assertThat(
            cluster
                .run(
                    "stat -c %a /run/home/alice/.local/state/casement/sessions/" + session + "/key")
                .out()
                .strip())
        .isEqualTo("600");

    // From the login node.
    assertThat(casement("alice", "list")).contains(session, "job " + job + " RUNNING on n1");
    assertThat(casement("alice", "link --console")).contains("http://n1:");

    // The walltime is Slurm's.
    assertThat(status("n1", session)).contains("\"job\":{").contains("\"node\":\"n1\"");

    showsItsDesktop(printed, "n1", "10.77.0.11", "node-agent");

    // The link was used; another lies there.
    String again = casement("alice", "link").strip();
    assertThat(again).startsWith("http://n1:").isNotEqualTo(word(printed, "link"));

    // Nobody else's step comes in, nor another of its owner's.
    assertThat(cluster.as("alice", "srun --overlap --jobid=" + job + " true").status()).isNotZero();

    // Bob's, on the same node, is another: neither reaches the other's.
    String bobs = casement("bob", "submit --time 30m -- --nodelist=n1");
    assertThat(casement("bob", "list")).contains(word(bobs, "session")).doesNotContain(session);
    assertThat(word(bobs, "link")).isNotEqualTo(again);
    casement("bob", "stop");

    casement("alice", "stop " + session);
    cluster.awaitNoJobs();
    assertThat(cluster.run("scontrol show job " + job).out()).contains("JobState=COMPLETED");
    assertThat(log("alice", session)).contains("state=ended");
    assertThat(casement("alice", "list")).isEmpty();
    Await.until(
        "nothing is left on the node",
        END_LIMIT,
        () -> cluster.holdings("n1").equals(before),
        () -> before + cluster.holdings("n1"));
    // The next submission tidies what was the job's.
    assertThat(cluster.as("alice", cluster.program() + " submit -- --nodelist=n9").status())
        .isEqualTo(69);
    assertThat(files(session)).isEqualTo("job.log log");
    assertThat(cluster.on("n1", "ls -d /tmp/casement-60001-* 2>/dev/null").out()).isEmpty();
  }

  /// The job may not have the listeners themselves there; the desktop is the same.
  @Test
  void whereTheFirewallIsNoneTheDesktopComesThroughARelay() throws Exception {
    assertThat(cluster.agentLog("n2")).doesNotContain("relayed");
    String printed = casement("alice", "submit --time 30m -- --partition=two");
    assertThat(cluster.agentLog("n2")).containsPattern("ports \\[231[0-9, ]+], relayed");
    showsItsDesktop(printed, "n2", "10.77.0.12", "node-agent");
    assertThat(cluster.on("n2", "pgrep -u casement-relay -c java").out().strip()).isEqualTo("1");
    casement("alice", "stop " + word(printed, "session"));
    cluster.awaitNoJobs();
    Await.until(
        "the relay has gone",
        END_LIMIT,
        () -> cluster.run("pgrep -u casement-relay").status() != 0);
  }

  @Test
  void withoutThePluginASessionSealsItselfAndSaysSo() throws Exception {
    // And on a node without disks.
    cluster.run("install -d -m 1777 /run/memory").orFail();
    configure(
        "alice",
        """
        [slurm]
        plugin = "off"
        [session]
        runtime_parent = "/run/memory"
        [machine]
        overlay_limit_gib = 1
        """);
    String printed = casement("alice", "submit --time 30m -- --partition=two");
    showsItsDesktop(printed, "n2", "10.77.0.12", "unprivileged");
    String session = word(printed, "session");
    assertThat(log("alice", session))
        .contains("overlay-in-memory")
        .contains("limit=1GiB")
        .contains("the job's memory");
    // Slurm's own way to end it: SIGTERM to every process, and SIGKILL after KillWait.
    cluster.run("scancel " + word(printed, "job")).orFail();
    cluster.awaitNoJobs();
    assertThat(log("alice", session)).contains("state=ended reason=cancelled");
  }

  @Test
  void aSessionEndsWithItsJobsTime() {
    String printed = casement("alice", "submit --time 1m -- --nodelist=n1");
    String session = word(printed, "session");
    String job = word(printed, "job");
    assertThat(cluster.run("squeue -h -o %l -j " + job).out().strip()).isEqualTo("1:00");
    Await.until(
        "the session has ended by itself",
        Duration.ofSeconds(90),
        () -> log("alice", session).contains("state=ended"),
        () -> log("alice", session) + cluster.run("squeue").out());
    cluster.awaitNoJobs();
    assertThat(log("alice", session)).contains("reason=walltime");
    assertThat(cluster.run("scontrol show job " + job).out()).contains("JobState=COMPLETED");
  }

  /// Where its owner asks for it: the key is the same, everything else is new.
  @Test
  void aSessionThatSlurmPutsBackStartsAfresh() {
    String printed = casement("alice", "submit --time 30m -- --nodelist=n1 --requeue");
    String session = word(printed, "session");
    String job = word(printed, "job");
    String link = "/run/home/alice/.local/state/casement/sessions/" + session + "/link";
    cluster.run("scontrol requeue " + job).orFail();
    Await.until(
        "the first run has ended",
        END_LIMIT,
        () ->
            log("alice", session).contains("state=ended")
                && cluster.run("test -e " + link).status() != 0,
        () -> log("alice", session));
    cluster.startRequeued(job, "test -e " + link);
    Await.until(
        "there is another link",
        DESKTOP_LIMIT,
        () -> cluster.run("test -e " + link).status() == 0,
        () -> log("alice", session) + cluster.run("scontrol show job " + job).out());
    assertThat(casement("alice", "link")).isNotEqualTo(word(printed, "link") + "\n");
    assertThat(cluster.run("scontrol show job " + job).out()).contains("Restarts=1");
    assertThat(status("n1", session)).contains("\"job\":{");
    casement("alice", "stop " + session);
    cluster.awaitNoJobs();
    assertThat(cluster.on("n1", "ls -d /tmp/casement-60001-* 2>/dev/null").out()).isEmpty();
  }

  /// To Slurm; the machine itself lives on, and must not keep a desktop that nobody knows of.
  @Test
  void aSessionWhoseNodeFailsIsOver() {
    String printed = casement("alice", "submit --time 30m -- --nodelist=n1");
    String session = word(printed, "session");
    assertThat(cluster.holdings("n1")).contains("pins 1\n");
    cluster.run("scontrol update nodename=n1 state=down reason=test").orFail();
    try {
      assertThat(cluster.run("scontrol show job " + word(printed, "job")).out())
          .contains("JobState=NODE_FAIL");
      Await.until(
          "nothing is left on the node",
          END_LIMIT,
          () -> cluster.holdings("n1").contains("pins 0\nrecords 0\n"),
          () -> cluster.holdings("n1") + log("alice", session));
      assertThat(cluster.run("pgrep -u alice -l .").out()).isEmpty();
      assertThat(casement("alice", "list")).isEmpty();
    } finally { // it may have come back by itself
      cluster.run("scontrol update nodename=n1 state=resume");
    }
  }

  /// No pid namespace is around a session there.
  @Test
  void whoeverIsKilledNothingOfTheSessionRunsOn() {
    String before = cluster.holdings("n1");
    for (String part : new String[] {"session", "run"}) {
      String printed = casement("alice", "submit --time 30m -- --nodelist=n1");
      String session = word(printed, "session");
      Await.until(
          "its machine runs",
          DESKTOP_LIMIT,
          () -> cluster.run("pgrep -u alice qemu; pgrep -u alice smbd").out().lines().count() > 1,
          () -> log("alice", session));
      cluster.run("pkill -KILL -u alice -f 'Main %s .*%s'".formatted(part, session)).orFail();
      cluster.awaitNoJobs();
      assertThat(cluster.run("pgrep -u alice -l .").out()).as("after the end of " + part).isEmpty();
    }
    Await.until("nothing is left", END_LIMIT, () -> cluster.holdings("n1").equals(before));
    // The survivor tidies, or the next start.
    String printed = casement("alice", "submit --time 30m -- --nodelist=n1");
    assertThat(cluster.on("n1", "ls -d /tmp/casement-60001-* | wc -l").out().strip())
        .isEqualTo("1");
    casement("alice", "stop " + word(printed, "session"));
    cluster.awaitNoJobs();
  }

  @Test
  void anIdThatIsNoneIsRefused() {
    Command.Outcome refused = cluster.as("alice", cluster.program() + " run --session ../../x");
    assertThat(refused.status()).isEqualTo(69);
    assertThat(refused.err()).contains("session id must be");
    assertThat(cluster.as("alice", cluster.program() + " run --session nobodys").status())
        .isEqualTo(69);
  }

  @Test
  void whatCannotBeASessionIsRefusedAndLeavesNothing() {
    String before = cluster.run("squeue -h --states=all -o %A").out();
    for (String options : new String[] {"--array=1-2", "--comment=x", ":"}) {
      Command.Outcome refused =
          cluster.as("alice", cluster.program() + " submit -- --nodes=1 " + options);
      assertThat(refused.status()).as(options).isEqualTo(69);
      assertThat(refused.err()).contains("casement: ");
    }
    // By sbatch itself, in its words.
    Command.Outcome refused =
        cluster.as("alice", cluster.program() + " submit -- --partition=nowhere");
    assertThat(refused.status()).isEqualTo(69);
    assertThat(refused.err()).contains("invalid partition");
    assertThat(cluster.run("squeue -h --states=all -o %A").out()).isEqualTo(before);
    // In an array that somebody submits by hand; twin: the same as one job comes further.
    String script = cluster.program() + " run";
    String array = cluster.submit("--array=1", script);
    Await.until(
        "the array's task says why",
        END_LIMIT,
        () ->
            cluster
                .run("cat /run/home/alice/out-*")
                .out()
                .contains("a session is one ordinary job"),
        () -> array + cluster.run("cat /run/home/alice/out-*").out());
  }

  @Test
  void aSessionThatDoesNotComeUpSaysWhyAtOnce() {
    cluster.write(
        "/run/home/alice/.config/casement/casement.toml", "[golden]\nimage = \"/nowhere\"\n");
    Command.Outcome failed = cluster.as("alice", cluster.program() + " submit -- --nodelist=n1");
    assertThat(failed.status()).isEqualTo(69);
    assertThat(failed.err()).contains("did not come up").contains("/nowhere");
  }

  @Test
  void aSessionThatWaitsIsListedAndStopped() {
    cluster.run("scontrol update nodename=n1,n2 state=drain reason=test").orFail();
    try {
      String printed = casement("alice", "submit --no-wait");
      String session = word(printed, "session");
      assertThat(casement("alice", "list")).contains(session, "PENDING");
      Command.Outcome early = cluster.as("alice", cluster.program() + " link");
      assertThat(early.status()).isEqualTo(69);
      assertThat(early.err()).contains("has no link yet", "PENDING");
      casement("alice", "stop");
      assertThat(casement("alice", "list")).isEmpty();
    } finally {
      cluster.run("scontrol update nodename=n1,n2 state=resume").orFail();
    }
  }

  @Test
  void whereThePluginIsRequiredAndMissingNothingIsSubmitted() {
    configure("alice", "[slurm]\nplugin = \"required\"\n");
    cluster.write("/run/cluster/plugstack.conf", "# none\n");
    try {
      Command.Outcome refused = cluster.as("alice", cluster.program() + " submit --no-wait");
      assertThat(refused.status()).isEqualTo(69);
      assertThat(refused.err()).contains("requires the plugin iso_netns");
    } finally {
      cluster.reload("required", "");
    }
    // Twin.
    assertThat(casement("alice", "submit --no-wait")).contains("job ");
  }
}
