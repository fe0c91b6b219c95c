package org.casement.web;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Optional;
import javax.net.ssl.SSLSocket;
import org.casement.protocol.rdcleanpath.RdCleanPath;
import org.casement.protocol.rdp.ClipboardPolicy;
import org.casement.protocol.rdp.ConnectInitial;
import org.casement.protocol.rdp.RdpSecurity;
import org.casement.protocol.rdp.X224;
import org.casement.relay.TestBrowser;
import org.casement.relay.TestSession;
import org.casement.session.Secret;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A page and a desktop that both say what they like.
class ClipboardFilterTest {
  private static final int LIMIT = 1 << 20;
  private static final String REQUEST = "64 0006 03ec 70";
  private static final String INDICATION = "68 0001 03ec 70";
  private static final String TEXT_LIST = "0200 0000 24000000 0d000000" + "00".repeat(32);
  private static final String ACCEPTED = "0300 0100 00000000";
  private static final String FAILED = "0500 0200 00000000";
  private static final String ASKS_FOR_TEXT = "0400 0000 04000000 0d000000";
  private static final String FAST_PATH = "0004aabb";

  @TempDir private Path directory;

  /// A connection whose login is on its way.
  private final class Visit implements AutoCloseable {
    final TestSession session = new TestSession();
    final ScriptedDesktop desktop =
        new ScriptedDesktop(Files.createTempDirectory(directory, "desktop"));
    final TestBrowser.Socket page;
    final SSLSocket server;
    final byte[] initial;

    Visit(boolean fromDesktop, boolean toDesktop) throws Exception {
      DesktopLogin login =
          new DesktopLogin("ann", new Secret("planted".getBytes(UTF_8)), RdpSecurity.TLS);
      WebConnector web =
          session.closing(
              WebConnector.open(
                  session.desk,
                  TestSession.listener(),
                  () -> Optional.of(login),
                  desktop.address(),
                  new ClipboardPolicy(fromDesktop, toDesktop, LIMIT),
                  false));
      page = session.entered(web.address()).open("rdp");
      page.send(
          RdCleanPath.encode(
              new RdCleanPath.Request("desktop", "x", Optional.empty(), X224.request(11))));
      Socket socket = desktop.accept();
      ScriptedDesktop.readPdu(socket);
      ScriptedDesktop.write(socket, "0300 0013 0e d0 0000 1234 00 0200 0800 01000000");
      server = desktop.secure(socket);
      page.nextBytes();
      assertThat(page.next())
          .contains("\"fromDesktop\":" + fromDesktop, "\"toDesktop\":" + toDesktop);
      page.send(
          ConnectInitial.withChannel(
              sample("RdpTestInputs/anyConnectInitialKeepsItsLengthOrIsRefused/engine"),
              "cliprdr"));
      initial = HexFormat.of().parseHex(ScriptedDesktop.readPdu(server));
      OutputStream out = server.getOutputStream();
      out.write(sample("ChannelsTestInputs/anyConnectResponseIsTakenOrRefused/demo"));
      page.nextBytes();
      page.send(sample("RdpTestInputs/anyClientInfoBecomesOneThatChangesNoMore/engine"));
      ScriptedDesktop.readPdu(server);
    }

    /// As the engine and a server begin.
    void begin() throws Exception {
      pageSays(TEXT_LIST);
      assertThat(ScriptedDesktop.readPdu(server)).contains("02000000");
      desktopSays(ACCEPTED);
      assertThat(heard()).endsWith(flat(ACCEPTED));
      assertThat(page.next()).contains("\"type\":\"clipboard-answered\"", "\"taken\":true");
    }

    void pageSays(String message) {
      page.send(pdu(REQUEST, message));
    }

    void desktopSays(String message) throws IOException {
      server.getOutputStream().write(pdu(INDICATION, message));
    }

    /// What the page gets next.
    String heard() throws Exception {
      return HexFormat.of().formatHex(page.nextBytes());
    }

    /// Nothing has come to the page before this.
    void nothingMoreAtThePage() throws Exception {
      ScriptedDesktop.write(server, FAST_PATH);
      assertThat(heard()).isEqualTo(FAST_PATH);
    }

    /// Nothing has come to the desktop before this.
    void nothingMoreAtTheDesktop() throws IOException {
      page.send(HexFormat.of().parseHex(FAST_PATH));
      assertThat(HexFormat.of().formatHex(server.getInputStream().readNBytes(4)))
          .isEqualTo(FAST_PATH);
    }

    @Override
    public void close() throws IOException {
      server.close();
      session.close();
      desktop.close();
    }
  }

  private static byte[] sample(String name) throws IOException {
    return Files.readAllBytes(
        Path.of("../../protocol/src/test/resources/org/casement/protocol/rdp", name));
  }

  private static String flat(String hex) {
    return hex.replace(" ", "");
  }

  /// A whole message in one chunk.
  private static byte[] pdu(String mcs, String message) {
    int length = flat(message).length() / 2;
    return chunk(mcs, length, 3, flat(message));
  }

  private static byte[] chunk(String mcs, int total, int flags, String data) {
    byte[] header = new byte[8];
    for (int i = 0; i < 4; i++) {
      header[i] = (byte) (total >> (8 * i));
    }
    header[4] = (byte) flags;
    int length = 8 + data.length() / 2;
    String body =
        flat(mcs)
            + String.format("%04x", 0x8000 | length)
            + HexFormat.of().formatHex(header)
            + data;
    int whole = 7 + body.length() / 2;
    return HexFormat.of().parseHex("0300" + String.format("%04x", whole) + "02f080" + body);
  }

  @Test
  void textOfTwoGigabytesIsCutAndTheConnectionGoesOn() throws Exception {
    try (Visit visit = new Visit(true, true)) {
      visit.begin();
      visit.pageSays(ASKS_FOR_TEXT);
      assertThat(ScriptedDesktop.readPdu(visit.server)).endsWith(flat(ASKS_FOR_TEXT));
      int twoGigabytes = 0x8000_0000;
      String zeros = "00".repeat(1592);
      OutputStream out = visit.server.getOutputStream();
      out.write(chunk(INDICATION, twoGigabytes + 8, 1, "0500010000000080" + zeros));
      assertThat(visit.heard()).endsWith(flat(FAILED));
      assertThat(visit.page.next())
          .contains("\"type\":\"clipboard-too-long\"", "\"from\":\"desktop\"", "2147483648");
      long before = usedMebibytes();
      byte[] more = chunk(INDICATION, twoGigabytes + 8, 0, zeros);
      for (int i = 0; i < 40_000; i++) {
        out.write(more);
      }
      visit.nothingMoreAtThePage();
      assertThat(usedMebibytes() - before).as("MiB kept of 64").isLessThan(24);
      assertThat(visit.session.logText()).contains("clipboard-too-long");

      // Twin: a text that fits.
      String text = HexFormat.of().formatHex("Grüße 😀\0".getBytes(UTF_16LE));
      visit.pageSays(ASKS_FOR_TEXT);
      ScriptedDesktop.readPdu(visit.server);
      visit.desktopSays("0500 0100 " + String.format("%02x", text.length() / 2) + "000000" + text);
      assertThat(visit.heard()).endsWith(text);
    }
  }

  private static long usedMebibytes() {
    System.gc();
    Runtime runtime = Runtime.getRuntime();
    return (runtime.totalMemory() - runtime.freeMemory()) >> 20;
  }

  @Test
  void aPageThatAsksOnItsOwnGetsNothingOutOfTheDesktop() throws Exception {
    try (Visit visit = new Visit(false, true)) {
      visit.begin();
      visit.pageSays(ASKS_FOR_TEXT);
      assertThat(visit.heard()).endsWith(flat(FAILED));
      visit.nothingMoreAtTheDesktop();
      visit.desktopSays(TEXT_LIST);
      assertThat(ScriptedDesktop.readPdu(visit.server)).endsWith(flat(ACCEPTED));
      visit.desktopSays("0500 0100 04000000 41000000");
      visit.nothingMoreAtThePage();
    }
  }

  @Test
  void aPageThatOffersOnItsOwnGetsNothingIntoTheDesktop() throws Exception {
    try (Visit visit = new Visit(true, false)) {
      visit.begin();
      visit.pageSays(TEXT_LIST);
      assertThat(visit.heard()).endsWith(flat(ACCEPTED));
      visit.pageSays("0500 0100 04000000 41000000");
      visit.nothingMoreAtTheDesktop();
      visit.desktopSays(ASKS_FOR_TEXT);
      assertThat(ScriptedDesktop.readPdu(visit.server)).endsWith(flat(FAILED));
      visit.nothingMoreAtThePage();
    }
  }

  @Test
  void whereNothingMayBeCopiedTheDesktopIsNotAskedForTheChannel() throws Exception {
    try (Visit visit = new Visit(false, false)) {
      assertThat(new String(visit.initial, ISO_8859_1)).doesNotContain("cliprdr");
      visit.desktopSays("0100 0000 00000000");
      assertThat(visit.heard()).as("a channel that means nothing").isNotEmpty();
    }
    try (Visit visit = new Visit(true, true)) {
      assertThat(new String(visit.initial, ISO_8859_1)).contains("cliprdr");
    }
  }

  @Test
  void whatAServerMightReadAsClipboardDataEndsTheConnection() throws Exception {
    byte[] list = pdu(REQUEST, TEXT_LIST);
    for (int[] change : new int[][] {{6, 0x80}, {7, 1}, {7, 8}, {14, 1}}) {
      try (Visit visit = new Visit(true, false)) {
        byte[] odd = list.clone();
        odd[change[0]] ^= (byte) change[1];
        visit.page.send(odd);
        assertThat(visit.page.closeCode()).as("byte " + change[0]).isEqualTo(4400);
        assertThat(ScriptedDesktop.isAtEnd(visit.server)).isTrue();
      }
    }
  }

  @Test
  void pdusOfThePageArriveWholeHoweverTheyAreCut() throws Exception {
    try (Visit visit = new Visit(true, true)) {
      visit.begin();
      byte[] request = pdu(REQUEST, ASKS_FOR_TEXT);
      for (byte b : request) {
        visit.page.send(new byte[] {b});
      }
      assertThat(ScriptedDesktop.readPdu(visit.server))
          .isEqualTo(HexFormat.of().formatHex(request));
    }
  }
}
