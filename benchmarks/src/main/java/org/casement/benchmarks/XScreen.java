package org.casement.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import org.casement.testkit.Await;
import org.casement.testkit.Command;

/// An X server without a screen whose pixels lie in a file (Xvfb's -fbdir), so that looking at them
/// costs no request; keys go in by XTEST. What a browser and another client show there is measured
/// by one eye.
final class XScreen implements AutoCloseable {
  static final int WIDTH = 1280;
  static final int HEIGHT = 800;
  private static final int PIXEL_BYTES = 4;

  /// Where an XWD header has the number of its colours.
  private static final int COLOURS = 19 * Integer.BYTES;

  private static final int SCREEN_BYTES = WIDTH * HEIGHT * PIXEL_BYTES;
  private static final int DISPLAY = 97;
  private static final int NONCE_CELL = 16;
  private static final int NONCE_CELLS = 8;
  private static final int NONCE_TILE = NONCE_CELL * NONCE_CELLS;
  private static final int DARK = 40;
  private static final int LIGHT = 215;
  private static final Duration LIMIT = Duration.ofSeconds(20);

  private final Path directory;
  private final Process server;
  private final Process keys;
  private final Writer commands;
  private final ByteBuffer pixels;
  private final byte[] region = new byte[SCREEN_BYTES];

  private XScreen(Path directory, Process server, Process keys, ByteBuffer pixels) {
    this.directory = directory;
    this.server = server;
    this.keys = keys;
    this.commands = keys.outputWriter(UTF_8);
    this.pixels = pixels;
  }

  static XScreen open() throws IOException {
    Path directory = Files.createTempDirectory("casement-bench-x-");
    Process server =
        new ProcessBuilder(
                "Xvfb",
                display(),
                "-screen",
                "0",
                WIDTH + "x" + HEIGHT + "x24",
                "-fbdir",
                directory.toString(),
                "-nolisten",
                "tcp")
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    Path socket = Path.of("/tmp/.X11-unix/X" + DISPLAY);
    Path file = directory.resolve("Xvfb_screen0");
    Await.until("Xvfb runs", LIMIT, () -> Files.exists(socket) && Files.exists(file));
    ProcessBuilder keys = new ProcessBuilder("xdotool", "-");
    keys.environment().put("DISPLAY", display());
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      Await.until("Xvfb's picture is there", LIMIT, () -> file.toFile().length() > SCREEN_BYTES);
      ByteBuffer all = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
      Await.until(
          "its header is written", LIMIT, () -> all.getInt(0) != 0 && all.getInt(COLOURS) != 0);
      // XWD: a header of its own length, colours of 12 bytes, then the pixels (X11/XWDFile.h).
      int colours = all.getInt(COLOURS);
      ByteBuffer pixels = all.position(all.getInt(0) + colours * 12).slice();
      return new XScreen(directory, server, keys.start(), pixels);
    }
  }

  static String display() {
    return ":" + DISPLAY;
  }

  /// Gives xdotool a line such as `key a`.
  void command(String line) {
    try {
      commands.write(line + "\n");
      commands.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// A number that changes with the picture between these rows.
  long look(int top, int bottom) {
    int from = top * WIDTH * PIXEL_BYTES;
    int length = (bottom - top) * WIDTH * PIXEL_BYTES;
    pixels.get(from, region, 0, length);
    CRC32 sum = new CRC32();
    sum.update(region, 0, length);
    return sum.getValue();
  }

  /// Whether the last column of the desktop's tiles shows `nonce`; see the demo guest's agent.
  boolean shows(String nonce) {
    int left = (WIDTH / NONCE_TILE - 1) * NONCE_TILE;
    for (int top = 0; top + NONCE_TILE <= HEIGHT; top += NONCE_TILE) {
      StringBuilder read = new StringBuilder();
      for (int row = 0; row < NONCE_CELLS; row++) {
        int value = 0;
        for (int column = 0; column < NONCE_CELLS; column++) {
          int x = left + column * NONCE_CELL + NONCE_CELL / 2;
          int y = top + row * NONCE_CELL + NONCE_CELL / 2;
          int green = pixels.get((y * WIDTH + x) * PIXEL_BYTES + 1) & 0xff;
          if (green > DARK && green < LIGHT) {
            value = -1;
            break;
          }
          value = value * 2 + (green >= LIGHT ? 1 : 0);
        }
        if (value < 0) {
          break;
        }
        read.append("%02x".formatted(value));
      }
      if (read.toString().equals(nonce)) {
        return true;
      }
    }
    return false;
  }

  /// What is on it, for a person.
  void save(Path png) {
    BufferedImage image = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
      image.setRGB(i % WIDTH, i / WIDTH, Integer.reverseBytes(pixels.getInt(i * PIXEL_BYTES)));
    }
    try {
      ImageIO.write(image, "png", png.toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() throws IOException {
    commands.close();
    keys.destroy();
    server.destroy();
    Await.until("Xvfb ended", LIMIT, () -> !server.isAlive());
    Command.run("rm", "-rf", directory.toString()).orFail();
  }
}
