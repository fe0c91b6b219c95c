package org.casement.app;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.casement.isolation.ShortRun;
import org.casement.session.SessionException;

/// Slurm's own commands, as the user calls them.
final class Slurm {
  /// A controller that is being restarted is asked again by the commands themselves.
  private static final Duration LIMIT = Duration.ofSeconds(30);

  /// Fields that no user writes: number, state, node, time left.
  private static final String FORMAT = "%A|%T|%N|%L";

  private static final Pattern LINE =
      Pattern.compile("([0-9]{1,18})\\|([A-Z_]{1,32})\\|([^|]{0,256})\\|([^|]{0,32})");

  private static final Set<String> WAITING =
      Set.of("PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD");

  private static final Set<String> ON_A_NODE =
      Set.of("CONFIGURING", "RUNNING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT");

  private static final int SIGNAL_TERM = 15;

  private final Path directory;

  /// @param directory where sbatch, squeue and scancel are
  Slurm(Path directory) {
    this.directory = directory;
  }

  /// What the controller says of a job.
  ///
  /// @param node empty while it waits
  /// @param left as squeue(1) writes it
  record Job(long id, String state, String node, String left) {
    boolean waits() {
      return WAITING.contains(state);
    }

    boolean isOver() {
      return !waits() && !ON_A_NODE.contains(state) && !state.equals("COMPLETING");
    }

    @Override
    public String toString() {
      return "job " + id + " " + state + (node.isEmpty() ? "" : " on " + node);
    }
  }

  boolean isHere() {
    return Files.isExecutable(directory.resolve("sbatch"));
  }

  /// Whether sbatch knows the plugin's options here.
  boolean hasPlugin() throws IOException, SessionException {
    return run("sbatch", List.of("--help")).contains("--iso-netns-tcp-listeners");
  }

  /// Submits a batch script.
  ///
  /// @return the job's number
  long submit(List<String> options, Path script) throws IOException, SessionException {
    List<String> arguments = new ArrayList<>(options);
    arguments.addAll(List.of("--parsable", script.toString()));
    String said = run("sbatch", arguments);
    // Warnings come before; with several clusters ";CLUSTER" comes after.
    return said.lines()
        .map(String::strip)
        .filter(line -> line.matches("[0-9]{1,18}(;.*)?"))
        .map(line -> Long.valueOf(line.replaceFirst(";.*", "")))
        .reduce((_, last) -> last)
        .orElseThrow(() -> new SessionException("sbatch did not say the job's number: " + said));
  }

  /// Those of `ids` that the controller knows.
  Map<Long, Job> jobs(Set<Long> ids) throws IOException, SessionException {
    if (ids.isEmpty()) {
      return Map.of();
    }
    String list = new TreeSet<>(ids).stream().map(String::valueOf).collect(Collectors.joining(","));
    List<String> arguments =
        List.of("--noheader", "--states=all", "--jobs=" + list, "--format=" + FORMAT);
    ShortRun run = shortRun("squeue", arguments);
    if (!run.succeeded() && !run.output().contains("Invalid job id")) {
      throw new SessionException("squeue cannot be asked: " + run.firstWords());
    }
    return parse(run.output());
  }

  static Map<Long, Job> parse(String output) {
    Map<Long, Job> jobs = new HashMap<>();
    for (String line : output.lines().toList()) {
      Matcher fields = LINE.matcher(line.strip());
      if (fields.matches()) {
        String node = fields.group(3).equals("(null)") ? "" : fields.group(3);
        Job job = new Job(Long.parseLong(fields.group(1)), fields.group(2), node, fields.group(4));
        jobs.put(job.id(), job);
      }
    }
    return jobs;
  }

  /// Ends a session's job in order: the session hears of it and takes the time it needs. A plain
  /// scancel would kill it after Slurm's KillWait.
  void end(Job job) throws IOException, SessionException {
    List<String> arguments =
        job.waits()
            ? List.of(String.valueOf(job.id()))
            : List.of("--batch", "--signal=" + SIGNAL_TERM, String.valueOf(job.id()));
    String _ = run("scancel", arguments);
  }

  private String run(String command, List<String> arguments) throws IOException, SessionException {
    ShortRun run = shortRun(command, arguments);
    if (!run.succeeded()) {
      throw new SessionException(
          command
              + " refuses: "
              + run.output().lines().limit(10).collect(Collectors.joining("\n  ")));
    }
    return run.output();
  }

  private ShortRun shortRun(String command, List<String> arguments)
      throws IOException, SessionException {
    List<String> line = new ArrayList<>(List.of(directory.resolve(command).toString()));
    line.addAll(arguments);
    try {
      return ShortRun.of(line, LIMIT);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SessionException("interrupted", e);
    }
  }
}
