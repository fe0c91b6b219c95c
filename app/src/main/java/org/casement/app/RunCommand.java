package org.casement.app;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.casement.isolation.Listener;
import org.casement.isolation.RuntimeDirectory;
import org.casement.isolation.SealedRun;
import org.casement.session.SessionException;
import org.casement.session.SessionId;
import org.jspecify.annotations.Nullable;
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
      description = "the session's walltime, such as 2h or 90m, instead of the configuration's")
  private @Nullable String time;

  private final CountDownLatch tidied = new CountDownLatch(1);
  private volatile boolean signalled;
  private volatile int result = Main.FAILED;

  @Override
  public Integer call() throws Exception {
    refuseRoot();
    Configuration configuration = Configuration.find(Optional.ofNullable(config), System.getenv());
    Duration walltime = walltime(configuration);
    String node = SealedStart.node();
    Path parent = configuration.session().runtimeParent();
    RuntimeDirectory.sweep(parent);
    SessionHome.tidyDead(configuration.session().home(), node);
    SessionId id = SessionId.random(new SecureRandom());
    SessionHome home = SessionHome.create(configuration.session().home(), id);
    RuntimeDirectory runtime = RuntimeDirectory.create(parent);
    try {
      home.write(new SessionHome.Whereabouts(id, node, runtime.path()));
      SessionProgram.Arguments session =
          new SessionProgram.Arguments(
              configuration.file(), id, home.directory(), runtime.path(), walltime);
      return run(configuration, session);
    } finally {
      runtime.remove();
      home.tidy();
      tidied.countDown();
    }
  }

  private int run(Configuration configuration, SessionProgram.Arguments session)
      throws IOException, InterruptedException {
    List<Listener> listeners = SealedStart.listeners(configuration.listen());
    SealedRun sealed;
    try {
      sealed = SealedStart.start(configuration, listeners, session, System.getenv());
    } finally {
      listeners.forEach(Listener::close); // the session has its own copies
    }
    try (sealed) {
      passSignals(sealed, SealedStart.endLimit(configuration));
      result = status(sealed.waitFor());
    }
    return result;
  }

  /// SIGTERM, SIGINT and SIGHUP start a JVM's shutdown; its hook waits for ours.
  private void passSignals(SealedRun sealed, Duration limit) {
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  if (tidied.getCount() == 0) {
                    return; // nobody sent a signal, the session has ended
                  }
                  signalled = true;
                  sealed.signal(SIGTERM);
                  try {
                    if (!tidied.await(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                      sealed.kill();
                      tidied.await();
                    }
                  } catch (InterruptedException e) {
                    sealed.kill();
                  }
                  Runtime.getRuntime().halt(result);
                },
                "signal"));
  }

  /// What the session says by its status is passed on; anything else is the end of a process that
  /// could not say anything.
  private int status(int status) {
    return switch (status) {
      case Main.OK, Main.UNAVAILABLE, Main.FAILED, Main.CONFIGURATION -> status;
      case 1 -> {
        // unshare's own status: it cannot seal here, or its child was killed (it cannot kill itself
        // by the signal that nobody can handle, and ends with 1 instead).
        Optional<String> problem = SealedRun.problem();
        System.err.println("casement: " + problem.orElse("the session was killed"));
        yield problem.isPresent() ? Main.UNAVAILABLE : Main.FAILED;
      }
      default -> {
        if (signalled) {
          yield Main.OK; // before there was anything that had to end in order
        }
        System.err.println("casement: the session was killed (status " + status + ")");
        yield Main.FAILED;
      }
    };
  }

  private Duration walltime(Configuration configuration) throws SessionException {
    String text = time;
    if (text == null) {
      return configuration.session().walltime();
    }
    return SettingsSection.parseDuration(text)
        .orElseThrow(() -> new SessionException("--time is a time such as 8h, 90m or 30s"));
  }

  private static void refuseRoot() throws IOException, SessionException {
    if (Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0)) {
      throw new SessionException(
          "a session never runs as root: the guest can do what its user can; start it as a user");
    }
  }
}
