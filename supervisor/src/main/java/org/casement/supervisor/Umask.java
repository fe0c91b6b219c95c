package org.casement.supervisor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// The user's umask, as this process inherited it: smbd is told, because it ignores its own.
record Umask(int value) {
  /// From /proc/self/status (Linux 4.7); the usual 022 where that does not say it.
  static Umask current() throws IOException {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("Umask:"))
        .map(line -> new Umask(Integer.parseInt(line.substring("Umask:".length()).strip(), 8)))
        .findFirst()
        .orElse(new Umask(022));
  }

  int ofFiles() {
    return 0666 & ~value;
  }

  int ofDirectories() {
    return 0777 & ~value;
  }
}
