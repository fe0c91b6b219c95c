package org.casement.app;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.casement.isolation.Listener;
import org.casement.isolation.RuntimeDirectory;
import org.casement.isolation.SealPlan;
import org.casement.isolation.SealedRun;
import org.casement.isolation.UserNamespaces;
import org.casement.session.SessionException;
import org.casement.session.SessionId;
import org.casement.settings.ConfigurationFiles;
import org.casement.settings.SettingsSection;
import org.casement.supervisor.Supervisor;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// The process outside the namespace. It opens the listeners, starts the sealed part, passes
/// signals to it, and tidies what it leaves, however it ends.
@Command(
    name = "run",
    description = "Runs a session, sealed, in the foreground. Ctrl-C ends it in order.")
final class RunCommand implements Callable<Integer> {
  private static final int SIGTERM = 15;

  @Option(names = "--config", paramLabel = "FILE", description = "the configuration to use")
  private @Nullable Path config;

  @Option(
      names = "--time",
      paramLabel = "TIME",
      converter = TimeConverter.class,
      description = "the session's walltime, such as 2h or 90m, instead of the configuration's")
  private @Nullable Duration time;

  @Option(
      names = "--session",
      paramLabel = "SESSION",
      description = "what 'casement submit' has called it",
      hidden = true)
  private @Nullable String session;

  static final class TimeConverter implements CommandLine.ITypeConverter<Duration> {
    @Override
    public Duration convert(String text) {
      return SettingsSection.parseDuration(text)
          .orElseThrow(
              () ->
                  new CommandLine.TypeConversionException(
                      "a time such as 8h, 90m or 30s is expected, not " + text));
    }
  }

  /// For removing files and printing: a home on a file system that hangs must not hold up a signal.
  private static final Duration TIDY_LIMIT = Duration.ofSeconds(10);

  private final CountDownLatch tidied = new CountDownLatch(1);
  private volatile @Nullable SealedRun sealed;
  private volatile boolean signalled;
  private volatile int result = Main.FAILED;

  /// The command for arguments such as a portal or a job script has them, without the command line
  /// library, which costs a sixth of a second; empty for all others, which are the library's.
  static Optional<RunCommand> plain(List<String> arguments) {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < arguments.size(); i += 2) {
      options.put(arguments.get(i), arguments.get(i + 1));
    }
    Optional<Duration> time =
        Optional.ofNullable(options.get("--time")).flatMap(SettingsSection::parseDuration);
    if (2 * options.size() != arguments.size()
        || !Set.of("--config", "--time", "--session").containsAll(options.keySet())
        || options.values().stream().anyMatch(value -> value.startsWith("-"))
        || time.isPresent() != options.containsKey("--time")) {
      return Optional.empty();
    }
    RunCommand command = new RunCommand();
    String config = options.get("--config");
    try {
      command.config = config == null ? null : Path.of(config);
    } catch (InvalidPathException e) {
      return Optional.empty();
    }
    command.time = time.orElse(null);
    command.session = options.get("--session");
    return Optional.of(command);
  }

  @Override
  public Integer call() throws Exception {
    SealedRun.prepare();
    refuseRoot();
    List<Path> files = ConfigurationFiles.find(Optional.ofNullable(config), System.getenv());
    Configuration configuration = Configuration.read(files, System.getenv());
    Duration asked = time == null ? configuration.session().walltime() : time;
    Optional<SlurmJob> job = SlurmJob.of(System.getenv());
    Duration walltime = job.map(ours -> ours.left(asked, Instant.now())).orElse(asked);
    String node = SealedStart.node();
    Path parent = configuration.session().runtimeParent();
    if (!Files.isDirectory(parent)) {
      throw new SessionException(
          parent + " is not a directory on this node; set [session] runtime_parent");
    }
    RuntimeDirectory.sweep(
        parent,
        (left, e) ->
            System.err.println(
                "casement: cannot remove " + left + ", which a dead session left: " + e));
    SessionHome.tidyDead(configuration.session().home(), node);
    SessionId id = session == null ? SessionId.random(new SecureRandom()) : id(session);
    if (!passSignals(walltime, SealedStart.endLimit(configuration))) {
      return Main.OK;
    }
    try {
      RuntimeDirectory runtime = RuntimeDirectory.create(parent);
      try {
        Optional<String> problem = Supervisor.problem(runtime.path());
        if (problem.isPresent()) {
          throw new SessionException(problem.get());
        }
        SessionHome home = home(configuration.session().home(), id, job);
        try {
          home.write(new SessionHome.Whereabouts(id, node, runtime.path()));
          result =
              run(
                  configuration,
                  new SessionProgram.Arguments(
                      id, home.directory(), runtime.path(), walltime, files),
                  home);
          return result;
        } finally {
          remove(home.directory(), home::tidy);
        }
      } finally {
        remove(runtime.path(), runtime::remove);
      }
    } finally {
      tidied.countDown();
    }
  }

  private static SessionId id(String text) throws SessionException {
    try {
      return new SessionId(text);
    } catch (IllegalArgumentException e) {
      throw new SessionException(String.valueOf(e.getMessage()), e);
    }
  }

  private SessionHome home(Path homes, SessionId id, Optional<SlurmJob> job) throws IOException {
    if (session == null) {
      return SessionHome.create(homes, id);
    }
    SessionHome home = SessionHome.submitted(homes, id);
    if (job.isPresent()) {
      home.writeJob(job.get().id()); // it may begin before 'casement submit' has heard its number
    }
    return home;
  }

  private interface Removal {
    void remove() throws IOException;
  }

  /// Tells at once what cannot be removed: after a signal nobody else comes to it.
  private static void remove(Path what, Removal removal) {
    try {
      removal.remove();
    } catch (IOException e) {
      System.err.println("casement: cannot remove " + what + ": " + e);
    }
  }

  private int run(Configuration configuration, SessionProgram.Arguments session, SessionHome home)
      throws IOException, InterruptedException {
    Map<String, String> environment = System.getenv();
    // Of a job that is sealed already, with listeners or, where policy alone did it, without.
    boolean given =
        environment.containsKey("SPANK_ISO_NETNS_SEALED")
            || environment.containsKey("SPANK_ISO_NETNS_LISTENING_FD_0");
    List<Listener> listeners =
        given
            ? SealedStart.given(configuration.listen(), environment)
            : SealedStart.listeners(configuration.listen());
    SealedRun started;
    try {
      started =
          SealedStart.start(
              given ? SealPlan.Network.GIVEN : SealPlan.Network.FRESH,
              configuration,
              listeners,
              session,
              environment);
    } finally {
      listeners.forEach(Listener::close); // the session has its own copies
    }
    try (started) {
      sealed = started;
      if (signalled) {
        return Main.OK;
      }
      return status(started.waitFor(), Files.exists(home.log()));
    }
  }

  /// Has signals passed on, and a session killed that something holds up past its walltime.
  ///
  /// @return false where a signal has come already
  private boolean passSignals(Duration walltime, Duration endLimit) {
    Thread.ofPlatform()
        .daemon()
        .name("watchdog")
        .start(
            () -> {
              try {
                Thread.sleep(walltime.plus(endLimit));
                kill();
              } catch (InterruptedException e) {
                return;
              }
            });
    return Main.onSignal(() -> passSignal(endLimit));
  }

  private void passSignal(Duration endLimit) {
    if (tidied.getCount() == 0) {
      return; // nobody sent a signal, the session has ended
    }
    signalled = true;
    SealedRun running = sealed;
    try {
      if (running != null) {
        running.signal(SIGTERM);
        if (!tidied.await(endLimit.toMillis(), TimeUnit.MILLISECONDS)) {
          running.kill(); // it does not end in order
        }
      }
      var _ = tidied.await(TIDY_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      kill();
    }
    Runtime.getRuntime().halt(result);
  }

  private void kill() {
    SealedRun running = sealed;
    if (running != null) {
      running.kill();
    }
  }

  /// What the session says by its status is passed on; anything else is the end of a process that
  /// could not say anything.
  private int status(int status, boolean begun) {
    return switch (status) {
      case Main.OK, Main.UNAVAILABLE, Main.FAILED, Main.CONFIGURATION -> status;
      default -> {
        if (signalled && (!begun || status == 128 + SIGTERM)) {
          yield Main.OK; // before there was anything that had to end in order
        }
        if (status == 1 && !begun) {
          // unshare's own status: it said why in its own words.
          String hint = UserNamespaces.hint().map("; "::concat).orElse("");
          SealedRun.problem().ifPresent(problem -> Main.complain(problem + hint));
          yield Main.UNAVAILABLE;
        }
        Main.complain("the session was killed (status " + status + ")");
        yield Main.FAILED;
      }
    };
  }

  private static void refuseRoot() throws IOException, SessionException {
    if (Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0)) {
      throw new SessionException(
          "a session never runs as root: the guest can do what its user can; start it as a user");
    }
  }
}
