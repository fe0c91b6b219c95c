package org.casement.web;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import javax.net.ssl.SSLSocket;
import org.casement.protocol.rdcleanpath.RdCleanPath;
import org.casement.protocol.rdp.ClipboardPolicy;
import org.casement.protocol.rdp.RdpSecurity;
import org.casement.protocol.rdp.X224;
import org.casement.relay.TestBrowser;
import org.casement.relay.TestSession;
import org.casement.session.EventLog;
import org.casement.session.Secret;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SoundTest {
  private static final String TLS_CHOSEN = "0300 0013 0e d0 0000 1234 00 0200 0800 01000000";
  private static final DesktopLogin LOGIN =
      new DesktopLogin("ann", new Secret("pw".getBytes(UTF_8)), RdpSecurity.TLS);
  private static final Path SAMPLES =
      Path.of("../../protocol/src/test/resources/org/casement/protocol/rdp");

  /// Connect-Response with one channel, 1004.
  private static final String RESPONSE =
      "0300 0045 02f080 7f66 3b 0a0100 020100 3003020122 042e 0005 0014 7c00 01 2a 14 760a 0101 00"
          + " 01c000 4d63446e 18 010c 0c00 04000800 01000000 030c 0c00 eb03 0100 ec03 0000";

  private static final String FORMATS =
      "0700 2600 00000000 00000000 00000000 0000 0100 ff 0800 00"
          + " 0100 0200 44ac0000 10b10200 0400 1000 0000";
  private static final String WAVE = "0d00 1000 3412 0000 07 000000 00000000 01020304";

  @TempDir private Path directory;

  private static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex.replace(" ", ""));
  }

  private static byte[] sample(String name) throws IOException {
    return Files.readAllBytes(SAMPLES.resolve(name));
  }

  private static byte[] initial() throws IOException {
    return sample("RdpTestInputs/anyConnectInitialKeepsItsLengthOrIsRefused/engine");
  }

  private static byte[] clientInfo() throws IOException {
    return sample("RdpTestInputs/anyClientInfoBecomesOneThatChangesNoMore/engine");
  }

  /// The desktop's PDU with `message` on channel 1004.
  private static String onChannel(String message) {
    int length = message.replace(" ", "").length() / 2;
    return "0300 %04x 02f080 68 03e9 03ec 70 %04x %08x 03000000 "
            .formatted(15 + 8 + length, 0x8000 | (8 + length), Integer.reverseBytes(length))
        + message;
  }

  private static final class Visit implements AutoCloseable {
    final TestSession session = new TestSession();
    final ScriptedDesktop desktop;
    final TestBrowser browser;
    final TestBrowser.Socket page;
    final Socket socket;
    final SSLSocket secured;

    Visit(Path directory, boolean sound) throws Exception {
      desktop = new ScriptedDesktop(directory);
      WebConnector web =
          session.closing(
              WebConnector.open(
                  session.desk,
                  TestSession.listener(),
                  () -> Optional.of(LOGIN),
                  desktop.address(),
                  new ClipboardPolicy(true, true, 1 << 20),
                  sound));
      browser = session.entered(web.address());
      page = browser.open("rdp");
      page.send(
          RdCleanPath.encode(
              new RdCleanPath.Request("desktop", "x", Optional.empty(), X224.request(11))));
      socket = desktop.accept();
      ScriptedDesktop.readPdu(socket);
      ScriptedDesktop.write(socket, TLS_CHOSEN);
      secured = desktop.secure(socket);
      page.nextBytes();
    }

    /// Up to the login; the Connect-Initial as the desktop got it.
    String loggedIn() throws Exception {
      page.send(initial());
      String initial = ScriptedDesktop.readPdu(secured);
      ScriptedDesktop.write(secured, RESPONSE);
      assertThat(page.nextBytes()).isEqualTo(bytes(RESPONSE));
      page.send(clientInfo());
      ScriptedDesktop.readPdu(secured);
      return initial;
    }

    @Override
    public void close() throws IOException {
      socket.close();
      desktop.close();
      session.close();
    }
  }

  @Test
  void theSoundGoesBesideTheDesktop() throws Exception {
    try (Visit visit = new Visit(directory, true)) {
      assertThat(visit.loggedIn()).contains(HexFormat.of().formatHex("rdpsnd".getBytes(UTF_8)));
      TestBrowser.Socket sound = visit.browser.open("sound");
      ScriptedDesktop.write(visit.secured, onChannel(FORMATS));
      assertThat(ScriptedDesktop.readPdu(visit.secured)).contains("03ec70").contains("44ac0000");
      assertThat(ScriptedDesktop.readPdu(visit.secured)).endsWith("0c00040002000000");
      ScriptedDesktop.write(visit.secured, onChannel(WAVE));
      assertThat(ScriptedDesktop.readPdu(visit.secured)).endsWith("0500040034120700");
      assertThat(sound.nextBytes()).isEqualTo(bytes("01020304"));
      // Silence is not sent; and a PDU that the page sends in pieces has nothing of ours in it.
      visit.page.send(bytes("0300 000b 02f080"));
      ScriptedDesktop.write(visit.secured, onChannel(WAVE.replace("01020304", "00000000")));
      assertThat(ScriptedDesktop.readPdu(visit.secured)).endsWith("0500040034120700");
      visit.page.send(bytes("04bbccdd"));
      assertThat(ScriptedDesktop.readPdu(visit.secured)).isEqualTo("0300000b02f08004bbccdd");
      ScriptedDesktop.write(visit.secured, onChannel(WAVE.replace("01020304", "05060708")));
      assertThat(sound.nextBytes()).isEqualTo(bytes("05060708"));
      // Of all that the page of the desktop has seen nothing.
      ScriptedDesktop.write(visit.secured, "0300 0008 02f080 01");
      assertThat(visit.page.nextBytes()).hasSize(8);
      sound.send(bytes("00"));
      assertThat(sound.closeCode()).isEqualTo(4400);
    }
  }

  @Test
  void brokenSoundLeavesTheDesktopAlone() throws Exception {
    try (Visit visit = new Visit(directory, true)) {
      visit.loggedIn();
      ScriptedDesktop.write(visit.secured, onChannel("0d00"));
      ScriptedDesktop.write(visit.secured, onChannel(FORMATS));
      ScriptedDesktop.write(visit.secured, "0300 0008 02f080 01");
      assertThat(visit.page.nextBytes()).hasSize(8);
      visit.page.send(bytes("0300 000b 02f080 04bbccdd"));
      assertThat(ScriptedDesktop.readPdu(visit.secured)).isEqualTo("0300000b02f08004bbccdd");
      assertThat(visit.session.logText()).contains("desktop-sound-broken");
    }
  }

  @Test
  void aPageThatDoesNotTakeTheSoundLosesItAndNothingWaits() throws Exception {
    try (Visit visit = new Visit(directory, true)) {
      visit.loggedIn();
      TestBrowser.Socket sound = visit.browser.open("sound");
      sound.stall();
      ScriptedDesktop.write(visit.secured, onChannel(FORMATS));
      ScriptedDesktop.readPdu(visit.secured);
      ScriptedDesktop.readPdu(visit.secured);
      String loud = onChannel("0d00 0c06 3412 0000 07 000000 00000000 " + "01".repeat(1536));
      for (int i = 0; i < 10_000; i++) { // a minute and a half, 15 MB
        ScriptedDesktop.write(visit.secured, loud);
        ScriptedDesktop.readPdu(visit.secured);
      }
      ScriptedDesktop.write(visit.secured, "0300 0008 02f080 01");
      assertThat(visit.page.nextBytes()).hasSize(8);
    }
  }

  @Test
  void withoutSoundThereIsNeitherChannelNorSocket() throws Exception {
    try (Visit visit = new Visit(directory, false)) {
      assertThat(visit.loggedIn())
          .doesNotContain(HexFormat.of().formatHex("rdpsnd".getBytes(UTF_8)));
      assertThatThrownBy(() -> visit.browser.open("sound")).isInstanceOf(Exception.class);
      ScriptedDesktop.write(visit.secured, onChannel(FORMATS));
      assertThat(visit.page.nextBytes()).isEqualTo(bytes(onChannel(FORMATS)));
    }
  }

  /// `bytes`: what the desktop sends on the channel, each chunk after its length in two bytes.
  @FuzzTest
  void whateverTheDesktopSendsTheTapHolds(byte[] bytes) throws Exception {
    ByteArrayOutputStream heard = new ByteArrayOutputStream();
    EventLog log =
        new EventLog(new PrintStream(new ByteArrayOutputStream(), true, UTF_8), Instant::now);
    EmbeddedChannel desktop = new EmbeddedChannel(new SoundTap(heard::writeBytes, log));
    desktop.writeOutbound(Unpooled.wrappedBuffer(initial()));
    desktop.writeInbound(Unpooled.wrappedBuffer(bytes(RESPONSE)));
    desktop.writeOutbound(Unpooled.wrappedBuffer(clientInfo()));
    desktop.releaseInbound();
    byte[] head = bytes("0300 0000 02f080 68 03e9 03ec");
    for (int at = 0; at + 2 <= bytes.length; ) {
      int length =
          Math.min((bytes[at] & 0xff) << 8 | (bytes[at + 1] & 0xff), bytes.length - at - 2);
      byte[] pdu = Arrays.copyOf(head, head.length + length);
      System.arraycopy(bytes, at + 2, pdu, head.length, length);
      pdu[2] = (byte) (pdu.length >> 8);
      pdu[3] = (byte) pdu.length;
      at += 2 + length;
      desktop.writeInbound(Unpooled.wrappedBuffer(pdu));
      ByteBuf passed = desktop.readInbound();
      assertThat(passed).isNull();
    }
    byte[] other = bytes("0300 000c 02f080 68 03e9 03eb");
    desktop.writeInbound(Unpooled.wrappedBuffer(other));
    ByteBuf passed = desktop.readInbound();
    assertThat(ByteBufUtil.getBytes(passed)).isEqualTo(other);
    passed.release();
    assertThat(heard.size()).isLessThanOrEqualTo(bytes.length);
    desktop.finishAndReleaseAll();
  }
}
