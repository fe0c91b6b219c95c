package org.casement.app;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
    name = "list",
    description = "Your sessions on this node, and those that are jobs, a line each.")
final class ListCommand implements Callable<Integer> {
  @Mixin private final SessionChoice choice = new SessionChoice();

  @Override
  public Integer call() throws Exception {
    for (SessionChoice.Live live : choice.live()) {
      String state = live.status().map(status -> "  " + status.get("state")).orElse("");
      String job = live.job().map(known -> "  " + known).orElse("");
      System.out.println(live.id() + state + job);
    }
    return Main.OK;
  }
}
