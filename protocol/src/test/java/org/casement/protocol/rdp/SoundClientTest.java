package org.casement.protocol.rdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.casement.protocol.ProtocolException;
import org.junit.jupiter.api.Test;

class SoundClientTest {
  private static final String PCM = "0100 0200 44ac0000 10b10200 0400 1000 0000";
  private static final String ADPCM = "0200 0200 44ac0000 10b10200 0400 1000 0200 abcd";

  private static byte[] hex(String hex) {
    return HexFormat.of().parseHex(hex.replace(" ", ""));
  }

  private static List<String> replies(SoundClient.Step step) {
    return step.replies().stream().map(HexFormat.of()::formatHex).toList();
  }

  private static String formats(int version, String... formats) {
    return "07 00 0000 00000000 00000000 00000000 0000 "
        + String.format("%02x00", formats.length)
        + "ff"
        + String.format("%02x00", version)
        + "00"
        + String.join("", formats);
  }

  private static SoundClient agreed() throws ProtocolException {
    SoundClient client = new SoundClient();
    client.receive(hex(formats(2, PCM)));
    return client;
  }

  @Test
  void oneFormatIsAgreedOn() throws ProtocolException {
    SoundClient client = new SoundClient();
    SoundClient.Step step = client.receive(hex(formats(8, ADPCM, PCM)));
    assertThat(replies(step))
        .containsExactly(
            ("0700 2600 01000000 00000000 00000000 0000 0100 00 0800 00" + PCM).replace(" ", ""),
            "0c00040002000000");
    assertThat(client.agreed()).isTrue();
    assertThat(replies(client.receive(hex(formats(5, PCM))))).hasSize(1);
    assertThat(replies(client.receive(hex(formats(8, ADPCM)))))
        .contains("07001400010000000000000000000000000000000008 0000".replace(" ", ""));
    assertThat(client.agreed()).isFalse();
  }

  @Test
  void theTrainingIsConfirmed() throws ProtocolException {
    assertThat(replies(new SoundClient().receive(hex("0600 0800 3412 0004 aabbccdd"))))
        .containsExactly("0600040034120004");
  }

  @Test
  void soundInTwoPartsIsPlayedAndConfirmed() throws ProtocolException {
    SoundClient client = agreed();
    assertThat(client.receive(hex("0200 1000 3412 0000 07 000000 01020304")).sound()).isEmpty();
    SoundClient.Step step = client.receive(hex("00000000 05060708"));
    assertThat(step.sound()).isEqualTo(hex("0102030405060708"));
    assertThat(replies(step)).containsExactly("0500040034120700");
  }

  @Test
  void soundInOnePartIsPlayedInWholeFramesAndConfirmed() throws ProtocolException {
    SoundClient.Step step =
        agreed().receive(hex("0d00 1200 3412 0000 ff 000000 00000000 01020304 0506"));
    assertThat(step.sound()).isEqualTo(hex("01020304"));
    assertThat(replies(step)).containsExactly("050004003412ff00");
  }

  @Test
  void whatBreaksTheProtocolIsRefused() throws ProtocolException {
    for (String bad :
        List.of(
            "",
            "070000",
            "0700 0000",
            formats(8, PCM).substring(0, 80),
            "0600 0400 0000",
            "0d00 0c00 0000 0100 00 000000 00000000",
            "0d00 0c00 0000 0000 00 000000",
            "0200 0900 0000 0000 00 000000 00000000",
            "0200 1000 0000 0000 00 000000 00000000 00")) {
      assertThatThrownBy(() -> agreed().receive(hex(bad)))
          .as(bad)
          .isInstanceOf(ProtocolException.class);
    }
    assertThatThrownBy(
            () -> new SoundClient().receive(hex("0d00 0c00 0000 0000 00 000000 00000000")))
        .hasMessageContaining("not agreed");
    SoundClient client = agreed();
    assertThat(client.receive(hex("0200 1000 3412 0000 07 000000 01020304")).sound()).isEmpty();
    assertThatThrownBy(() -> client.receive(hex("00000000 050607")))
        .hasMessageContaining("another length");
  }

  @Test
  void whatWasNotOfferedIsPassedOver() throws ProtocolException {
    for (String other : List.of("0100 0000", "0300 0400 ffffffff", "7f00 0000")) {
      SoundClient.Step step = agreed().receive(hex(other));
      assertThat(step.replies()).isEmpty();
      assertThat(step.sound()).isEmpty();
    }
  }

  /// `bytes`: messages, each after its length in two bytes.
  @FuzzTest
  void anyMessagesAreTakenOrRefused(byte[] bytes) {
    SoundClient client = new SoundClient();
    for (int at = 0; at + 2 <= bytes.length; ) {
      int length = Math.min(RdpPdu.u16(bytes, at), bytes.length - at - 2);
      byte[] message = Arrays.copyOfRange(bytes, at + 2, at + 2 + length);
      at += 2 + length;
      try {
        SoundClient.Step step = client.receive(message);
        assertThat(step.sound().length % SoundClient.FRAME_BYTES).isZero();
        assertThat(step.sound().length).isLessThanOrEqualTo(length);
        step.replies().forEach(reply -> assertThat(reply.length).isBetween(4, 64));
      } catch (ProtocolException refused) {
        assertThat(refused).hasMessageMatching("(?s).{1,200}");
      }
    }
  }
}
