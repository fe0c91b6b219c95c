package org.casement.protocol.rdp;

import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.Arrays;
import java.util.HexFormat;
import org.casement.protocol.ProtocolException;
import org.casement.session.Secret;
import org.junit.jupiter.api.Test;

class RdpTest {
  private static final Secret PASSWORD = new Secret("pw".getBytes(UTF_8));

  private static byte[] hex(String hex) {
    return HexFormat.of().parseHex(hex.replace(" ", ""));
  }

  /// TPKT and X.224 data around `body`.
  private static byte[] data(byte[] body) {
    byte[] pdu = Arrays.copyOf(hex("0300 0000 02f080"), 7 + body.length);
    RdpPdu.putU16(pdu, 2, pdu.length);
    System.arraycopy(body, 0, pdu, 7, body.length);
    return pdu;
  }

  /// As the engine sends it, with a core block of `coreBytes` that asks for 16 bits a pixel.
  private static byte[] connectInitial(int coreBytes) {
    byte[] core = new byte[coreBytes];
    RdpPdu.putU16le(core, 0, 0xc001);
    RdpPdu.putU16le(core, 2, coreBytes);
    if (coreBytes >= 146) {
      RdpPdu.putU16le(core, 140, 16);
      RdpPdu.putU16le(core, 142, 0x0007);
      RdpPdu.putU16le(core, 144, 0x0829);
    }
    String blocks = "03c0 0800 00000000" + HexFormat.of().formatHex(core);
    String duca = "0008 0010 0001 c000 44756361 " + String.format("%04x", 0x8000 | bytes(blocks));
    String gcc = "0005 0014 7c00 01" + String.format("%04x", 0x8000 | bytes(duca + blocks));
    String user = "0482" + String.format("%04x", bytes(gcc + duca + blocks)) + gcc + duca + blocks;
    String parameters = "3003 020122";
    String body = "040101 040101 0101ff" + parameters + parameters + parameters + user;
    return data(hex("7f65 82" + String.format("%04x", bytes(body)) + body));
  }

  private static int bytes(String hex) {
    return hex.replace(" ", "").length() / 2;
  }

  private static final String UNICODE = "13014b00";

  /// User "x", password "x", as the engine sends it; `extra` is what follows the strings.
  private static byte[] clientInfo(String flags, String extra) {
    String info =
        "4000 0000 00000000"
            + flags
            + "0000 0200 0200 0000 0000 0000 78000000 78000000 0000 0000"
            + extra;
    return data(hex("64 0006 03eb 70" + String.format("%04x", 0x8000 | bytes(info)) + info));
  }

  @Test
  void aPduEndsWhereItsHeaderSays() throws ProtocolException {
    assertThat(RdpPdu.length(hex("0300 0007"))).hasValue(7);
    assertThat(RdpPdu.length(hex("0300 ffff"))).hasValue(65535);
    assertThat(RdpPdu.length(hex("0002"))).hasValue(2);
    assertThat(RdpPdu.length(hex("00ffff"))).hasValue(0x7fff);
    assertThat(RdpPdu.length(hex("0300 00"))).isEmpty();
    assertThat(RdpPdu.length(hex("0080"))).isEmpty();
    assertThat(RdpPdu.length(hex(""))).isEmpty();
    for (String bad : new String[] {"03000006", "0001", "0000", "008002"}) {
      assertThatThrownBy(() -> RdpPdu.length(hex(bad))).isInstanceOf(ProtocolException.class);
    }
  }

  @Test
  void oursAsksForTlsAlone() throws ProtocolException {
    byte[] request = X224.request(X224.PROTOCOL_TLS);
    assertThat(request).isEqualTo(hex("0300 0013 0e e0 0000 0000 00 0100 0800 01000000"));
    assertThat(X224.requestedProtocols(request)).isEqualTo(1);
  }

  @Test
  void aClientsRequestMayCarryACookie() throws ProtocolException {
    String cookie = HexFormat.of().formatHex("Cookie: mstshash=x\r\n".getBytes(UTF_8));
    assertThat(
            X224.requestedProtocols(
                hex("0300 0027 22 e0 0000 0000 00" + cookie + "0100 0800 0b000000")))
        .isEqualTo(11);
    assertThat(X224.requestedProtocols(hex("0300 000b 06 e0 0000 0000 00"))).isZero();
    assertThatThrownBy(() -> X224.requestedProtocols(hex("0300 000c 07 e0 0000 0000 00 41")))
        .hasMessageContaining("cookie");
  }

  @Test
  void theDesktopsAnswerIsNamed() throws ProtocolException {
    assertThat(X224.confirm(hex("0300 0013 0e d0 0000 1234 00 0200 0800 01000000")))
        .isEqualTo(new X224.Confirm.Selected(1));
    assertThat(X224.confirm(hex("0300 000b 06 d0 0000 1234 00")))
        .isEqualTo(new X224.Confirm.None());
    assertThat(X224.confirm(hex("0300 0013 0e d0 0000 1234 00 0300 0800 05000000")))
        .isEqualTo(new X224.Confirm.Failed(X224.Confirm.Failed.HYBRID_REQUIRED));
    for (String bad :
        new String[] {
          "0300 0013 0e e0 0000 1234 00 0200 0800 01000000",
          "0300 0013 0e d0 0000 1234 00 0400 0800 01000000",
          "0300 0014 0f d0 0000 1234 00 0200 0800 0100000000",
          "0300 000b 06 d0",
        }) {
      assertThatThrownBy(() -> X224.confirm(hex(bad))).isInstanceOf(ProtocolException.class);
    }
  }

  @Test
  void theSelectedProtocolIsChangedOnBothWays() throws ProtocolException {
    byte[] confirm = hex("0300 0013 0e d0 0000 1234 00 021f 0800 02000000");
    assertThat(X224.withProtocol(confirm, X224.PROTOCOL_TLS))
        .isEqualTo(hex("0300 0013 0e d0 0000 1234 00 021f 0800 01000000"));
    assertThatThrownBy(
            () -> X224.withProtocol(hex("0300 0013 0e d0 0000 1234 00 0300 0800 05000000"), 1))
        .isInstanceOf(ProtocolException.class);

    byte[] pdu = connectInitial(216);
    byte[] patched = ConnectInitial.withSelectedProtocol(pdu, X224.PROTOCOL_HYBRID);
    assertThat(RdpPdu.u32le(patched, pdu.length - 4)).isEqualTo(2);
    RdpPdu.putU32le(patched, pdu.length - 4, 0);
    assertThat(patched).isEqualTo(pdu);
    assertThatThrownBy(() -> ConnectInitial.withSelectedProtocol(connectInitial(215), 2))
        .hasMessageContaining("selected protocol");
  }

  @Test
  void theColourDepthIsRaisedAndNothingElse() throws ProtocolException {
    byte[] pdu = connectInitial(234);
    byte[] patched = ConnectInitial.with32BitsPerPixel(pdu);
    int core = pdu.length - 234;
    assertThat(RdpPdu.u16le(patched, core + 140)).isEqualTo(24);
    assertThat(RdpPdu.u16le(patched, core + 142)).isEqualTo(0x000f);
    assertThat(RdpPdu.u16le(patched, core + 144)).isEqualTo(0x082b);
    System.arraycopy(pdu, core + 140, patched, core + 140, 6);
    assertThat(patched).isEqualTo(pdu);
  }

  @Test
  void theLayoutAndTheScaleAreSetAndNothingElse() throws ProtocolException {
    byte[] pdu = connectInitial(234);
    int core = pdu.length - 234;
    byte[] patched = ConnectInitial.withKeyboardLayout(pdu, 0x00020409);
    assertThat(RdpPdu.u32le(patched, core + 16)).isEqualTo(0x00020409);
    RdpPdu.putU32le(patched, core + 16, 0);
    assertThat(patched).isEqualTo(pdu);

    patched = ConnectInitial.withScale(pdu, 150);
    assertThat(RdpPdu.u32le(patched, core + 226)).isEqualTo(150);
    assertThat(RdpPdu.u32le(patched, core + 230)).isEqualTo(100);
    System.arraycopy(pdu, core + 226, patched, core + 226, 8);
    assertThat(patched).isEqualTo(pdu);
    assertThatThrownBy(() -> ConnectInitial.withScale(connectInitial(233), 150))
        .hasMessageContaining("scale");
  }

  @Test
  void aCoreBlockMustHoldAColourDepth() throws ProtocolException {
    assertThat(ConnectInitial.with32BitsPerPixel(connectInitial(146))).isNotNull();
    assertThatThrownBy(() -> ConnectInitial.with32BitsPerPixel(connectInitial(145)))
        .hasMessageContaining("colour depth");
  }

  @Test
  void everyShortenedConnectInitialIsRefused() {
    byte[] pdu = connectInitial(234);
    for (int length = 0; length < pdu.length; length++) {
      byte[] shortened = Arrays.copyOf(pdu, length);
      if (length >= 4) {
        RdpPdu.putU16(shortened, 2, length);
      }
      assertThatThrownBy(() -> ConnectInitial.with32BitsPerPixel(shortened))
          .isInstanceOf(ProtocolException.class);
    }
    byte[] tooLong = Arrays.copyOf(pdu, ConnectInitial.LIMIT_BYTES + 1);
    assertThatThrownBy(() -> ConnectInitial.with32BitsPerPixel(tooLong))
        .hasMessageContaining("more than");
  }

  @Test
  void theLoginTakesThePlaceOfTheBrowsersOwn() throws ProtocolException {
    byte[] patched = ClientInfo.withLogin(clientInfo(UNICODE, "aabbcc"), "ann", PASSWORD);
    String strings =
        "0000"
            + HexFormat.of().formatHex("ann".getBytes(UTF_16LE))
            + "0000"
            + HexFormat.of().formatHex("pw".getBytes(UTF_16LE))
            + "0000 0000 0000";
    String info = "4000 0000 00000000 1b014b00 0000 0600 0400 0000 0000" + strings + "aabbcc";
    assertThat(patched)
        .isEqualTo(
            data(hex("64 0006 03eb 70" + String.format("%04x", 0x8000 | bytes(info)) + info)));
    assertThat(ClientInfo.is(patched)).isTrue();
  }

  @Test
  void onlyUnicodeClientInfoIsChanged() {
    assertThatThrownBy(() -> ClientInfo.withLogin(clientInfo("03014b00", ""), "ann", PASSWORD))
        .hasMessageContaining("Unicode");
    assertThat(ClientInfo.is(connectInitial(234))).isFalse();
    assertThatThrownBy(() -> ClientInfo.withLogin(connectInitial(234), "ann", PASSWORD))
        .isInstanceOf(ProtocolException.class);
  }

  @Test
  void clientInfoMayBeAsLongAsTheLimit() throws ProtocolException {
    int room = ClientInfo.LIMIT_BYTES - clientInfo(UNICODE, "").length;
    assertThat(ClientInfo.withLogin(clientInfo(UNICODE, "00".repeat(room)), "ann", PASSWORD))
        .hasSizeGreaterThan(ClientInfo.LIMIT_BYTES);
    assertThatThrownBy(
            () -> ClientInfo.withLogin(clientInfo(UNICODE, "00".repeat(room + 1)), "ann", PASSWORD))
        .isInstanceOf(ProtocolException.class);
  }

  @FuzzTest
  void anyHeaderHasALengthOrNone(byte[] bytes) {
    try {
      RdpPdu.length(bytes).ifPresent(length -> assertThat(length).isBetween(2, 65535));
    } catch (ProtocolException refused) {
      assertThat(bytes.length).isGreaterThan(1);
    }
  }

  @FuzzTest
  void anyNegotiationIsTakenOrRefused(byte[] bytes) {
    try {
      assertThat(X224.confirm(bytes)).isNotNull();
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
    try {
      X224.requestedProtocols(bytes);
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
  }

  @FuzzTest
  void anyConnectInitialKeepsItsLengthOrIsRefused(byte[] bytes) {
    try {
      assertThat(ConnectInitial.with32BitsPerPixel(bytes)).hasSameSizeAs(bytes);
      assertThat(ConnectInitial.withKeyboardLayout(bytes, 0x407)).hasSameSizeAs(bytes);
      assertThat(ConnectInitial.withSelectedProtocol(bytes, 2)).hasSameSizeAs(bytes);
      assertThat(ConnectInitial.withScale(bytes, 200)).hasSameSizeAs(bytes);
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
  }

  @FuzzTest
  void anyClientInfoBecomesOneThatChangesNoMore(byte[] bytes) {
    try {
      byte[] patched = ClientInfo.withLogin(bytes, "ann", PASSWORD);
      if (patched.length <= ClientInfo.LIMIT_BYTES) {
        assertThat(ClientInfo.withLogin(patched, "ann", PASSWORD)).isEqualTo(patched);
      }
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
  }
}
