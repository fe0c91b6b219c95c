package org.casement.systemtests;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.casement.testkit.Command;

/// The demo guest's golden image under another manifest, for as long as this is open.
public final class ProfiledImage implements AutoCloseable {
  private final Path directory;

  private ProfiledImage(Path directory) {
    this.directory = directory;
  }

  /// For the machine profile `name`, its kernel started by the session, as in the demo.
  public static ProfiledImage of(String name) {
    return make(name, true);
  }

  /// The same, booted from its disk by the machine's firmware.
  public static ProfiledImage bootingFromDisk(String name) {
    return make(name, false);
  }

  private static ProfiledImage make(String profile, boolean kernel) {
    try (Stream<Path> files = Files.list(Program.image())) {
      Path made = Files.createTempDirectory(Path.of("/var/tmp"), "casement-test-image-");
      for (Path file : files.filter(file -> !file.endsWith("manifest.json")).toList()) {
        Files.createSymbolicLink(made.resolve(file.getFileName()), file);
      }
      Map<String, Object> manifest =
          JSON.std.mapFrom(Files.readString(Program.image().resolve("manifest.json")));
      manifest.put("profile", profile);
      if (!kernel) {
        manifest.remove("kernel");
      }
      Files.writeString(made.resolve("manifest.json"), JSON.std.asString(manifest));
      Command.run("chmod", "-R", "a+rX", made.toString()).orFail();
      return new ProfiledImage(made);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public Path directory() {
    return directory;
  }

  @Override
  public void close() {
    Command.run("rm", "-rf", directory.toString()).orFail();
  }
}
