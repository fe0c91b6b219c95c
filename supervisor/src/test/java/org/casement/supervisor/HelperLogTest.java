package org.casement.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HelperLogTest {
  @TempDir Path directory;

  @Test
  void theLastLineIsShownAsTheGuestsWords() throws IOException {
    Path log = directory.resolve("log");
    assertThat(HelperLog.lastLine(log)).isEmpty();
    Files.writeString(log, "first\n" + "x".repeat(5000) + "\nqemu: \u001b[31mno\n\n");
    assertThat(HelperLog.lastLine(log)).hasValue("qemu: \ufffd[31mno");
  }

  @Test
  void aLogIsEmptiedPastTheLimitOnly() throws IOException {
    Path log = directory.resolve("log");
    try (RandomAccessFile file = new RandomAccessFile(log.toFile(), "rw")) {
      file.setLength(HelperLog.LIMIT_BYTES);
    }
    HelperLog.trim(log);
    assertThat(Files.size(log)).isEqualTo(HelperLog.LIMIT_BYTES);
    Files.writeString(log, "x", java.nio.file.StandardOpenOption.APPEND);
    HelperLog.trim(log);
    assertThat(Files.size(log)).isZero();
  }
}
