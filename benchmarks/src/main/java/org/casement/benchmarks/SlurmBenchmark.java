package org.casement.benchmarks;

import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.casement.clustertests.Cluster;
import org.casement.testkit.Command;

/// What a sealed network costs a job, and the node agent its node. The peer is a plugin that does
/// the same steps with a bash script (`hook-plugin.c`, `hook.sh`). An ordinary user's srun of a
/// task that says the time and ends is measured each way in turn: from srun's start to the task's
/// word, and to srun's end, where on an idle machine Slurm's own pauses hide some milliseconds.
final class SlurmBenchmark {
  private static final int RUNS_AT_ONCE = 10;
  private static final int WARMUP_RUNS = 10;
  private static final double TICKS_A_SECOND = 100;
  private static final int WARMUP_JOBS = 200;
  private static final int JOBS = 1000;
  private static final int JOBS_AT_ONCE = 250;
  private static final Duration SETTLE = Duration.ofSeconds(10);
  private static final Duration IDLE = Duration.ofSeconds(60);

  /// Ways to run a task.
  enum Way {
    NO_PLUGIN("", "srun"),
    INACTIVE("ours", "srun"),
    ACTIVE("ours", "srun --iso-netns-listeners=1"),
    HOOK("hook", "srun"),
    STEP_NO_PLUGIN("", "srun --jobid=$open"),
    STEP_INACTIVE("ours", "srun --jobid=$open"),
    STEP_ACTIVE("ours", "srun --jobid=$sealed --iso-netns");

    private final String plugin;
    private final String command;

    Way(String plugin, String command) {
      this.plugin = plugin;
      this.command = command;
    }
  }

  record Figures(Latencies toTask, Latencies toEnd, Agent agent) {}

  /// In milliseconds.
  record Latencies(Map<Way, List<Double>> measured) {
    Samples of(Way way) {
      return new Samples("ms", Objects.requireNonNull(measured.get(way)));
    }

    /// What one way takes more than another.
    double added(Way way, Way without) {
      return of(way).median() - of(without).median();
    }

    private void add(Way way, String microseconds) {
      measured
          .computeIfAbsent(way, _ -> new ArrayList<>())
          .add(Double.parseDouble(microseconds) / 1000);
    }
  }

  /// @param resident megabytes after these jobs
  /// @param idle percent of a core
  /// @param jobs megabytes that a thousand jobs add, in memory and below /run
  record Agent(double resident, double idle, double jobs) {}

  private SlurmBenchmark() {}

  static Figures run(int runs) throws InterruptedException {
    try (Cluster cluster = Cluster.start()) {
      prepare(cluster);
      cluster.startAgent("n1", "listener_ports = \"21000-21199\"", "listener_rest = \"0s\"");
      Latencies toTask = new Latencies(new EnumMap<>(Way.class));
      Latencies toEnd = new Latencies(new EnumMap<>(Way.class));
      latencies(cluster, runs, toTask, toEnd);
      return new Figures(toTask, toEnd, agent(cluster));
    }
  }

  private static void prepare(Cluster cluster) {
    String source = cluster.copied("hook-plugin.c");
    String hook = cluster.copied("hook.sh");
    cluster.copied("sealed-jobs.pl");
    cluster
        .run(
            """
            set -e
            cp /run/cluster/plugstack.conf /run/cluster/with-ours
            v=$(slurmd -V | sed -E 's/.* 0*([0-9]+)\\.0*([0-9]+).*/\\1 << 16 | \\2 << 8/')
            # our own "as" is no assembler
            PATH=/usr/bin:/bin cc -O2 -fPIC -shared -DSLURM_VERSION="($v)" -o /run/cluster/hook.so %s
            echo "required /run/cluster/hook.so %s" >/run/cluster/with-hook
            : >/run/cluster/with-
            cat >/run/cluster/timed <<'END'
            #!/bin/bash
            # timed COMMAND...: microseconds to the command's word, which is the time, and to its end
            start=$EPOCHREALTIME
            task=$("$@") || exit
            end=$EPOCHREALTIME
            echo $((${task/./} - ${start/./})) $((${end/./} - ${start/./}))
            END
            chmod 755 /run/cluster/timed
            """
                .formatted(source, hook))
        .orFail();
  }

  private static void latencies(Cluster cluster, int runs, Latencies toTask, Latencies toEnd) {
    cluster.run("cp /run/cluster/with-ours /run/cluster/plugstack.conf").orFail();
    // Two jobs that take steps, one of them sealed by its first.
    cluster.alice("salloc -Q -n1 --overcommit --no-shell -J open");
    cluster.alice("salloc -Q -n1 --overcommit --no-shell -J sealed");
    cluster.alice("srun --jobid=$(squeue -h -n sealed -O jobid:9) --iso-netns true");
    round(cluster, WARMUP_RUNS);
    for (int done = 0; done < runs; done += RUNS_AT_ONCE) {
      for (String line : round(cluster, Math.min(RUNS_AT_ONCE, runs - done)).lines().toList()) {
        String[] words = line.split(" ", -1);
        toTask.add(Way.valueOf(words[0]), words[1]);
        toEnd.add(Way.valueOf(words[0]), words[2]);
      }
    }
    cluster.alice("scancel --user=alice");
    cluster.awaitNoJobs();
  }

  private static String round(Cluster cluster, int runs) {
    StringBuilder script =
        new StringBuilder(
            "open=$(squeue -h -n open -O jobid:9) sealed=$(squeue -h -n sealed -O jobid:9)\nset -e\n");
    script.append("for i in $(seq ").append(runs).append("); do\n");
    for (Way way : Way.values()) {
      // The last one's epilog needs the plugin that it began with.
      script.append("sleep 0.2\n");
      script.append("cp /run/cluster/with-%s /run/cluster/plugstack.conf\n".formatted(way.plugin));
      script.append("echo %s $(as alice /run/cluster/timed ".formatted(way));
      script.append(way.command).append(" bash -c 'echo $EPOCHREALTIME')\n");
    }
    return cluster.run(script + "done").orFail();
  }

  private static Agent agent(Cluster cluster) throws InterruptedException {
    cluster.run("cp /run/cluster/with-ours /run/cluster/plugstack.conf").orFail();
    Thread.sleep(SETTLE);
    double resident = status(cluster, "VmRSS");
    double before = seconds(cluster);
    Thread.sleep(IDLE);
    double idle = (seconds(cluster) - before) / IDLE.toSeconds() * 100;
    seal(cluster, 0, WARMUP_JOBS);
    double memory = status(cluster, "VmRSS");
    double files = files(cluster);
    for (int job = 0; job < JOBS; job += JOBS_AT_ONCE) {
      seal(cluster, WARMUP_JOBS + job, JOBS_AT_ONCE);
    }
    return new Agent(resident, idle, status(cluster, "VmRSS") - memory + files(cluster) - files);
  }

  private static void seal(Cluster cluster, int first, int count) {
    cluster.on("n1", "perl /run/cluster/sealed-jobs.pl %d %d".formatted(first, count)).orFail();
  }

  /// In megabytes.
  private static double status(Cluster cluster, String field) {
    return number(
            cluster.run(
                "awk '/^%s:/ {print $2}' /proc/$(cat /run/cluster/agent-n1)/status"
                    .formatted(field)))
        * 1024
        / 1e6;
  }

  /// Of processor, its threads that have ended included.
  private static double seconds(Cluster cluster) {
    return number(cluster.run("awk '{print $14 + $15}' /proc/$(cat /run/cluster/agent-n1)/stat"))
        / TICKS_A_SECOND;
  }

  /// Megabytes below /run/casement.
  private static double files(Cluster cluster) {
    return number(cluster.on("n1", "df --block-size=1 --output=used /run/casement | tail -1"))
        / 1e6;
  }

  private static double number(Command.Outcome said) {
    return Double.parseDouble(said.orFail().strip());
  }
}
