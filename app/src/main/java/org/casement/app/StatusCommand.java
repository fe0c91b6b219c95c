package org.casement.app;

import com.fasterxml.jackson.jr.ob.JSON;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "status", description = "Where a session stands, as one line of JSON.")
final class StatusCommand implements Callable<Integer> {
  @Mixin private final SessionChoice choice = new SessionChoice();

  @Override
  public Integer call() throws Exception {
    SessionChoice.Live live = choice.one();
    Map<String, Object> status =
        new LinkedHashMap<>(live.status().orElse(Map.of("session", live.id().value())));
    live.job()
        .ifPresent(
            job ->
                status.put(
                    "job",
                    Map.of(
                        "id", job.id(),
                        "state", job.state(),
                        "node", job.node(),
                        "left", job.left())));
    System.out.println(JSON.std.asString(status));
    return Main.OK;
  }
}
