package org.casement.app;

import com.fasterxml.jackson.jr.ob.JSON;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "status", description = "Where a session stands, as one line of JSON.")
final class StatusCommand implements Callable<Integer> {
  @Mixin private final SessionChoice choice = new SessionChoice();

  @Override
  public Integer call() throws Exception {
    System.out.println(JSON.std.asString(choice.ask("status")));
    return Main.OK;
  }
}
