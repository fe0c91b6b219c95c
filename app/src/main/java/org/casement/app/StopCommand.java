package org.casement.app;

import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "stop", description = "Ends a session in order: the guest shuts down first.")
final class StopCommand implements Callable<Integer> {
  @Mixin private final SessionChoice choice = new SessionChoice();

  @Override
  public Integer call() throws Exception {
    SessionChoice.Live live = choice.one();
    if (live.status().isPresent()) {
      Map<String, Object> _ = live.ask("stop");
    } else {
      choice.slurm().end(live.job().orElseThrow());
    }
    return Main.OK;
  }
}
