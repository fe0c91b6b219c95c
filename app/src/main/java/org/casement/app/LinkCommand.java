package org.casement.app;

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
    Object link = choice.ask("link").get(console ? "console" : "web");
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
}
