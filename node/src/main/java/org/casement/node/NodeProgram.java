package org.casement.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.casement.settings.ConfigurationException;
import org.casement.settings.ConfigurationFiles;
import org.casement.settings.SettingsReading;
import org.casement.settings.SettingsSection;

/// `casement node`: the agent of one compute node, which root starts at boot.
public final class NodeProgram {
  private static final Path SITE = Path.of("/etc/casement/casement.toml");
  private static final Path DIRECTORY = Path.of("/run/casement");

  /// Where the agent listens (contracts/node.md).
  public static final Path SOCKET = DIRECTORY.resolve("node.sock");

  private static final int GROUP_AND_OTHERS_WRITE = 0022;

  private NodeProgram() {}

  /// Serves until a signal ends the process; jobs stay as they are then.
  ///
  /// @return the exit status where it cannot: 64, 69 or 78
  public static int main(List<String> arguments) {
    boolean named = arguments.size() == 2 && arguments.getFirst().equals("--config");
    if (!arguments.isEmpty() && !named) {
      log("casement node [--config FILE]");
      return 64;
    }
    Path file = named ? Path.of(arguments.getLast()).toAbsolutePath() : SITE;
    try {
      NodeSettings settings = settings(file, named);
      Files.createDirectories(DIRECTORY);
      Files.setPosixFilePermissions(DIRECTORY, PosixFilePermissions.fromString("rwxr-xr-x"));
      new NodeAgent(DIRECTORY, settings, launcher()).serve();
      return 0;
    } catch (ConfigurationException e) {
      log(String.valueOf(e.getMessage()));
      return 78;
    } catch (IOException e) {
      log(String.valueOf(e.getMessage()));
      return 69;
    }
  }

  /// The script that has started us, or what would be, where a test did.
  private static Path launcher() {
    return Path.of(System.getProperty("casement.launcher", "/usr/bin/casement"));
  }

  /// The defaults where there is no file and none was named. Other tables are other programs'.
  static NodeSettings settings(Path file, boolean named)
      throws ConfigurationException, IOException {
    if (!named && Files.notExists(file)) {
      return NodeSettings.of(
          new SettingsSection("node", List.of(), new SettingsReading(List.of(file), Map.of())));
    }
    checkOwner(file);
    SettingsReading reading = new SettingsReading(List.of(file), Map.of());
    var layer = new SettingsSection.Layer(Optional.of(file), ConfigurationFiles.parse(file));
    NodeSettings settings =
        NodeSettings.of(new SettingsSection("", List.of(layer), reading).section("node"));
    reading.refuseUnknownKeys();
    return settings;
  }

  /// SECURITY: policy is the administrator's. Whoever can write the file, or put another one in its
  /// place, decides who is sealed.
  private static void checkOwner(Path file) throws ConfigurationException, IOException {
    if (Files.notExists(file)) {
      return; // what reads it says so
    }
    for (Path path = file.toRealPath(); path != null; path = path.getParent()) {
      Map<String, Object> found = Files.readAttributes(path, "unix:uid,mode");
      int mode = (Integer) Objects.requireNonNull(found.get("mode"));
      boolean roots = Objects.equals(found.get("uid"), 0);
      boolean sticky = (mode & 01000) != 0 && Files.isDirectory(path);
      if (!roots || ((mode & GROUP_AND_OTHERS_WRITE) != 0 && !sticky)) {
        throw ConfigurationException.in(
            file,
            "can be changed by others than root: %s must be root's and writable by root alone"
                .formatted(path));
      }
    }
  }

  private static void log(String text) {
    NodeAgent.log(text);
  }
}
