package org.casement.app;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "link",
    description = "Another link into a session. It opens once, within ten minutes.")
final class LinkCommand implements Callable<Integer> {
  @Mixin private final SessionChoice choice = new SessionChoice();

  @Option(names = "--console", description = "to the machine's console instead of the desktop")
  private boolean console;

  @Override
  public Integer call() throws Exception {
    SessionChoice.Live live = choice.one();
    if (live.status().isEmpty()) {
      return fromAfar(live);
    }
    Object link = live.ask("link").get(console ? "console" : "web");
    if (link == null) {
      System.err.println(
          "casement: this session has no "
              + (console ? "console" : "web")
              + " connector; the configuration switched it off");
      return Main.UNAVAILABLE;
    }
    System.out.println(link);
    return Main.OK;
  }

  /// A session on another node leaves a link in its home, and another one when that was used.
  private int fromAfar(SessionChoice.Live live) throws IOException {
    Path file = console ? live.home().console() : live.home().link();
    if (!Files.exists(file)) {
      System.err.println(
          "casement: session "
              + live.id()
              + " has no link yet: "
              + live.job().map(Slurm.Job::toString).orElse("it is starting"));
      return Main.UNAVAILABLE;
    }
    System.out.println(Files.readString(file).strip());
    return Main.OK;
  }
}
