package org.casement.app;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.casement.isolation.Layers;
import org.casement.session.SessionException;
import org.casement.session.SessionId;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// A session as a Slurm job. What is submitted is `casement run`; what ties the two together is the
/// session home, on the file system that both see.
@Command(
    name = "submit",
    description = "Submits a session as a Slurm job, waits for it and prints its link.",
    footer = "%nExample: casement submit --time 4h -- --partition=desktop --mem=10G")
final class SubmitCommand implements Callable<Integer> {
  /// On a file system that is shared, a file is seen some seconds later.
  private static final Duration LINK_POLL = Duration.ofMillis(500);

  private static final Duration SLURM_POLL = Duration.ofSeconds(3);

  private static final Duration SECOND_LOOK = Duration.ofSeconds(1);

  /// What the job's end may take to be seen in its files.
  private static final Duration LAST_WORDS = Duration.ofSeconds(2);

  private static final int LAST_LINES = 15;

  @Option(names = "--config", paramLabel = "FILE", description = "the configuration to use")
  private @Nullable Path config;

  @Option(
      names = "--time",
      paramLabel = "TIME",
      converter = RunCommand.TimeConverter.class,
      description = "the session's walltime, such as 2h or 90m, instead of the configuration's")
  private @Nullable Duration time;

  @Option(
      names = "--no-wait",
      description = "returns at once; 'casement link' shows the link later")
  private boolean noWait;

  @Parameters(paramLabel = "SBATCH OPTIONS", description = "options for sbatch, after --")
  private List<String> options = List.of();

  private volatile boolean waiting;

  @Override
  public Integer call() throws Exception {
    Optional<Path> named = Optional.ofNullable(config).map(Path::toAbsolutePath);
    Configuration configuration = Configuration.find(named, System.getenv());
    refuseManifold(options);
    Slurm slurm = new Slurm(configuration.slurm().commands());
    if (!slurm.isHere()) {
      throw new SessionException(
          "no sbatch in "
              + configuration.slurm().commands()
              + "; set [slurm] commands, or start a session here with casement run");
    }
    boolean plugin = plugin(configuration, slurm);
    SessionChoice.tidy(configuration, slurm);
    SessionHome home =
        SessionHome.create(configuration.session().home(), SessionId.random(new SecureRandom()));
    SessionId id = home.id();
    Slurm.Job job;
    try {
      SessionKey key = SessionKey.generate();
      SessionHome.writePrivately(home.key(), key.privateKey());
      Path script = home.directory().resolve("script");
      SessionHome.writePrivately(script, script(id, named, walltime(configuration)));
      List<String> line = line(configuration, home, key, plugin);
      long number = slurm.submit(line, script);
      home.writeJob(number);
      Files.delete(script); // Slurm has its own copy
      job = new Slurm.Job(number, "PENDING", "", "");
    } catch (IOException | SessionException e) {
      SessionHome.deleteRecursively(home.directory());
      throw e;
    }
    System.out.println("session " + id);
    System.out.println("job " + job.id());
    System.out.flush();
    return noWait ? Main.OK : await(slurm, home, job);
  }

  private Duration walltime(Configuration configuration) {
    return time == null ? configuration.session().walltime() : time;
  }

  /// The user's own options come last: sbatch takes the last of each.
  private List<String> line(
      Configuration configuration, SessionHome home, SessionKey key, boolean plugin) {
    long minutes = Math.max(1, (walltime(configuration).toSeconds() + 59) / 60);
    List<String> line =
        new ArrayList<>(
            List.of(
                "--job-name=casement",
                "--nodes=1",
                "--ntasks=1",
                "--no-requeue",
                "--time=" + minutes,
                // sbatch puts the job's number and more in the place of what begins with %
                "--output=" + home.directory().resolve("job.log").toString().replace("%", "%%"),
                "--open-mode=append"));
    if (configuration.machine().cpus() > 0) {
      line.add("--cpus-per-task=" + configuration.machine().cpus());
    }
    line.addAll(options);
    // Not to be changed: what they say is what the session is.
    line.add("--comment=" + key.comment());
    if (plugin) {
      line.add("--iso-netns-tcp-listeners=" + SealedStart.count(configuration.listen()));
    }
    return line;
  }

  /// A session in the job's own words. The program is the one that runs now: it must lie where the
  /// node sees it.
  private static String script(SessionId id, Optional<Path> config, Duration walltime) {
    String launcher = Objects.requireNonNull(System.getProperty("casement.launcher"));
    List<String> words = new ArrayList<>(List.of(launcher, "run", "--session", id.value()));
    config.ifPresent(file -> words.addAll(List.of("--config", file.toString())));
    words.addAll(List.of("--time", walltime.toSeconds() + "s"));
    return "#!/bin/sh\nexec "
        + String.join(" ", words.stream().map(SubmitCommand::quoted).toList())
        + "\n";
  }

  private static String quoted(String word) {
    return "'" + word.replace("'", "'\\''") + "'";
  }

  static void refuseManifold(List<String> options) throws SessionException {
    for (String option : options) {
      boolean array = option.startsWith("--array") || option.matches("-a.*");
      if (array || option.equals(":")) {
        throw new SessionException(
            "a session is one ordinary job: no " + (array ? "array" : "heterogeneous job"));
      }
      if (option.startsWith("--time=") || option.matches("-t.*")) {
        throw new SessionException(
            "the session must know its time: give it as casement submit --time 2h, not as "
                + option);
      }
      if (option.startsWith("--comment")) {
        throw new SessionException("the job's comment is the session's: leave out " + option);
      }
      if (!option.startsWith("-")) {
        throw new SessionException(
            "write options of sbatch with '=', such as --partition=desktop, not " + option);
      }
    }
  }

  private static boolean plugin(Configuration configuration, Slurm slurm)
      throws IOException, SessionException {
    Layers.Use use = configuration.slurm().plugin();
    boolean there = use != Layers.Use.OFF && slurm.hasPlugin();
    if (!there && use == Layers.Use.REQUIRED) {
      throw new SessionException(
          "the configuration requires the plugin iso_netns, and sbatch does not know its options"
              + " here: see docs/iso_netns.md");
    }
    return there;
  }

  /// Until the session has a link, or is over.
  private int await(Slurm slurm, SessionHome home, Slurm.Job submitted)
      throws IOException, InterruptedException {
    waiting = true;
    if (!Main.onSignal(() -> leave(home, submitted))) {
      return Main.OK;
    }
    Slurm.Job job = submitted;
    String said = "";
    long nextLook = System.nanoTime();
    while (!isThere(home.link())) {
      if (System.nanoTime() - nextLook >= 0) {
        nextLook = System.nanoTime() + SLURM_POLL.toNanos();
        try {
          Slurm.Job now = slurm.jobs(Set.of(job.id())).get(job.id());
          if (now == null || now.isOver()) {
            Thread.sleep(LAST_WORDS);
            return failed(home, job, now);
          }
          job = now;
          said = say(job.toString(), said);
        } catch (SessionException e) { // the controller is away; the job is not
          said = say(e.getMessage() + "; asking again", said);
        }
      }
      Thread.sleep(LINK_POLL);
    }
    return links(home);
  }

  /// What is new.
  private static String say(String text, String before) {
    if (!text.equals(before)) {
      System.err.println("casement: " + text);
    }
    return text;
  }

  /// A session that finds at once that it cannot run takes its link back.
  private static boolean isThere(Path link) throws InterruptedException {
    if (!Files.exists(link)) {
      return false;
    }
    Thread.sleep(SECOND_LOOK);
    return Files.exists(link);
  }

  private int links(SessionHome home) throws IOException {
    waiting = false;
    System.out.println("link " + Files.readString(home.link()).strip());
    if (Files.exists(home.console())) {
      System.out.println("console " + Files.readString(home.console()).strip());
    }
    return Main.OK;
  }

  private int failed(SessionHome home, Slurm.Job job, Slurm.@Nullable Job now) throws IOException {
    waiting = false;
    Path log = home.directory().resolve("job.log");
    System.err.println(
        "casement: the session did not come up: " + (now == null ? "job " + job.id() : now));
    if (Files.exists(log)) {
      try (Stream<String> lines = Files.lines(log)) {
        List<String> all = lines.toList();
        all.subList(Math.max(0, all.size() - LAST_LINES), all.size())
            .forEach(line -> System.err.println("  " + line));
      }
      System.err.println("casement: more may be in " + log);
    }
    home.forget();
    return Main.UNAVAILABLE;
  }

  /// On a signal: the job is Slurm's, and stays.
  private void leave(SessionHome home, Slurm.Job job) {
    if (waiting) {
      System.err.println(
          "casement: job %d stays; 'casement link %s' shows its link, 'casement stop %s' ends it"
              .formatted(job.id(), home.id(), home.id()));
    }
  }
}
