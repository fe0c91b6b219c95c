package org.casement.app;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/// A file that is written by a thread of its own: a home whose server hangs holds up the log and
/// nothing else. What does not fit into the queue is lost, and the log says how much.
final class LogFile extends OutputStream {
  static final int QUEUE_LIMIT = 1000;

  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(5);
  private static final byte[] END = {};

  private final OutputStream file;
  private final BlockingQueue<byte[]> queue = new LinkedBlockingQueue<>(QUEUE_LIMIT);
  private final Thread writer;
  private int lost;

  LogFile(OutputStream file) {
    this.file = file;
    this.writer = Thread.ofPlatform().daemon().name("log").start(this::writeAll);
  }

  /// Appends to `path`, which only its owner can read. Each flush of the stream is handed over.
  static PrintStream open(Path path) throws IOException {
    OutputStream file =
        Channels.newOutputStream(
            Files.newByteChannel(
                path,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.APPEND),
                PosixFilePermissions.asFileAttribute(
                    PosixFilePermissions.fromString("rw-------"))));
    return new PrintStream(
        new BufferedOutputStream(new LogFile(file)), false, StandardCharsets.UTF_8);
  }

  @Override
  public void write(int b) {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public synchronized void write(byte[] bytes, int from, int length) {
    if (lost > 0 && queue.remainingCapacity() > 1) {
      String note = "(" + lost + " lines lost: the log could not be written)\n";
      var _ = queue.offer(note.getBytes(StandardCharsets.UTF_8));
      lost = 0;
    }
    byte[] copy = new byte[length];
    System.arraycopy(bytes, from, copy, 0, length);
    if (!queue.offer(copy)) {
      lost++;
    }
  }

  private void writeAll() {
    try (file) {
      for (byte[] next = queue.take(); next.length > 0; next = queue.take()) {
        file.write(next);
      }
    } catch (InterruptedException e) {
      return;
    } catch (IOException e) {
      Main.complain("the log cannot be written: " + Main.words(e));
    }
  }

  /// Lets what is queued be written, for some seconds at most.
  @Override
  public void close() {
    try {
      if (queue.offer(END, CLOSE_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
        writer.join(CLOSE_LIMIT);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
