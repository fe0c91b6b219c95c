package org.casement.app;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The shell script that starts the JVM, with a program in its place that prints its arguments.
class LauncherTest {
  @TempDir Path directory;
  private String jar = "casement-app-1.jar";

  private List<String> started(String... arguments) throws IOException {
    return startedAs(directory.resolve("casement/bin/casement"), arguments);
  }

  /// @param name what the script is called by, in the working directory `directory`
  private List<String> startedAs(Path name, String... arguments) throws IOException {
    Path home = directory.resolve("casement");
    Files.createDirectories(home.resolve("bin"));
    Files.createDirectories(home.resolve("lib"));
    Files.writeString(home.resolve("lib/a.jar"), "");
    Files.writeString(home.resolve("lib").resolve(jar), "");
    Path launcher = home.resolve("bin/casement");
    Files.copy(
        Path.of("src/main/launcher/casement"), launcher, StandardCopyOption.REPLACE_EXISTING);
    Path java = directory.resolve("java");
    Files.writeString(java, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n");
    for (Path program : List.of(java, launcher)) {
      Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
    List<String> command = new ArrayList<>(List.of("/bin/sh", name.toString()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).directory(directory.toFile());
    builder.environment().put("CASEMENT_JAVA", java.toString());
    Process process = builder.start();
    return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
        .lines()
        .toList();
  }

  @Test
  void theWorkingDirectoryIsNotOnTheClassPath() throws IOException {
    List<String> line = started("run");
    String classPath = line.get(line.indexOf("-cp") + 1);
    assertThat(Arrays.asList(classPath.split(":", -1)))
        .hasSize(2)
        .allMatch(element -> element.startsWith(directory.toString()) && element.endsWith(".jar"));
  }

  @Test
  void itFindsItsHomeByALinkAndByARelativeName() throws IOException {
    List<String> line = started("run");
    Files.createSymbolicLink(directory.resolve("link"), directory.resolve("casement/bin/casement"));
    assertThat(startedAs(directory.resolve("link"), "run")).isEqualTo(line);
    assertThat(startedAs(Path.of("casement/bin/casement"), "run")).isEqualTo(line);
    assertThat(startedAs(Path.of("link"), "run")).isEqualTo(line);
  }

  @Test
  void nativeLibrariesAreTheProgramsOwn() throws IOException {
    assertThat(started("run")).contains("-Djava.library.path=" + directory + "/casement/lib");
  }

  @Test
  void argumentsAreHandedOnAsTheyAre() throws IOException {
    assertThat(started("run", "--config", "a b", "*"))
        .endsWith("org.casement.app.Main", "run", "--config", "a b", "*");
  }

  /// It starts once, and the cache is memory.
  @Test
  void theNodeAgentHasNoCache() throws IOException {
    Path cache = directory.resolve("casement/lib/casement.aot");
    Files.createDirectories(cache.getParent());
    Files.writeString(cache, "");
    assertThat(started("run")).contains("-XX:AOTCache=" + cache);
    assertThat(started("node")).noneMatch(argument -> argument.contains("AOT"));
  }

  /// As in the package of the plugin and the node agent.
  @Test
  void withoutTheSessionsJarItIsTheNodeAgents() throws IOException {
    jar = "casement-node-1.jar";
    assertThat(started("node")).endsWith("org.casement.node.NodeMain", "node");
  }
}
