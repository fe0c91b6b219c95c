package org.casement.app;

import java.io.InputStream;
import java.util.Objects;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

@Command(name = "config", description = "Prints the annotated example configuration.")
final class ConfigCommand implements Callable<Integer> {
  @Override
  public Integer call() throws Exception {
    try (InputStream example =
        Objects.requireNonNull(ConfigCommand.class.getResourceAsStream("casement.toml"))) {
      example.transferTo(System.out);
    }
    return Main.OK;
  }
}
