package org.casement.settings;

import java.nio.file.Path;
import org.tomlj.TomlPosition;

/// The configuration file is wrong; the message names file, line and what to write instead.
public final class ConfigurationException extends Exception {
  private ConfigurationException(String message) {
    super(message);
  }

  public static ConfigurationException at(Path file, TomlPosition position, String problem) {
    return new ConfigurationException(file + ":" + position.line() + ": " + problem);
  }

  public static ConfigurationException in(Path file, String problem) {
    return new ConfigurationException(file + ": " + problem);
  }
}
