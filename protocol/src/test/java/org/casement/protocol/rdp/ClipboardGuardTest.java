package org.casement.protocol.rdp;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.casement.protocol.rdp.ClipboardGuard.Side.DESKTOP;
import static org.casement.protocol.rdp.ClipboardGuard.Side.PAGE;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.rdp.ClipboardGuard.Side;
import org.junit.jupiter.api.Test;

class ClipboardGuardTest {
  private static final int CHANNEL = 1004;
  private static final int LIMIT = 100_000;

  private static final int LIST = 2;
  private static final int LISTED = 3;
  private static final int REQUEST = 4;
  private static final int RESPONSE = 5;
  private static final int CAPABILITIES = 7;
  private static final int OK = 1;

  private static final String UNICODE_TEXT = "0d000000";

  /// Long names: the text format, "FileGroupDescriptorW" cut to "Fi", HTML cut to "HT".
  private static final String TEXT_AND_MORE =
      "0d0000000000" + "25c00000" + "460069000000" + "26c00000" + "480054000000";

  /// What the other side would see, message by message, as "to TYPE FLAGS BODY".
  private final List<String> seen = new ArrayList<>();

  private final List<String> notes = new ArrayList<>();
  private final List<String> answers = new ArrayList<>();
  private final List<byte[]> pdus = new ArrayList<>();
  private final ByteArrayOutputStream message = new ByteArrayOutputStream();

  private final ClipboardGuard.Wire wire =
      new ClipboardGuard.Wire() {
        @Override
        public void pass(Side to, byte[] pdu) {
          see(to, pdu);
        }

        @Override
        public void answer(Side to, byte[] pdu) {
          see(to, pdu);
        }

        @Override
        public void tooLong(Side from, long bytes) {
          notes.add(from + " too long " + bytes);
        }

        @Override
        public void refused(Side from, String what) {
          notes.add(from + " " + what);
        }

        @Override
        public void answered(Side by, boolean taken) {
          answers.add(by + " " + taken);
        }
      };

  private void see(Side to, byte[] pdu) {
    pdus.add(pdu);
    try {
      ChannelChunk chunk = ChannelChunk.of(pdu);
      assertThat(chunk.fromClient()).isEqualTo(to == DESKTOP);
      assertThat(chunk.channel()).isEqualTo(CHANNEL);
      assertThat(chunk.data().length).isLessThanOrEqualTo(ChannelChunk.LIMIT_BYTES);
      if ((chunk.flags() & ChannelChunk.FIRST) != 0) {
        message.reset();
      }
      message.writeBytes(chunk.data());
      if ((chunk.flags() & ChannelChunk.LAST) == 0) {
        return;
      }
    } catch (ProtocolException ours) {
      throw new AssertionError(ours);
    }
    byte[] whole = message.toByteArray();
    assertThat(RdpPdu.u32le(whole, 4)).isEqualTo(whole.length - 8);
    String body = HexFormat.of().formatHex(whole, 8, whole.length);
    seen.add(
        (to + " " + RdpPdu.u16le(whole, 0) + " " + RdpPdu.u16le(whole, 2) + " " + body).strip());
  }

  private List<String> seen() {
    List<String> now = List.copyOf(seen);
    seen.clear();
    return now;
  }

  private ClipboardGuard guard(boolean fromDesktop, boolean toDesktop) {
    return new ClipboardGuard(CHANNEL, new ClipboardPolicy(fromDesktop, toDesktop, LIMIT), wire);
  }

  private static byte[] hex(String hex) {
    return HexFormat.of().parseHex(hex);
  }

  private static byte[] message(int type, int flags, byte[] body) {
    byte[] message = new byte[8 + body.length];
    RdpPdu.putU16le(message, 0, type);
    RdpPdu.putU16le(message, 2, flags);
    RdpPdu.putU32le(message, 4, body.length);
    System.arraycopy(body, 0, message, 8, body.length);
    return message;
  }

  private static byte[] chunk(Side from, long total, int flags, byte[] data) {
    int initiator = from == PAGE ? 7 : 1;
    return new ChannelChunk(from == PAGE, initiator, CHANNEL, total, flags, data).pdu();
  }

  private static void say(ClipboardGuard guard, Side from, int type, int flags, byte[] body)
      throws ProtocolException {
    byte[] message = message(type, flags, body);
    for (int at = 0; at < message.length; at += 1600) {
      int end = Math.min(at + 1600, message.length);
      int first = at == 0 ? ChannelChunk.FIRST : 0;
      int last = end == message.length ? ChannelChunk.LAST : 0;
      guard.accept(
          from, chunk(from, message.length, first | last, Arrays.copyOfRange(message, at, end)));
    }
  }

  /// As the engine and a server begin; both have long names.
  private ClipboardGuard begun(boolean fromDesktop, boolean toDesktop) throws ProtocolException {
    ClipboardGuard guard = guard(fromDesktop, toDesktop);
    say(guard, DESKTOP, CAPABILITIES, 0, hex("01000000" + "01000c00" + "02000000" + "3e000000"));
    say(guard, DESKTOP, 1, 0, new byte[0]);
    say(guard, PAGE, CAPABILITIES, 0, hex("01000000" + "01000c00" + "02000000" + "02000000"));
    say(guard, PAGE, 6, 0, new byte[520]);
    say(guard, PAGE, LIST, 0, new byte[0]);
    say(guard, DESKTOP, LISTED, OK, new byte[0]);
    return guard;
  }

  @Test
  void filesAreLeftOutOfWhatBothCanDoAndNothingElse() throws ProtocolException {
    begun(true, true);
    assertThat(seen())
        .containsExactly(
            "PAGE 7 0 " + "01000000" + "01000c00" + "02000000" + "02000000",
            "PAGE 1 0",
            "DESKTOP 7 0 " + "01000000" + "01000c00" + "02000000" + "02000000",
            "DESKTOP 2 0",
            "PAGE 3 1");
    assertThat(notes).containsExactly("PAGE a message of type 6");
  }

  @Test
  void whoHasAnsweredAListIsTold() throws ProtocolException {
    ClipboardGuard guard = begun(true, true);
    assertThat(answers).containsExactly("DESKTOP true");
    say(guard, DESKTOP, LISTED, 2, new byte[0]);
    say(guard, PAGE, LISTED, OK, new byte[0]);
    assertThat(answers).containsExactly("DESKTOP true", "DESKTOP false", "PAGE true");
  }

  @Test
  void textPassesBothWaysWhole() throws ProtocolException {
    byte[] text = "Grüße 😀\r\n".repeat(4000).getBytes(UTF_16LE);
    ClipboardGuard guard = begun(true, true);
    seen();
    for (Side from : Side.values()) {
      say(guard, from, LIST, 0, hex("0d0000000000"));
      say(guard, from.other(), LISTED, OK, new byte[0]);
      say(guard, from.other(), REQUEST, 0, hex(UNICODE_TEXT));
      say(guard, from, RESPONSE, OK, text);
      assertThat(seen())
          .containsExactly(
              from.other() + " 2 0 0d0000000000",
              from + " 3 1",
              from + " 4 0 " + UNICODE_TEXT,
              from.other() + " 5 1 " + HexFormat.of().formatHex(text));
    }
  }

  @Test
  void onlyTextIsListedAndOnlyTextMayBeAskedFor() throws ProtocolException {
    ClipboardGuard guard = begun(true, true);
    seen();
    say(guard, DESKTOP, LIST, 0, hex(TEXT_AND_MORE));
    say(guard, PAGE, REQUEST, 0, hex("25c00000"));
    say(guard, PAGE, REQUEST, 0, hex("08000000"));
    say(guard, PAGE, 8, 0, new byte[24]);
    say(guard, DESKTOP, 9, OK, new byte[24]);
    say(guard, PAGE, 10, 0, new byte[4]);
    assertThat(seen()).containsExactly("PAGE 2 0 0d0000000000", "PAGE 5 2", "PAGE 5 2");
  }

  @Test
  void shortNamesAreReadWhereOneSideHasNoLongOnes() throws ProtocolException {
    ClipboardGuard guard = guard(true, true);
    say(guard, DESKTOP, LISTED, OK, new byte[0]);
    seen();
    String text = UNICODE_TEXT + "00".repeat(32);
    say(guard, DESKTOP, LIST, 4, hex("25c00000" + "41".repeat(32) + text + "0d00"));
    assertThat(seen()).containsExactly("PAGE 2 4 " + text);
  }

  @Test
  void aDesktopThatMustNotGivesNothingAndIsNotLeftWaiting() throws ProtocolException {
    ClipboardGuard guard = begun(false, true);
    seen();
    say(guard, DESKTOP, LIST, 0, hex("0d0000000000"));
    assertThat(seen()).containsExactly("DESKTOP 3 1");
    // A page that asks without having been told, and a desktop that answers it.
    say(guard, PAGE, REQUEST, 0, hex(UNICODE_TEXT));
    say(guard, DESKTOP, RESPONSE, OK, hex("41000000"));
    assertThat(seen()).containsExactly("PAGE 5 2");
    // The other direction is as before.
    say(guard, PAGE, LIST, 0, hex("0d0000000000"));
    say(guard, DESKTOP, REQUEST, 0, hex(UNICODE_TEXT));
    say(guard, PAGE, RESPONSE, OK, hex("41000000"));
    assertThat(seen())
        .containsExactly(
            "DESKTOP 2 0 0d0000000000", "PAGE 4 0 " + UNICODE_TEXT, "DESKTOP 5 1 41000000");
  }

  @Test
  void aPageThatMustNotGivesNothingAndLeavesTheDesktopsClipboardAlone() throws ProtocolException {
    ClipboardGuard guard = guard(true, false);
    say(guard, PAGE, LIST, 0, hex("0d000000" + "00".repeat(32)));
    assertThat(seen())
        .as("the desktop waits for the first, and gets it empty")
        .containsExactly("DESKTOP 2 0");
    say(guard, DESKTOP, LISTED, OK, new byte[0]);
    seen();
    say(guard, PAGE, LIST, 0, hex("0d000000" + "00".repeat(32)));
    assertThat(seen()).containsExactly("PAGE 3 1");
    say(guard, DESKTOP, REQUEST, 0, hex(UNICODE_TEXT));
    assertThat(seen()).containsExactly("DESKTOP 5 2");
    say(guard, PAGE, RESPONSE, OK, hex("41000000"));
    assertThat(seen()).isEmpty();
  }

  @Test
  void aListThatComesBeforeTheEngineIsReadyWouldEndItAndIsHeldBack() throws ProtocolException {
    ClipboardGuard guard = guard(true, true);
    say(guard, DESKTOP, LIST, 0, hex(UNICODE_TEXT + "00".repeat(32)));
    assertThat(seen()).containsExactly("DESKTOP 3 1");
  }

  @Test
  void textOfTwoGigabytesIsCutAtItsFirstChunk() throws ProtocolException {
    ClipboardGuard guard = begun(true, true);
    say(guard, PAGE, REQUEST, 0, hex(UNICODE_TEXT));
    seen();
    long twoGigabytes = 2L << 30;
    byte[] start = Arrays.copyOf(message(RESPONSE, OK, new byte[0]), 1600);
    RdpPdu.putU32le(start, 4, (int) twoGigabytes);
    guard.accept(DESKTOP, chunk(DESKTOP, twoGigabytes + 8, ChannelChunk.FIRST, start));
    assertThat(seen()).containsExactly("PAGE 5 2");
    assertThat(notes).contains("DESKTOP too long " + twoGigabytes);
    for (int i = 0; i < 1000; i++) {
      guard.accept(DESKTOP, chunk(DESKTOP, twoGigabytes + 8, 0, new byte[1600]));
    }
    assertThat(seen()).isEmpty();
    // Twin: the same connection goes on with a text that fits.
    say(guard, PAGE, REQUEST, 0, hex(UNICODE_TEXT));
    say(guard, DESKTOP, RESPONSE, OK, new byte[LIMIT]);
    assertThat(seen()).hasSize(2).last().asString().hasSize("PAGE 5 1 ".length() + 2 * LIMIT);
  }

  @Test
  void chunksThatNeverEndAreCutWhereTheirWordEnds() throws ProtocolException {
    ClipboardGuard guard = begun(true, true);
    say(guard, PAGE, REQUEST, 0, hex(UNICODE_TEXT));
    seen();
    byte[] start = Arrays.copyOf(message(RESPONSE, OK, new byte[0]), 1600);
    guard.accept(DESKTOP, chunk(DESKTOP, 3000, ChannelChunk.FIRST, start));
    guard.accept(DESKTOP, chunk(DESKTOP, 3000, 0, new byte[1400]));
    assertThat(seen()).isEmpty();
    guard.accept(DESKTOP, chunk(DESKTOP, 3000, 0, new byte[1]));
    assertThat(seen()).containsExactly("PAGE 5 2");
    guard.accept(DESKTOP, chunk(DESKTOP, 3000, ChannelChunk.LAST, new byte[1600]));
    assertThat(seen()).isEmpty();
  }

  @Test
  void aTextOneByteOverTheLimitIsCutInBothDirections() throws ProtocolException {
    ClipboardGuard guard = begun(true, true);
    for (Side from : Side.values()) {
      say(guard, from.other(), REQUEST, 0, hex(UNICODE_TEXT));
      seen();
      say(guard, from, RESPONSE, OK, new byte[LIMIT + 1]);
      assertThat(seen()).containsExactly(from.other() + " 5 2");
    }
    assertThat(notes).contains("DESKTOP too long 100001", "PAGE too long 100001");
  }

  @Test
  void anEndlessListIsRefusedToWhoSendsIt() throws ProtocolException {
    ClipboardGuard guard = begun(true, true);
    seen();
    say(guard, DESKTOP, LIST, 0, new byte[ClipboardGuard.LIST_LIMIT_BYTES + 1]);
    assertThat(seen()).containsExactly("DESKTOP 3 2");
  }

  @Test
  void compressedAndMalformedMessagesAreSwallowed() throws ProtocolException {
    ClipboardGuard guard = begun(true, true);
    seen();
    int whole = ChannelChunk.FIRST | ChannelChunk.LAST;
    byte[] list = message(LIST, 0, hex("0d0000000000"));
    guard.accept(DESKTOP, chunk(DESKTOP, list.length, whole | ChannelChunk.COMPRESSED, list));
    guard.accept(DESKTOP, chunk(DESKTOP, 4, whole, new byte[4]));
    guard.accept(DESKTOP, chunk(DESKTOP, list.length, 0, list));
    assertThat(seen()).isEmpty();
    byte[] beyond = list.clone();
    RdpPdu.putU32le(beyond, 4, 7);
    guard.accept(DESKTOP, chunk(DESKTOP, beyond.length, whole, beyond));
    assertThat(seen()).containsExactly("DESKTOP 3 2");
    guard.accept(DESKTOP, chunk(DESKTOP, list.length, whole, list));
    assertThat(seen()).containsExactly("PAGE 2 0 0d0000000000");
  }

  @Test
  void textThatNobodyAskedForIsSwallowed() throws ProtocolException {
    ClipboardGuard guard = begun(true, true);
    seen();
    say(guard, DESKTOP, RESPONSE, OK, hex("41000000"));
    assertThat(seen()).isEmpty();
    assertThat(notes).contains("DESKTOP text that nobody asked for");
  }

  @Test
  void aPduThatCouldBeReadInTwoWaysIsRefused() throws ProtocolException {
    byte[] pdu = chunk(PAGE, 8, 3, message(LISTED, OK, new byte[0]));
    ClipboardGuard guard = guard(true, true);
    guard.accept(PAGE, pdu);
    for (int[] change :
        new int[][] {
          {3, 1}, {5, 1}, {6, 0x80}, {7, 1}, {7, 0x0c}, {11, 1}, {12, 0x10}, {13, 0x40}, {14, 1}
        }) {
      byte[] changed = pdu.clone();
      changed[change[0]] ^= (byte) change[1];
      assertThatThrownBy(() -> guard.accept(PAGE, changed))
          .as("byte " + change[0])
          .isInstanceOf(ProtocolException.class);
    }
  }

  @Test
  void aChannelThatIsNotKeptHasANameThatNoServerKnows() throws Exception {
    byte[] engine =
        Objects.requireNonNull(
                ClipboardGuardTest.class.getResourceAsStream(
                    "RdpTestInputs/anyConnectInitialKeepsItsLengthOrIsRefused/engine"))
            .readAllBytes();
    byte[] asked = engine;
    for (String name : List.of("cliprdr", "CLIPRDR", "Cliprdr", "rdpdr", "drdynvc")) {
      asked = ConnectInitial.withChannel(asked, name);
    }
    String twice = new String(asked, ISO_8859_1).replace("Cliprdr", "cliprdr");
    asked = twice.getBytes(ISO_8859_1);
    int own = ConnectInitial.channels(engine).size();
    byte[] kept = ConnectInitial.withChannelsOf(asked, Set.of("cliprdr", "drdynvc"));
    assertThat(kept).hasSameSizeAs(asked);
    List<String> names = ConnectInitial.channels(kept);
    assertThat(names.stream().filter("cliprdr"::equals)).hasSize(1);
    assertThat(names.subList(own, own + 5).get(1)).isEqualTo("none" + (own + 1));
    assertThat(names).doesNotContain("CLIPRDR", "rdpdr").contains("drdynvc");
    assertThat(ConnectInitial.channels(ConnectInitial.withChannelsOf(asked, Set.of())))
        .allMatch(name -> name.startsWith("none"));
  }

  /// Cut into PDUs of up to 255 bytes, first byte its length and sender: whatever they are, what
  /// comes out is well-formed, of the text formats, and within the limit.
  @FuzzTest
  void anyChunksKeepToThePolicy(byte[] bytes) {
    // Jazzer keeps one instance for all its executions.
    seen.clear();
    notes.clear();
    answers.clear();
    pdus.clear();
    message.reset();
    boolean from = bytes.length > 0 && (bytes[0] & 1) != 0;
    boolean to = bytes.length > 0 && (bytes[0] & 2) != 0;
    ClipboardGuard guard = guard(from, to);
    int at = 1;
    while (at < bytes.length) {
      int length = Math.min(bytes[at] & 0x7f, bytes.length - at - 1);
      Side side = bytes[at] < 0 ? PAGE : DESKTOP;
      byte[] data = Arrays.copyOfRange(bytes, at + 1, at + 1 + length);
      at += 1 + length;
      if (data.length < 2) {
        continue;
      }
      byte[] payload = Arrays.copyOfRange(data, 2, data.length);
      try {
        guard.accept(side, chunk(side, data[0] & 0xff, data[1], payload));
        guard.accept(side, data);
      } catch (ProtocolException refused) {
        assertThat(refused).hasMessageMatching("(?s).{1,200}");
      }
    }
    if (!from) {
      assertThat(seen).noneMatch(line -> line.startsWith("PAGE 5 1") || line.startsWith("PAGE 2 "));
    }
    if (!to) {
      assertThat(seen).noneMatch(line -> line.startsWith("DESKTOP 5 1"));
      assertThat(seen).noneMatch(line -> line.matches("DESKTOP 2 \\d+ .+"));
    }
    assertThat(seen).noneMatch(line -> line.matches("\\S+ ([069]|[1-9]\\d+) .*"));
  }
}
