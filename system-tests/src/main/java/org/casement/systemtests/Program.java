package org.casement.systemtests;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.casement.testkit.Command;

/// The built program and the demo guest's golden image, where an ordinary account can read them: in
/// place, or copied below /var/tmp for as long as this JVM runs (a clone in root's home is closed
/// to everybody else). `./dev test` says where they are.
public final class Program {
  private static final Path LAUNCHER = staged("casement.program").resolve("bin/casement");
  private static final Path IMAGE = staged("casement.image");

  private Program() {}

  public static Path launcher() {
    return LAUNCHER;
  }

  public static Path image() {
    return IMAGE;
  }

  /// The JDK that runs the tests runs the program too.
  public static Path javaHome() {
    return Path.of(System.getProperty("java.home", ""));
  }

  private static Path staged(String property) {
    String value = System.getProperty(property);
    if (value == null || !Files.isDirectory(Path.of(value))) {
      throw new AssertionError(
          "the property "
              + property
              + " names no directory ("
              + value
              + "); system tests are run by ./dev test");
    }
    Path directory = Path.of(value).toAbsolutePath().normalize();
    if (readableByOthers(directory)) {
      return directory;
    }
    try {
      Path stage = Files.createTempDirectory(Path.of("/var/tmp"), "casement-tests-");
      Runtime.getRuntime()
          .addShutdownHook(new Thread(() -> Command.run("rm", "-rf", stage.toString())));
      Path copy = stage.resolve("copy");
      Command.run("cp", "-a", directory.toString(), copy.toString()).orFail();
      Command.run("chmod", "-R", "a+rX", stage.toString()).orFail();
      return copy;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean readableByOthers(Path directory) {
    Command.Outcome outcome =
        Command.run(
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "find",
            directory.toString(),
            "!",
            "-readable");
    return outcome.status() == 0 && outcome.out().isEmpty();
  }
}
