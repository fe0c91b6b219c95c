package org.casement.supervisor;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import org.casement.session.GuestText;

/// What a helper wrote to its outputs. The guest can make QEMU and smbd write as much as it likes,
/// so it is cut now and then, and what is shown of it is treated as the guest's words.
final class HelperLog {
  static final long LIMIT_BYTES = 8L << 20;
  private static final int TAIL_BYTES = 4096;

  private HelperLog() {}

  static Optional<String> lastLine(Path log) {
    return tail(log)
        .lines()
        .filter(line -> !line.isBlank())
        .reduce((_, last) -> last)
        .map(line -> new GuestText(line.strip()).value());
  }

  static String tail(Path log) {
    try (FileChannel file = FileChannel.open(log, StandardOpenOption.READ)) {
      ByteBuffer tail = ByteBuffer.allocate(TAIL_BYTES);
      long from = Math.max(0, file.size() - TAIL_BYTES);
      while (tail.hasRemaining() && file.read(tail, from + tail.position()) > 0) {
        // until the end
      }
      return new String(tail.array(), 0, tail.position(), UTF_8);
    } catch (IOException e) {
      return ""; // not written yet
    }
  }

  /// Empties a log that has grown past the limit; the helper appends, so it goes on at the start.
  static void trim(Path log) {
    try (FileChannel file = FileChannel.open(log, StandardOpenOption.WRITE)) {
      if (file.size() > LIMIT_BYTES) {
        file.truncate(0);
      }
    } catch (IOException e) {
      return; // there is none
    }
  }
}
