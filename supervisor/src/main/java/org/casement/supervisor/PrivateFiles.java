package org.casement.supervisor;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/// Files and directories of the runtime directory that nobody else may see, whatever the umask.
final class PrivateFiles {
  private PrivateFiles() {}

  static Path directory(Path path) throws IOException {
    return Files.createDirectory(
        path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
  }

  /// Makes `path`, 0600 from the first moment; it must not exist.
  static void write(Path path, String text) throws IOException {
    try (var out =
        Channels.newOutputStream(
            Files.newByteChannel(
                path,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(
                    PosixFilePermissions.fromString("rw-------"))))) {
      out.write(text.getBytes(UTF_8));
    }
  }
}
