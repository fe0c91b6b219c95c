package org.casement.app;

import java.io.IOException;
import java.net.ConnectException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.casement.session.SessionException;
import org.casement.session.SessionId;
import org.casement.settings.ConfigurationException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// Which of the user's sessions a command means; shared by `link`, `status`, `stop` and `list`.
final class SessionChoice {
  @Option(names = "--config", paramLabel = "FILE", description = "the configuration to use")
  private @Nullable Path config;

  @Parameters(
      arity = "0..1",
      paramLabel = "SESSION",
      description = "which session; may be left out if there is only one")
  private @Nullable String session;

  /// A session that lives: it answers on this node, or Slurm knows its job, or both.
  ///
  /// @param status what it answers
  /// @param runtime its runtime directory, where it answers
  record Live(
      SessionHome home,
      Optional<Path> runtime,
      Optional<Map<String, Object>> status,
      Optional<Slurm.Job> job) {
    SessionId id() {
      return home.id();
    }

    Map<String, Object> ask(String command) throws IOException, SessionException {
      if (runtime.isEmpty()) {
        throw new SessionException("session " + id() + " does not answer on this node");
      }
      try {
        return ControlSocket.ask(runtime.get(), command);
      } catch (ConnectException e) {
        throw new SessionException("session " + id() + " has just ended", e);
      }
    }
  }

  private Configuration configuration() throws ConfigurationException, IOException {
    return Configuration.find(Optional.ofNullable(config), System.getenv());
  }

  Slurm slurm() throws ConfigurationException, IOException {
    return new Slurm(configuration().slurm().commands());
  }

  List<Live> live() throws ConfigurationException, IOException, SessionException {
    Configuration configuration = configuration();
    List<SessionHome> homes = new ArrayList<>();
    for (SessionHome home : SessionHome.all(configuration.session().home())) {
      if (session == null || home.directory().endsWith(session)) {
        homes.add(home);
      }
    }
    Map<Long, Slurm.Job> jobs = jobs(homes, new Slurm(configuration.slurm().commands()));
    List<Live> live = new ArrayList<>();
    for (SessionHome home : homes) {
      Optional<Path> runtime = home.whereabouts().map(SessionHome.Whereabouts::runtime);
      Optional<Map<String, Object>> status = runtime.flatMap(SessionChoice::status);
      Optional<Slurm.Job> job =
          home.job().stream()
              .boxed()
              .flatMap(number -> Optional.ofNullable(jobs.get(number)).stream())
              .filter(known -> !known.isOver())
              .findAny();
      if (status.isPresent() || job.isPresent()) {
        live.add(new Live(home, status.isPresent() ? runtime : Optional.empty(), status, job));
      }
    }
    return live;
  }

  private static Optional<Map<String, Object>> status(Path runtime) {
    try {
      return Optional.of(ControlSocket.ask(runtime, "status"));
    } catch (IOException e) {
      return Optional.empty(); // on another node, or killed
    }
  }

  private static Map<Long, Slurm.Job> jobs(List<SessionHome> homes, Slurm slurm)
      throws IOException, SessionException {
    Set<Long> numbers = new HashSet<>();
    homes.forEach(home -> home.job().ifPresent(numbers::add));
    return numbers.isEmpty() || !slurm.isHere() ? Map.of() : slurm.jobs(numbers);
  }

  /// Tidies the homes of sessions whose jobs are over.
  static void tidy(Configuration configuration, Slurm slurm) throws IOException, SessionException {
    List<SessionHome> homes = SessionHome.all(configuration.session().home());
    Map<Long, Slurm.Job> jobs = jobs(homes, slurm);
    for (SessionHome home : homes) {
      if (home.job().isPresent()) {
        Slurm.Job job = jobs.get(home.job().getAsLong());
        if (job == null || job.isOver()) {
          home.forget();
        }
      }
    }
  }

  Live one() throws ConfigurationException, IOException, SessionException {
    List<Live> live = live();
    String wanted = session;
    if (wanted != null) {
      return live.stream()
          .filter(candidate -> candidate.id().value().equals(wanted))
          .findFirst()
          .orElseThrow(
              () ->
                  new SessionException("no session " + wanted + " runs on this node or as a job"));
    }
    if (live.size() != 1) {
      throw new SessionException(
          live.isEmpty()
              ? "no session of yours runs on this node or as a job"
              : "you have "
                  + live.size()
                  + " sessions; say which: "
                  + String.join(", ", live.stream().map(one -> one.id().value()).toList()));
    }
    return live.getFirst();
  }
}
