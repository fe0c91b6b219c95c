package org.casement.protocol.picture;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import org.casement.protocol.ProtocolException;

/// Makes a machine's screen small. Reads it as QEMU's `screendump` writes it, a raw PPM
/// (netpbm.sourceforge.net/doc/ppm.html) of 8 bits a colour, and writes a PNG (RFC 2083).
///
/// The guest chooses the screen's size: what is held are single rows, never the picture.
public final class Thumbnail {
  public static final int WIDTH_LIMIT = 320;
  public static final int HEIGHT_LIMIT = 240;

  /// Of the screen, in pixels; QEMU's displays end at 4096 or, by their memory, before.
  static final int SIDE_LIMIT = 8192;

  private static final int COLOURS = 3;
  private static final byte[] PNG_SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

  private final InputStream ppm;
  private final int width;
  private final int height;
  private final int smallWidth;
  private final int smallHeight;

  private Thumbnail(InputStream ppm) throws IOException, ProtocolException {
    this.ppm = ppm;
    if (ppm.read() != 'P' || ppm.read() != '6' || ppm.read() != '\n') {
      throw new ProtocolException("not a raw PPM");
    }
    this.width = number(' ', SIDE_LIMIT);
    this.height = number('\n', SIDE_LIMIT);
    if (number('\n', 255) != 255) {
      throw new ProtocolException("a PPM of other colours than 8 bits");
    }
    // The greater of both reductions, rounded so that at least one pixel is left.
    boolean broad = (long) width * HEIGHT_LIMIT >= (long) height * WIDTH_LIMIT;
    this.smallWidth =
        broad
            ? Math.min(width, WIDTH_LIMIT)
            : scaled(width, Math.min(height, HEIGHT_LIMIT), height);
    this.smallHeight =
        broad
            ? scaled(height, Math.min(width, WIDTH_LIMIT), width)
            : Math.min(height, HEIGHT_LIMIT);
  }

  /// A PNG of at most [#WIDTH_LIMIT] × [#HEIGHT_LIMIT] pixels in the proportions of `ppm`.
  ///
  /// @throws IOException of `ppm` only
  public static byte[] png(InputStream ppm) throws IOException, ProtocolException {
    return new Thumbnail(ppm).png();
  }

  private static int scaled(int side, int small, int great) {
    return Math.max(1, (int) ((long) side * small / great));
  }

  private int number(char end, int limit) throws IOException, ProtocolException {
    int number = 0;
    for (int c = ppm.read(); c != end; c = ppm.read()) {
      if (c < '0' || c > '9') {
        throw new ProtocolException("a PPM's header holds something else than numbers");
      }
      number = 10 * number + c - '0';
      if (number > limit) {
        throw new ProtocolException("a PPM of more than " + limit + " pixels a side");
      }
    }
    if (number == 0) {
      throw new ProtocolException("a PPM without pixels");
    }
    return number;
  }

  private byte[] png() throws IOException, ProtocolException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream png = new DataOutputStream(bytes);
    png.write(PNG_SIGNATURE);
    ByteArrayOutputStream header = new ByteArrayOutputStream();
    DataOutputStream fields = new DataOutputStream(header);
    fields.writeInt(smallWidth);
    fields.writeInt(smallHeight);
    fields.write(
        new byte[] {8, 2, 0, 0, 0}); // 8 bits, RGB, deflate, adaptive filters, no interlace
    chunk(png, "IHDR", header.toByteArray());
    chunk(png, "IDAT", pixels());
    chunk(png, "IEND", new byte[0]);
    return bytes.toByteArray();
  }

  private static void chunk(DataOutputStream png, String type, byte[] data) throws IOException {
    png.writeInt(data.length);
    CRC32 sum = new CRC32();
    for (byte[] part : new byte[][] {type.getBytes(US_ASCII), data}) {
      png.write(part);
      sum.update(part);
    }
    png.writeInt((int) sum.getValue());
  }

  /// The small picture's rows, packed; each of its pixels is the mean of those that it stands for.
  private byte[] pixels() throws IOException, ProtocolException {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    Deflater deflater = new Deflater(Deflater.BEST_SPEED);
    try (DeflaterOutputStream out = new DeflaterOutputStream(packed, deflater)) {
      byte[] row = new byte[width * COLOURS];
      byte[] small = new byte[1 + smallWidth * COLOURS]; // filter type 0 before the pixels
      int[] sums = new int[smallWidth * COLOURS];
      int rows = 0;
      for (int y = 0; y < height; y++) {
        if (ppm.readNBytes(row, 0, row.length) < row.length) {
          throw new ProtocolException("a PPM ends early");
        }
        add(row, sums);
        rows++;
        if (y + 1 == height
            || target(y + 1, smallHeight, height) != target(y, smallHeight, height)) {
          mean(sums, rows, small);
          out.write(small);
          java.util.Arrays.fill(sums, 0);
          rows = 0;
        }
      }
    } finally {
      deflater.end();
    }
    return packed.toByteArray();
  }

  private static int target(int at, int small, int great) {
    return at * small / great; // 8192 × 320 at most
  }

  private void add(byte[] row, int[] sums) {
    for (int x = 0, from = 0; x < width; x++) {
      int to = target(x, smallWidth, width) * COLOURS;
      for (int colour = 0; colour < COLOURS; colour++) {
        sums[to + colour] += row[from++] & 0xff;
      }
    }
  }

  private void mean(int[] sums, int rows, byte[] small) {
    for (int x = 0; x < smallWidth; x++) {
      int pixels = rows * (first(x + 1) - first(x));
      for (int at = x * COLOURS; at < (x + 1) * COLOURS; at++) {
        small[1 + at] = (byte) (sums[at] / pixels);
      }
    }
  }

  /// The first column that `target` leads to `x`.
  private int first(int x) {
    return (x * width + smallWidth - 1) / smallWidth;
  }
}
