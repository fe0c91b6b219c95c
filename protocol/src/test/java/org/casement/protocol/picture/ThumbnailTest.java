package org.casement.protocol.picture;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import javax.imageio.ImageIO;
import org.casement.protocol.ProtocolException;
import org.junit.jupiter.api.Test;

class ThumbnailTest {
  private static byte[] ppm(int width, int height, int... colours) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes("P6\n%d %d\n255\n".formatted(width, height).getBytes(US_ASCII));
    for (int i = 0; i < width * height; i++) {
      int colour = colours[i % colours.length];
      out.writeBytes(new byte[] {(byte) (colour >> 16), (byte) (colour >> 8), (byte) colour});
    }
    return out.toByteArray();
  }

  /// By another's reader.
  private static BufferedImage small(byte[] ppm) throws IOException, ProtocolException {
    return ImageIO.read(new ByteArrayInputStream(Thumbnail.png(new ByteArrayInputStream(ppm))));
  }

  @Test
  void aScreenIsMadeSmallInItsProportions() throws IOException, ProtocolException {
    int[][] sides = {
      {720, 400, 320, 177},
      {640, 480, 320, 240},
      {1024, 768, 320, 240},
      {100, 50, 100, 50},
      {8192, 1, 320, 1},
      {1, 8192, 1, 240},
      {1, 1, 1, 1},
      {600, 800, 180, 240},
      {321, 241, 319, 240}
    };
    for (int[] side : sides) {
      BufferedImage small = small(ppm(side[0], side[1], 0x102030));
      assertThat(new int[] {small.getWidth(), small.getHeight()})
          .as("%d × %d", side[0], side[1])
          .containsExactly(side[2], side[3]);
      assertThat(small.getRGB(0, 0)).isEqualTo(0xff102030);
      assertThat(small.getRGB(small.getWidth() - 1, small.getHeight() - 1)).isEqualTo(0xff102030);
    }
  }

  @Test
  void aPixelIsTheMeanOfThoseItStandsFor() throws IOException, ProtocolException {
    BufferedImage small = small(ppm(640, 480, 0x000000, 0xff6400));
    assertThat(small.getRGB(17, 23)).isEqualTo(0xff7f3200);
    BufferedImage same = small(ppm(3, 1, 0xff0000, 0x00ff00, 0x0000ff));
    assertThat(same.getRGB(0, 0, 3, 1, null, 0, 3))
        .containsExactly(0xffff0000, 0xff00ff00, 0xff0000ff);
  }

  @Test
  void whatIsNoScreenIsRefused() {
    for (String bad :
        new String[] {
          "",
          "P5\n1 1\n255\nxxx",
          "P6\n0 1\n255\n",
          "P6\n8193 1\n255\n",
          "P6\n1 99999999999999\n255\n",
          "P6\n1 -1\n255\n",
          "P6\n1 1\n65535\n",
          "P6\n1 1\n254\nxxx",
          "P6\n1 1\n255\nxx",
          "P6\n1"
        }) {
      assertThatThrownBy(() -> Thumbnail.png(new ByteArrayInputStream(bad.getBytes(US_ASCII))))
          .as(bad)
          .isInstanceOf(ProtocolException.class);
    }
  }

  @FuzzTest
  void anyPictureIsMadeSmallOrRefused(byte[] ppm) throws IOException {
    byte[] png;
    try {
      png = Thumbnail.png(new ByteArrayInputStream(ppm));
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
      return;
    }
    BufferedImage small = ImageIO.read(new ByteArrayInputStream(png));
    assertThat(small.getWidth()).isBetween(1, Thumbnail.WIDTH_LIMIT);
    assertThat(small.getHeight()).isBetween(1, Thumbnail.HEIGHT_LIMIT);
  }
}
