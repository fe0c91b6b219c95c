package org.casement.node;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.casement.isolation.IsolationException;
import org.casement.isolation.SocketActivation;
import org.jspecify.annotations.Nullable;

/// `casement activate -- COMMAND…`: in a sealed job, becomes a program with socket activation, and
/// gives it the job's listeners from descriptor 3 on.
public final class ActivateProgram {
  private static final String DESCRIPTOR = "SPANK_ISO_NETNS_LISTENING_FD_";

  private ActivateProgram() {}

  /// Returns only where it cannot.
  ///
  /// @return 64, or as a shell says it: 126 for what cannot be executed, 127 for what is not there
  public static int main(List<String> arguments, Map<String, String> environment) {
    boolean separated = !arguments.isEmpty() && arguments.getFirst().equals("--");
    List<String> command =
        new ArrayList<>(separated ? arguments.subList(1, arguments.size()) : arguments);
    List<Integer> descriptors = new ArrayList<>();
    try {
      for (int i = 0; environment.containsKey(DESCRIPTOR + i); i++) {
        descriptors.add(Integer.parseInt(environment.getOrDefault(DESCRIPTOR + i, "")));
      }
    } catch (NumberFormatException e) {
      return complain("SPANK_ISO_NETNS_LISTENING_FD_… is no number", 64);
    }
    if (command.isEmpty()) {
      return complain("casement activate -- COMMAND...", 64);
    }
    if (descriptors.isEmpty()) {
      return complain("this step has no listeners: give it --iso-netns-listeners=TCP[,UDP]", 64);
    }
    Optional<Path> program = find(command.getFirst(), environment.getOrDefault("PATH", ""));
    if (program.isEmpty()) {
      return complain(command.getFirst() + " is not there", 127);
    }
    command.set(0, program.get().toString());
    try {
      return complain(SocketActivation.become(descriptors, command, environment).getMessage(), 126);
    } catch (IsolationException e) {
      return complain(e.getMessage(), 126);
    }
  }

  private static Optional<Path> find(String name, String path) {
    if (name.contains("/")) {
      return Optional.of(Path.of(name).toAbsolutePath()).filter(Files::exists);
    }
    for (String directory : path.split(":", -1)) {
      Path file = Path.of(directory.isEmpty() ? "." : directory).resolve(name).toAbsolutePath();
      if (Files.isRegularFile(file) && Files.isExecutable(file)) {
        return Optional.of(file);
      }
    }
    return Optional.empty();
  }

  private static int complain(@Nullable String problem, int status) {
    System.err.println("casement: " + problem);
    return status;
  }
}
