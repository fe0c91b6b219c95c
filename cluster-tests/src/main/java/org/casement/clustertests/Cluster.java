package org.casement.clustertests;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.casement.testkit.Await;
import org.casement.testkit.Command;

/// A Slurm cluster in namespaces of its own (tools/cluster), with the plugin built for its release,
/// and a node agent where one is started. Its users are alice and bob; its nodes are n1, n2, …, its
/// controller has the address 10.77.0.1 and n1 10.77.0.11. Not thread-safe.
public final class Cluster implements AutoCloseable {
  /// srun waits for ever where slurmstepd dies; the plugin waits ten seconds for the agent.
  private static final Duration LIMIT = Duration.ofSeconds(60);

  /// What an agent needs to find this controller.
  private static final String AGENT = "[node]\nslurm_conf = \"/run/cluster/slurm.conf\"\n";

  /// Other hosts reach the listeners, unless a test says otherwise.
  private static final String ADDRESS = "listener_address = \"0.0.0.0\"\n";

  /// A root tree that tools/slurm-tree has made, to test with its Slurm; else this machine's.
  private static final String TREE = System.getProperty("casement.slurm.tree", "");

  /// Options of tools/cluster for every cluster, between spaces.
  private static final String OPTIONS = System.getProperty("casement.slurm.options", "");

  private final Path repository;

  /// The plugin, and what tools/cluster keeps.
  private final Path directory;

  /// Of the agents.
  private Path launcher = Path.of(System.getProperty("casement.program", ""), "bin/casement");

  private Cluster(Path repository, Path directory) {
    this.repository = repository;
    this.directory = directory;
  }

  /// With one node, and the plugin as the documents say.
  public static Cluster start() {
    return start(1, "");
  }

  /// Comes back when all nodes are idle.
  ///
  /// @param arguments of the plugin
  /// @param options of tools/cluster
  public static Cluster start(int nodes, String arguments, String... options) {
    Cluster cluster;
    try {
      // /run is the cluster's own inside, and a tree has the repository only: both see it there.
      Path parent =
          TREE.isEmpty() ? Path.of("/var/tmp") : repository().resolve("cluster-tests/target");
      Path directory = Files.createTempDirectory(parent, "ct-cluster-");
      Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
      cluster = new Cluster(repository(), directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    try {
      cluster.buildPlugin();
      List<String> command = new ArrayList<>(List.of("up", "--nodes", Integer.toString(nodes)));
      if (!TREE.isEmpty()) {
        command.addAll(List.of("--tree", TREE));
      }
      command.addAll(List.of("--plugstack", cluster.plugstack("required", arguments)));
      if (!OPTIONS.isEmpty()) {
        command.addAll(List.of(OPTIONS.split(" ", -1)));
      }
      command.addAll(List.of(options));
      cluster.tool(command, "").orFail();
      return cluster;
    } catch (AssertionError e) {
      cluster.close();
      throw e;
    }
  }

  static Path repository() {
    Path here = Path.of("").toAbsolutePath();
    while (!Files.exists(here.resolve("tools/cluster"))) {
      here = Objects.requireNonNull(here.getParent(), "not in the repository");
    }
    return here;
  }

  private void buildPlugin() {
    List<String> command =
        new ArrayList<>(
            List.of(
                repository.resolve("spank/build").toString(), "--output", directory.toString()));
    if (!TREE.isEmpty()) {
      String version = Command.run("cat", TREE + "/etc/slurm-tree").orFail();
      command.addAll(List.of("--slurm", version.strip().split(" ", -1)[1]));
    }
    Command.run(command.toArray(String[]::new)).orFail();
  }

  private String plugstack(String how, String arguments) {
    return "%s %s %s".formatted(how, directory.resolve("iso_netns.so"), arguments);
  }

  /// Loads the plugin another way; slurmstepd reads it for each step.
  public void reload(String how, String arguments) {
    write("/run/cluster/plugstack.conf", plugstack(how, arguments) + "\n");
  }

  private Command.Outcome tool(List<String> arguments, String input) {
    List<String> command = new ArrayList<>();
    command.add(repository.resolve("tools/cluster").toString());
    command.addAll(arguments);
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("CASEMENT_CLUSTER", directory.resolve("cluster").toString());
    builder.environment().put("JAVA_HOME", System.getProperty("java.home", ""));
    return Command.run(builder, input, LIMIT.plusSeconds(20));
  }

  private Command.Outcome shell(String input, String... command) {
    List<String> words =
        new ArrayList<>(List.of("shell", "timeout", Long.toString(LIMIT.toSeconds())));
    words.addAll(Arrays.asList(command));
    return tool(words, input);
  }

  /// Runs a script as root on the controller's host.
  public Command.Outcome run(String script) {
    return shell("", "sh", "-c", script);
  }

  /// Runs a script as root on a node.
  public Command.Outcome on(String node, String script) {
    return shell("", "on", node, "sh", "-c", script);
  }

  /// Runs a script as an ordinary user on the controller's host, as on a login node.
  public Command.Outcome as(String user, String script) {
    return shell("", "as", user, "sh", "-c", script);
  }

  /// What a script of alice's says; its failure is the test's.
  public String alice(String script) {
    Command.Outcome outcome = as("alice", script);
    if (outcome.status() != 0) {
      throw new AssertionError(
          "status %d of: %s%n%s%s%n%s"
              .formatted(outcome.status(), script, outcome.out(), outcome.err(), logs()));
    }
    return outcome.out();
  }

  /// Submits a script of alice's; its output comes to `out-JOB` in her home.
  ///
  /// @return the job's number
  public String submit(String options, String script) {
    write("/run/home/alice/script", "#!/bin/bash\n" + script + "\n");
    return alice("sbatch --parsable --no-requeue --output=out-%j " + options + " script").strip();
  }

  /// Waits until a job's output has `text`.
  public String awaitOutput(String job, String text) {
    String file = "/run/home/alice/out-" + job;
    Await.until(
        "job " + job + " says " + text,
        LIMIT,
        () -> run("cat " + file).out().contains(text),
        () -> run("cat " + file).out() + logs());
    return run("cat " + file).out();
  }

  /// Starts a job that was put back, which Slurm lets wait two minutes, and writes down at a moment
  /// of its own. Not within the second in which the run before was cancelled: a node of 22.05 takes
  /// the next for cancelled too.
  ///
  /// @param there a command that succeeds once the next run is there
  public void startRequeued(String job, String there) {
    run(
        "for i in $(seq 25); do sleep 2; %s && break; scontrol update jobid=%s starttime=now; done"
            .formatted(there, job));
  }

  /// Waits until the controller knows no job that is not over.
  public void awaitNoJobs() {
    Await.until("all jobs are over", LIMIT, () -> run("squeue -h").out().isBlank(), this::logs);
  }

  public void write(String file, String text) {
    shell(text, "sh", "-c", "cat >" + file).orFail();
  }

  /// A file of the tests' own resources, where the cluster's users can read it.
  public String copied(String resource) {
    String file = "/run/cluster/" + resource;
    try (InputStream in =
        Objects.requireNonNull(
            Thread.currentThread().getContextClassLoader().getResourceAsStream(resource))) {
      write(file, new String(in.readAllBytes(), UTF_8));
      return file;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The program, where the cluster's users can read it (a clone in root's home is closed to them),
  /// with the JDK that it needs.
  public String program() {
    return "env JAVA_HOME=%s %s/bin/casement"
        .formatted(System.getProperty("java.home"), programDirectory());
  }

  /// Where it lies then.
  public Path programDirectory() {
    Path copy = directory.resolve("program");
    if (Files.notExists(copy)) {
      Command.run("cp", "-a", System.getProperty("casement.program", ""), copy.toString()).orFail();
      Command.run("chmod", "-R", "a+rX", copy.toString()).orFail();
    }
    return copy;
  }

  /// The golden image, where the cluster's users can read it.
  public Path image() {
    Path copy = directory.resolve("image");
    if (Files.notExists(copy)) {
      Command.run("cp", "-a", System.getProperty("casement.image", ""), copy.toString()).orFail();
      Command.run("chmod", "-R", "a+rX", copy.toString()).orFail();
    }
    return copy;
  }

  /// A port of this machine's that leads to one in the cluster, for a browser.
  ///
  /// @param port the number of both
  public Process relay(String host, int port) {
    String inner =
        "nsenter --net --target %s socat STDIO TCP:%s:%d"
            .formatted(
                Command.run("cat", directory.resolve("cluster/pid").toString()).orFail().strip(),
                host,
                port);
    try {
      return new ProcessBuilder(
              "socat",
              "TCP-LISTEN:%d,bind=127.0.0.1,reuseaddr,fork".formatted(port),
              "EXEC:" + inner.replace(":", "\\:"))
          .redirectErrorStream(true)
          .redirectOutput(ProcessBuilder.Redirect.DISCARD)
          .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Servers on the controller's host and on n1 that write down what they hear, and take data in a
  /// SYN from whoever has no cookie (tcp_fastopen: 1 client, 2 server, 0x200 without cookies).
  void startCanaries(String heard) {
    String canary = copied("canary.pl");
    for (String where : new String[] {"", "on n1 "}) {
      run(where + "sh -c 'echo 515 >/proc/sys/net/ipv4/tcp_fastopen'").orFail();
      run(where + "setsid perl " + canary + " " + heard + " >/dev/null 2>&1 </dev/null &").orFail();
    }
  }

  /// One that was killed; on the processors that the cluster keeps to.
  void startSlurmdAgain(String node) {
    on(
            node,
            "setsid taskset -c \"$(taskset -cp 1 | sed 's/.*: //')\" slurmd -D -N %s >/run/cluster/log/slurmd-again 2>&1 </dev/null &"
                .formatted(node))
        .orFail();
  }

  // ---- the agent

  /// Takes another program for the agents that are started from now on.
  public void useLauncher(Path other) {
    launcher = other;
  }

  /// Starts the agent of a node and waits until it is ready.
  ///
  /// @param more lines of its table
  public void startAgent(String node, String... more) {
    String lines = String.join("\n", more) + "\n";
    String address = lines.contains("listener_address") ? "" : ADDRESS;
    write("/run/cluster/%s.toml".formatted(node), AGENT + address + lines);
    startAgain(node);
  }

  /// The same with the configuration that is there.
  public void startAgain(String node) {
    launch(node);
    Await.until(
        "the agent of " + node + " is ready",
        LIMIT,
        () -> agentLog(node).contains("casement node: ready"),
        () -> agentLog(node));
  }

  /// Starts it, whatever will come of it.
  public void launch(String node) {
    on(
            node,
            ("JAVA_HOME=%s setsid %s node --config /run/cluster/%s.toml"
                    + " >/run/cluster/log/agent-%s 2>&1 </dev/null & echo $! >/run/cluster/agent-%s")
                .formatted(System.getProperty("java.home"), launcher, node, node, node))
        .orFail();
  }

  public String agentLog(String node) {
    return run("cat /run/cluster/log/agent-" + node).out();
  }

  /// Sends it a signal.
  ///
  /// @param name such as KILL
  public void signalAgent(String node, String name) {
    run("kill -%s $(cat /run/cluster/agent-%s)".formatted(name, node)).orFail();
  }

  /// Kills it as nobody can catch it, and waits until it has gone.
  public void killAgent(String node) {
    signalAgent(node, "KILL");
    Await.until(
        "the agent has gone",
        LIMIT,
        () ->
            run("grep -q 'State:.[^Z]' /proc/$(cat /run/cluster/agent-%s)/status".formatted(node))
                    .status()
                != 0);
  }

  // ---- what there is

  /// `idle` for each node that is, and nothing drained, sorted and without repetition. A node that
  /// the scheduler has a plan for (as with each heterogeneous job) is idle.
  public String states() {
    return run("sinfo -h -N -o %T | sed s/^planned$/idle/ | sort -u").out().strip();
  }

  /// What a sealed job holds on a node, a line for each kind.
  public String holdings(String node) {
    return on(
            node,
            """
            echo pins $(grep -c ' /run/casement/ns/[0-9].* nsfs ' /proc/self/mountinfo)
            echo records $(ls -A /run/casement/sealed /run/casement/ns | grep -c '^[.0-9]')
            echo namespaces $(for p in /proc/[0-9]*/ns/net; do readlink $p; done | sort -u | wc -l)
            echo listening $(grep -c ' 0A ' /proc/net/tcp)
            echo steps $(pgrep -c slurmstepd)
            echo descriptors $(ls /proc/$(cat /run/cluster/agent-%s)/fd | wc -l)
            """
                .formatted(node))
        .out();
  }

  /// Waits until no job holds anything: srun comes back before the epilog has run.
  ///
  /// @return the node's holdings then
  public String awaitGround(String node) {
    awaitNoJobs();
    Await.until(
        "the jobs of " + node + " have left",
        LIMIT,
        () -> {
          String now = holdings(node);
          return now.contains("pins 0\nrecords 0\n") && now.contains("steps 0\n");
        },
        () -> holdings(node));
    return holdings(node);
  }

  public String logs() {
    return run("tail -n 25 /run/cluster/log/slurmd-n*.log /run/cluster/log/agent-*").out();
  }

  @Override
  public void close() {
    tool(List.of("down"), "").orFail();
    Command.run("rm", "-rf", directory.toString()).orFail();
  }
}
