package org.casement.app;

import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.casement.settings.ConfigurationFiles;
import org.casement.settings.SettingsReading;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "config",
    description = "Prints the annotated example configuration; 'config show' the one in effect.")
final class ConfigCommand implements Callable<Integer> {
  @Override
  public Integer call() throws Exception {
    return example();
  }

  @Command(name = "example", description = "Prints the annotated example configuration.")
  Integer example() throws Exception {
    try (InputStream example =
        Objects.requireNonNull(ConfigCommand.class.getResourceAsStream("casement.toml"))) {
      example.transferTo(System.out);
    }
    return Main.OK;
  }

  @Command(
      name = "show",
      description = "Prints the configuration in effect, and where each value comes from.")
  Integer show(
      @Option(names = "--config", paramLabel = "FILE", description = "the configuration to use")
          @Nullable Path config)
      throws Exception {
    Map<String, String> environment = System.getenv();
    List<Path> files = ConfigurationFiles.find(Optional.ofNullable(config), environment);
    SettingsReading reading = Configuration.reading(files, environment);
    Configuration.read(reading, files);
    reading.refuseUnknownKeys();
    System.out.print(reading.effective());
    return Main.OK;
  }
}
