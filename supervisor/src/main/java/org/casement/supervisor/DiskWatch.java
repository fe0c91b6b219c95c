package org.casement.supervisor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/// The room on the node's disk, once the machine has stopped for want of it.
final class DiskWatch {
  static final Duration POLL = Duration.ofSeconds(2);

  /// The machine goes on as soon as this much is free again.
  private static final long ROOM_AGAIN_BYTES = 64L << 20;

  private final Path directory;
  private boolean waits;

  /// @param directory on the file system that has the overlay
  DiskWatch(Path directory) {
    this.directory = directory;
  }

  /// The machine has stopped; whether that is news: QEMU says it for each request in flight.
  boolean stopped() {
    boolean news = !waits;
    waits = true;
    return news;
  }

  boolean waits() {
    return waits;
  }

  void goesOn() {
    waits = false;
  }

  boolean hasRoom() throws IOException {
    return Files.getFileStore(directory).getUsableSpace() >= ROOM_AGAIN_BYTES;
  }
}
