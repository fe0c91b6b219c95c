package org.casement.app;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "list", description = "Your sessions on this node, a line each.")
final class ListCommand implements Callable<Integer> {
  @Mixin private final SessionChoice choice = new SessionChoice();

  @Override
  public Integer call() throws Exception {
    for (SessionChoice.Live live : choice.live()) {
      System.out.println(live.whereabouts().id() + "  " + live.status().get("state"));
    }
    return Main.OK;
  }
}
