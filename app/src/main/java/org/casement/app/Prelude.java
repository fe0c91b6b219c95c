package org.casement.app;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.casement.relay.EventLoops;
import org.casement.relay.Pages;
import org.casement.settings.ConfigurationException;

/// What a session needs before it listens and what has no secret in it, begun all at once: in a
/// cold JVM each takes a tenth of a second, and so does the first system call.
record Prelude(
    FutureTask<Configuration> configuration,
    FutureTask<EventLoops> loops,
    FutureTask<Pages> pages) {
  private static final String PAGES = "org/casement/pages/dist/";

  /// Two threads move the bytes of one person's desktop; the second serves pages meanwhile.
  private static final int EVENT_LOOPS = 2;

  static Prelude begin(List<Path> files, Map<String, String> environment) {
    return new Prelude(
        begun("configuration", () -> Configuration.read(files, environment)),
        begun("loops", () -> EventLoops.start(EVENT_LOOPS)),
        begun("pages", () -> Pages.load(Prelude.class.getClassLoader(), PAGES)));
  }

  private static <T> FutureTask<T> begun(String name, Callable<T> work) {
    FutureTask<T> task = new FutureTask<>(work);
    Thread.ofPlatform().daemon().name(name).start(task);
    return task;
  }

  /// Waits for one of them.
  static <T> T result(FutureTask<T> begun) throws IOException, ConfigurationException {
    try {
      return begun.get();
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case ConfigurationException wrong -> throw wrong;
        case IOException failed -> throw failed;
        case null, default -> throw new IllegalStateException("a session cannot begin", e);
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException("interrupted while a session begins", e);
    }
  }
}
