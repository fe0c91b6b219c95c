package org.casement.node;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.casement.isolation.ShortRun;

/// Asks slurmctld about one job, with squeue(1). A user can put line feeds into several fields of a
/// job of theirs, and so whole lines of squeue's that are none: what is asked for here are the
/// fields that only the controller fills, all lines must be such lines, and exactly one of the job.
final class Controller {
  private static final Duration LIMIT = Duration.ofSeconds(5);

  /// Job, state, partition, account, QOS, reservation, and the job once more.
  private static final String FORMAT = "%A|%T|%P|%a|%q|%v|%A";

  private static final Pattern LINE =
      Pattern.compile(
          "([0-9]{1,10})\\|([A-Z_]{1,32})\\|([^|]{0,256})\\|([^|]{0,256})\\|([^|]{0,256})\\|([^|]{0,256})\\|([0-9]{1,10})");

  /// docs: the comment of a session's job, design of the session key.
  private static final Pattern SESSION = Pattern.compile("casement:1:[A-Za-z0-9_-]{43}");

  private static final Set<String> OVER =
      Set.of(
          "BOOT_FAIL",
          "CANCELLED",
          "COMPLETED",
          "DEADLINE",
          "FAILED",
          "NODE_FAIL",
          "OUT_OF_MEMORY",
          "PENDING",
          "PREEMPTED",
          "REQUEUED",
          "REQUEUE_HOLD",
          "REVOKED",
          "SPECIAL_EXIT",
          "TIMEOUT");

  /// squeue with what it needs to find the controller.
  private final List<String> squeue;

  Controller(List<String> squeue) {
    this.squeue = List.copyOf(squeue);
  }

  /// Empty for a job that the controller does not know.
  ///
  /// @throws IOException where it cannot be asked, or says what cannot be trusted
  Optional<JobFacts> facts(long job) throws IOException {
    Optional<String> output = ask(job, FORMAT);
    return output.isEmpty() ? Optional.empty() : parse(job, output.get());
  }

  /// An array's first element has the array's own number, and the others are listed with it.
  static Optional<JobFacts> parse(long job, String output) throws IOException {
    List<JobFacts> found = new ArrayList<>();
    for (String line : output.lines().toList()) {
      Matcher fields = LINE.matcher(line);
      if (!fields.matches() || !fields.group(1).equals(fields.group(7))) {
        throw new IOException("squeue's answer about job " + job + " is not understood");
      }
      if (Long.parseLong(fields.group(1)) == job) {
        found.add(
            new JobFacts(
                fields.group(2),
                fields.group(3),
                present(fields.group(4)),
                present(fields.group(5)),
                present(fields.group(6))));
      }
    }
    if (found.size() > 1) {
      throw new IOException("squeue knows job " + job + " twice");
    }
    return found.stream().findFirst();
  }

  private static String present(String field) {
    return field.equals("(null)") || field.equals("N/A") ? "" : field;
  }

  /// Whether the job is on a node now, as far as the controller knows.
  boolean isHere(long job) throws IOException {
    return facts(job).map(known -> !OVER.contains(known.state())).orElse(false);
  }

  /// Whether the job is a session of Casement's. A comment that only looks so is its owner's doing
  /// and to nobody's harm.
  boolean isSession(long job) throws IOException {
    return ask(job, "%k").map(text -> SESSION.matcher(text).find()).orElse(false);
  }

  private Optional<String> ask(long job, String format) throws IOException {
    List<String> command = new ArrayList<>(squeue);
    command.addAll(List.of("--noheader", "--states=all", "--jobs=" + job, "--format=" + format));
    try {
      ShortRun run = ShortRun.of(command, LIMIT);
      if (run.succeeded()) {
        return Optional.of(run.output());
      }
      if (run.output().contains("Invalid job id specified")) {
        return Optional.empty();
      }
      throw new IOException("squeue cannot say what job " + job + " is: " + run.firstWords());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
