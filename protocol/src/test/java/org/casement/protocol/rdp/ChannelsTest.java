package org.casement.protocol.rdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.casement.protocol.ProtocolException;
import org.junit.jupiter.api.Test;

class ChannelsTest {
  private static byte[] hex(String hex) {
    return HexFormat.of().parseHex(hex.replace(" ", ""));
  }

  /// The engine's Connect-Initial, without channels.
  private static byte[] initial() {
    try (InputStream in =
        Objects.requireNonNull(
            ChannelsTest.class.getResourceAsStream(
                "RdpTestInputs/anyConnectInitialKeepsItsLengthOrIsRefused/engine"))) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /// A server's answer with `net` as its network data.
  private static byte[] response(String net) {
    String blocks = "010c 0c00 04000800 01000000" + net;
    int length = blocks.replace(" ", "").length() / 2;
    String gcc = "0005 0014 7c00 01 2a 14 760a 0101 00 01c000 4d63446e";
    String user = gcc + String.format("%02x", length) + blocks;
    int userLength = user.replace(" ", "").length() / 2;
    String body = "0a0100 020100 3003020122 0481" + String.format("%02x", userLength) + user;
    int bodyLength = body.replace(" ", "").length() / 2;
    byte[] pdu = hex("0300 0000 02f080 7f66 81" + String.format("%02x", bodyLength) + body);
    RdpPdu.putU16(pdu, 2, pdu.length);
    return pdu;
  }

  @Test
  void aChannelIsAskedForAfterTheClientsOwn() throws ProtocolException {
    assertThat(ConnectInitial.channels(initial())).isEmpty();
    byte[] one = ConnectInitial.withChannel(initial(), "cliprdr");
    byte[] two = ConnectInitial.withChannel(one, "rdpsnd");
    assertThat(ConnectInitial.channels(two)).containsExactly("cliprdr", "rdpsnd");
    assertThat(HexFormat.of().formatHex(two))
        .contains(
            "03c0 2000 02000000 636c697072647200 000000c0 726470736e640000 000000c0"
                .replace(" ", ""));
    assertThat(two).hasSameSizeAs(ConnectInitial.with32BitsPerPixel(two));
  }

  @Test
  void channelsHaveTheServersNumbers() throws ProtocolException {
    byte[] asked =
        ConnectInitial.withChannel(ConnectInitial.withChannel(initial(), "cliprdr"), "rdpsnd");
    Channels channels = Channels.of(asked, response("030c 0c00 eb03 0200 ec03 ed03"));
    assertThat(channels.number("cliprdr")).hasValue(1004);
    assertThat(channels.number("rdpsnd")).hasValue(1005);
    assertThat(channels.number("rdpdr")).isEmpty();
    assertThat(Channels.of(initial(), response("")).number("rdpsnd")).isEmpty();
    byte[] fewer = ConnectInitial.withChannel(initial(), "cliprdr");
    assertThat(Channels.of(fewer, response("030c 0c00 eb03 0200 ec03 ed03")).number("cliprdr"))
        .hasValue(1004);
  }

  @Test
  void numbersThatDoNotMatchTheNamesAreRefused() throws ProtocolException {
    byte[] asked = ConnectInitial.withChannel(initial(), "rdpsnd");
    for (String net :
        List.of("", "030c 0800 eb03 0000", "030c 0800 eb03 0100", "030c 0400", "030c 0300")) {
      assertThatThrownBy(() -> Channels.of(asked, response(net)))
          .as(net)
          .isInstanceOf(ProtocolException.class);
    }
    byte[] whole = response("030c 0c00 eb03 0100 ec03 0000");
    assertThat(Channels.of(asked, whole).number("rdpsnd")).hasValue(1004);
    for (int length = 0; length < whole.length; length++) {
      byte[] shortened = Arrays.copyOf(whole, length);
      if (length >= 4) {
        RdpPdu.putU16(shortened, 2, length);
      }
      assertThatThrownBy(() -> Channels.of(asked, shortened)).isInstanceOf(ProtocolException.class);
    }
  }

  /// A server or an engine that takes the other one would be shown what we do not see.
  @Test
  void twoBlocksOfAKindAreRefused() throws ProtocolException {
    byte[] asked = ConnectInitial.withChannel(initial(), "cliprdr");
    String net = "030c 0c00 eb03 0100 ec03 0000";
    assertThat(Channels.of(asked, response(net)).number("cliprdr")).hasValue(1004);
    byte[] twice = response(net + "030c 0c00 eb03 0100 f003 0000");
    assertThatThrownBy(() -> Channels.of(asked, twice)).hasMessageContaining("two blocks");

    byte[] two = withBlock(asked, "03c0 1400 01000000 7264706472000000 000000c0");
    assertThatThrownBy(() -> ConnectInitial.withChannelsOf(two, Set.of("cliprdr")))
        .hasMessageContaining("two blocks");
    // Twin: a block of another kind.
    byte[] other = withBlock(asked, "0ac0 0800 00000000");
    assertThat(ConnectInitial.channels(other)).containsExactly("cliprdr");
  }

  @Test
  void whatFollowsTheBlocksIsRefused() throws ProtocolException {
    byte[] asked = ConnectInitial.withChannel(initial(), "cliprdr");
    byte[] moreAsked = withTail(asked);
    assertThatThrownBy(() -> ConnectInitial.channels(moreAsked)).hasMessageContaining("malformed");
    byte[] answer = withTail(response("030c 0c00 eb03 0100 ec03 0000"));
    assertThatThrownBy(() -> Channels.of(asked, answer)).hasMessageContaining("malformed");
  }

  private static byte[] withTail(byte[] pdu) {
    byte[] longer = Arrays.copyOf(pdu, pdu.length + 8);
    System.arraycopy(hex("030c 0800 eb03 0000"), 0, longer, pdu.length, 8);
    RdpPdu.putU16(longer, 2, longer.length);
    return longer;
  }

  /// A Connect-Initial whose lengths have their two-byte forms, with one block more at its end.
  private static byte[] withBlock(byte[] pdu, String block) {
    byte[] added = hex(block);
    byte[] longer = Arrays.copyOf(pdu, pdu.length + added.length);
    System.arraycopy(added, 0, longer, pdu.length, added.length);
    RdpPdu.putU16(longer, 2, longer.length);
    String text = HexFormat.of().formatHex(pdu);
    int user = text.indexOf("000500147c0001") / 2; // after 04 82 and its length
    for (int at : new int[] {10, user - 2, user + 7, user + 21}) {
      RdpPdu.putU16(longer, at, RdpPdu.u16(longer, at) + added.length);
    }
    return longer;
  }

  @Test
  void noMoreThan31Channels() throws ProtocolException {
    byte[] pdu = initial();
    for (int i = 0; i < 31; i++) {
      pdu = ConnectInitial.withChannel(pdu, "c" + i);
    }
    byte[] full = pdu;
    assertThat(ConnectInitial.channels(full)).hasSize(31);
    assertThatThrownBy(() -> ConnectInitial.withChannel(full, "rdpsnd"))
        .hasMessageContaining("no room");
    assertThatThrownBy(() -> ConnectInitial.withChannel(full, "c7")).hasMessageContaining("itself");
  }

  private static byte[] indication(int total, int flags, String data) {
    int length = 8 + data.length() / 2;
    byte[] pdu =
        hex(
            "0300 0000 02f080 68 03e9 03ec 70"
                + String.format("%04x", 0x8000 | length)
                + "00".repeat(8)
                + data);
    RdpPdu.putU16(pdu, 2, pdu.length);
    RdpPdu.putU32le(pdu, 15, total);
    RdpPdu.putU32le(pdu, 19, flags);
    return pdu;
  }

  @Test
  void chunksBecomeMessages() throws ProtocolException {
    ChannelData data = new ChannelData(1004, 6);
    assertThat(data.add(indication(1, 3, "aa"))).contains(hex("aa"));
    assertThat(data.add(indication(6, 1, "0102"))).isEmpty();
    assertThat(data.add(indication(6, 0, "0304"))).isEmpty();
    assertThat(data.add(indication(6, 2, "0506"))).contains(hex("010203040506"));
    byte[] ours = data.request(6, hex("aabb"));
    assertThat(ours).isEqualTo(hex("0300 0019 02f080 64 0006 03ec 70 800a 02000000 03000000 aabb"));
    assertThatThrownBy(() -> data.add(ours)).hasMessageContaining("direction");
  }

  @Test
  void chunksThatDoNotFitTogetherAreRefused() throws ProtocolException {
    for (byte[] bad :
        List.of(
            indication(7, 1, "01"),
            indication(-1, 1, "01"),
            indication(1, 3, "0102"),
            indication(2, 3, "01"),
            indication(1, 2, "01"),
            indication(1, 0x0020_0003, "01"),
            hex("0300 0015 02f080 68 03e9 03ec 70 07 00000000000000"))) {
      assertThatThrownBy(() -> new ChannelData(1004, 6).add(bad))
          .isInstanceOf(ProtocolException.class);
    }
    ChannelData data = new ChannelData(1004, 6);
    assertThat(data.add(indication(6, 1, "0102"))).isEmpty();
    assertThatThrownBy(() -> data.add(indication(5, 0, "03")))
        .isInstanceOf(ProtocolException.class);
  }

  @FuzzTest
  void anyConnectInitialHasOneChannelMoreOrIsRefused(byte[] bytes) {
    try {
      List<String> before = ConnectInitial.channels(bytes);
      byte[] more = ConnectInitial.withChannel(bytes, "rdpsnd");
      if (more.length <= ConnectInitial.LIMIT_BYTES) {
        assertThat(ConnectInitial.channels(more)).hasSize(before.size() + 1).endsWith("rdpsnd");
      }
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
  }

  @FuzzTest
  void anyConnectResponseIsTakenOrRefused(byte[] bytes) throws ProtocolException {
    byte[] asked = ConnectInitial.withChannel(initial(), "rdpsnd");
    try {
      assertThat(Channels.of(asked, bytes).number("rdpsnd").orElseThrow()).isBetween(0, 0xffff);
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
  }

  /// `bytes`: chunks, each after its length in two bytes, each the rest of a PDU from its priority.
  @FuzzTest
  void anyChunksAreTakenOrRefused(byte[] bytes) {
    ChannelData data = new ChannelData(1004, 1000);
    for (int at = 0; at + 2 <= bytes.length; ) {
      int length = Math.min(RdpPdu.u16(bytes, at), bytes.length - at - 2);
      byte[] pdu = Arrays.copyOf(hex("0300 0000 02f080 68 03e9 03ec"), 12 + length);
      RdpPdu.putU16(pdu, 2, pdu.length);
      System.arraycopy(bytes, at + 2, pdu, 12, length);
      at += 2 + length;
      try {
        Optional<byte[]> message = data.add(pdu);
        message.ifPresent(whole -> assertThat(whole.length).isLessThanOrEqualTo(1000));
      } catch (ProtocolException refused) {
        assertThat(refused).hasMessageMatching("(?s).{1,200}");
      }
    }
  }
}
