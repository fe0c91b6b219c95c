package org.casement.app;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class LogFileTest {
  @TempDir private Path directory;

  @Test
  void whatWasWrittenIsThereOnceItIsClosed() throws Exception {
    Path file = directory.resolve("log");
    try (PrintStream log = LogFile.open(file)) {
      for (int i = 0; i < 100; i++) {
        log.println("line " + i);
        log.flush();
      }
    }
    assertThat(Files.readAllLines(file)).hasSize(100).startsWith("line 0").endsWith("line 99");
    assertThat(Files.getPosixFilePermissions(file)).hasSize(2);
  }

  @Test
  @Timeout(60)
  void aFileThatHangsHoldsNobodyUpAndTheLogSaysWhatIsMissing() throws Exception {
    CountDownLatch mended = new CountDownLatch(1);
    ByteArrayOutputStream written = new ByteArrayOutputStream();
    OutputStream hanging =
        new OutputStream() {
          @Override
          public void write(int b) {
            throw new IllegalStateException("byte by byte");
          }

          @Override
          public void write(byte[] bytes, int from, int length) {
            try {
              mended.await();
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
            written.write(bytes, from, length);
          }
        };
    LogFile log = new LogFile(hanging);
    byte[] line = "line\n".getBytes(UTF_8);
    for (int i = 0; i < 2 * LogFile.QUEUE_LIMIT; i++) {
      log.write(line, 0, line.length); // returns, or the time is over
    }
    mended.countDown();
    while (written.size() < LogFile.QUEUE_LIMIT * line.length) {
      Thread.sleep(10);
    }
    log.write(line, 0, line.length);
    log.close();
    assertThat(written.toString(UTF_8)).containsPattern("\\(\\d+ lines lost").endsWith("line\n");
  }
}
