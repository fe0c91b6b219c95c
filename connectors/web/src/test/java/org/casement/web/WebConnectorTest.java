package org.casement.web;

import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLSocket;
import org.casement.protocol.rdcleanpath.RdCleanPath;
import org.casement.protocol.rdp.ClipboardPolicy;
import org.casement.protocol.rdp.RdpSecurity;
import org.casement.protocol.rdp.X224;
import org.casement.relay.TestBrowser;
import org.casement.relay.TestSession;
import org.casement.session.Secret;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WebConnectorTest {
  private static final int PICTURE_BYTES = 16 * 1024 - 1;

  /// 64 MiB: several times what the kernel's buffers on the way can hold.
  private static final int PICTURES = 4096;

  private static final long STILL_MS = 2_000;

  private static final String OUR_REQUEST = "030000130ee000000000000100080001000000";
  private static final String TLS_CHOSEN = "0300 0013 0e d0 0000 1234 00 0200 0800 01000000";
  private static final String NLA_DEMANDED = "0300 0013 0e d0 0000 1234 00 0300 0800 05000000";
  private static final DesktopLogin LOGIN =
      new DesktopLogin("ann", new Secret("PlantedPassword".getBytes(UTF_8)), RdpSecurity.TLS);

  private static final ClipboardPolicy CLIPBOARD = new ClipboardPolicy(true, true, 1 << 20);

  @TempDir private Path directory;

  /// What the engine sends first; its protocols are to be ignored.
  private static byte[] request() {
    return request("desktop?keyboard=00000407&scale=150");
  }

  private static byte[] request(String destination) {
    return RdCleanPath.encode(
        new RdCleanPath.Request(destination, "x", Optional.empty(), X224.request(11)));
  }

  private static byte[] sample(String name) throws IOException {
    return Files.readAllBytes(
        Path.of("../../protocol/src/test/resources/org/casement/protocol/rdp/RdpTestInputs", name));
  }

  private static WebConnector open(
      TestSession session, ScriptedDesktop desktop, Optional<DesktopLogin> login)
      throws IOException {
    return session.closing(
        WebConnector.open(
            session.desk,
            TestSession.listener(),
            () -> login,
            desktop.address(),
            CLIPBOARD,
            false));
  }

  @Test
  void theLoginIsPutInOnTheWayAndEachPduIsAMessage() throws Exception {
    try (TestSession session = new TestSession();
        ScriptedDesktop desktop = new ScriptedDesktop(directory)) {
      WebConnector web = open(session, desktop, Optional.of(LOGIN));
      TestBrowser.Socket page = session.entered(web.address()).open("rdp");
      byte[] request = request();
      page.send(Arrays.copyOf(request, 10));
      page.send(Arrays.copyOfRange(request, 10, request.length));
      try (Socket socket = desktop.accept()) {
        assertThat(ScriptedDesktop.readPdu(socket)).isEqualTo(OUR_REQUEST);
        ScriptedDesktop.write(socket, TLS_CHOSEN);
        SSLSocket secured = desktop.secure(socket);
        RdCleanPath.Response response = (RdCleanPath.Response) RdCleanPath.decode(page.nextBytes());
        assertThat(response.certificateChain()).hasSize(1);
        assertThat(HexFormat.of().formatHex(response.connectionConfirm()))
            .isEqualTo(TLS_CHOSEN.replace(" ", ""));

        byte[] initial = sample("anyConnectInitialKeepsItsLengthOrIsRefused/engine");
        byte[] info = sample("anyClientInfoBecomesOneThatChangesNoMore/engine");
        page.send(Arrays.copyOf(initial, 9));
        page.send(Arrays.copyOfRange(initial, 9, initial.length));
        String deeper = ScriptedDesktop.readPdu(secured);
        assertThat(deeper).hasSize(2 * initial.length).contains("18000f002b08");
        assertThat(deeper).contains("07040000").contains("9600000064000000"); // layout, scale
        byte[] answer = sample("../ChannelsTestInputs/anyConnectResponseIsTakenOrRefused/demo");
        ScriptedDesktop.write(secured, HexFormat.of().formatHex(answer));
        assertThat(page.nextBytes()).isEqualTo(answer);
        byte[] both = Arrays.copyOf(info, info.length + 3);
        System.arraycopy(HexFormat.of().parseHex("030000"), 0, both, info.length, 3);
        page.send(both);
        page.send(HexFormat.of().parseHex("0702f080"));
        assertThat(ScriptedDesktop.readPdu(secured))
            .contains(hex("ann"))
            .contains(hex("PlantedPassword"))
            .doesNotContain("0000" + hex("x") + "0000");
        assertThat(ScriptedDesktop.readPdu(secured)).isEqualTo("0300000702f080");

        ScriptedDesktop.write(secured, "0300000802f08001 0004aabb 0300");
        assertThat(page.nextBytes()).hasSize(8);
        assertThat(page.nextBytes()).hasSize(4);
        ScriptedDesktop.write(secured, "000702f080");
        assertThat(page.nextBytes()).hasSize(7);
        secured.close();
        assertThat(page.closeCode()).isEqualTo(1000);
      }
      assertThat(session.logText()).contains("desktop-connected").doesNotContain("Planted");
    }
  }

  /// What a page leaves unread lies in the kernel's socket buffers and, within Pump's water mark,
  /// in ours; the rest stays with the guest, which is not read.
  @Test
  void aPageThatDoesNotReadPausesTheDesktopAndLosesNothing() throws Exception {
    try (TestSession session = new TestSession();
        ScriptedDesktop desktop = new ScriptedDesktop(directory)) {
      WebConnector web = open(session, desktop, Optional.of(LOGIN));
      TestBrowser.Socket page = session.entered(web.address()).open("rdp");
      page.send(request());
      try (Socket socket = desktop.accept()) {
        SSLSocket secured = untilTls(desktop, socket, page);
        page.send(sample("anyConnectInitialKeepsItsLengthOrIsRefused/engine"));
        ScriptedDesktop.readPdu(secured);
        byte[] answer = sample("../ChannelsTestInputs/anyConnectResponseIsTakenOrRefused/demo");
        ScriptedDesktop.write(secured, HexFormat.of().formatHex(answer));
        page.nextBytes();
        page.send(sample("anyClientInfoBecomesOneThatChangesNoMore/engine"));
        ScriptedDesktop.readPdu(secured);
        page.stall();
        byte[] picture = new byte[PICTURE_BYTES];
        picture[1] = (byte) (0x80 | PICTURE_BYTES >> 8); // fast path, [MS-RDPBCGR] 2.2.9.1.2
        picture[2] = (byte) PICTURE_BYTES;
        AtomicInteger written = new AtomicInteger();
        CompletableFuture<Void> all =
            CompletableFuture.runAsync(
                () -> {
                  try {
                    while (written.get() < PICTURES) {
                      secured.getOutputStream().write(picture);
                      written.incrementAndGet();
                    }
                  } catch (IOException broken) {
                    throw new UncheckedIOException(broken);
                  }
                });
        int before = -1;
        while (written.get() != before) {
          before = written.get();
          Thread.sleep(STILL_MS);
        }
        assertThat(before).isPositive().isLessThan(PICTURES / 2);
        page.resume();
        int arrived = 0;
        while (arrived < PICTURES * PICTURE_BYTES) {
          arrived += page.nextBytes().length;
        }
        all.get(10, TimeUnit.SECONDS);
      }
    }
  }

  private static SSLSocket untilTls(ScriptedDesktop desktop, Socket socket, TestBrowser.Socket page)
      throws Exception {
    ScriptedDesktop.readPdu(socket);
    ScriptedDesktop.write(socket, TLS_CHOSEN);
    SSLSocket secured = desktop.secure(socket);
    page.nextBytes(); // the RDCleanPath response
    return secured;
  }

  private static String hex(String text) {
    return HexFormat.of().formatHex(text.getBytes(UTF_16LE));
  }

  @Test
  void aDesktopThatDemandsNetworkLevelAuthenticationIsNamed() throws Exception {
    try (TestSession session = new TestSession();
        ScriptedDesktop desktop = new ScriptedDesktop(directory)) {
      WebConnector web = open(session, desktop, Optional.of(LOGIN));
      TestBrowser.Socket page = session.entered(web.address()).open("rdp");
      page.send(request());
      try (Socket socket = desktop.accept()) {
        ScriptedDesktop.readPdu(socket);
        ScriptedDesktop.write(socket, NLA_DEMANDED);
        assertThat(page.closeCode()).isEqualTo(4403);
        assertThat(page.closeReason).isEqualTo("nla-demanded");
        assertThat(ScriptedDesktop.isAtEnd(socket)).isTrue();
      }
    }
  }

  @Test
  void aDesktopThatIsNotThereIsSaid() throws Exception {
    try (TestSession session = new TestSession();
        ScriptedDesktop desktop = new ScriptedDesktop(directory)) {
      WebConnector notReady = open(session, desktop, Optional.empty());
      TestBrowser.Socket early = session.entered(notReady.address()).open("rdp");
      assertThat(early.closeCode()).isEqualTo(4503);

      WebConnector web = open(session, desktop, Optional.of(LOGIN));
      TestBrowser browser = session.entered(web.address());
      // QEMU accepts for a guest that does not listen yet, and closes.
      TestBrowser.Socket closedOn = browser.open("rdp");
      closedOn.send(request());
      desktop.accept().close();
      assertThat(wsaError(closedOn)).isEqualTo(RdCleanPath.Failure.WSA_RESET);
      assertThat(closedOn.closeCode()).isEqualTo(4503);
      desktop.listener.close();
      TestBrowser.Socket refused = browser.open("rdp");
      refused.send(request());
      assertThat(wsaError(refused)).isEqualTo(RdCleanPath.Failure.WSA_REFUSED);
      assertThat(refused.closeCode()).isEqualTo(4503);
    }
  }

  @Test
  void anAddressOfTheBrowsersOwnIsABadRequest() throws Exception {
    try (TestSession session = new TestSession();
        ScriptedDesktop desktop = new ScriptedDesktop(directory)) {
      WebConnector web = open(session, desktop, Optional.of(LOGIN));
      TestBrowser.Socket page = session.entered(web.address()).open("rdp");
      page.send(request("192.0.2.1:3389"));
      assertThat(page.closeCode()).isEqualTo(4400);
    }
  }

  private static int wsaError(TestBrowser.Socket page) throws Exception {
    return ((RdCleanPath.Failure) RdCleanPath.decode(page.nextBytes())).wsaError().orElseThrow();
  }

  @Test
  void whatIsNoRequestNeverReachesTheDesktop() throws Exception {
    try (TestSession session = new TestSession();
        ScriptedDesktop desktop = new ScriptedDesktop(directory)) {
      WebConnector web = open(session, desktop, Optional.of(LOGIN));
      TestBrowser browser = session.entered(web.address());
      for (byte[] bad :
          new byte[][] {
            "garbage".getBytes(UTF_8),
            RdCleanPath.encode(RdCleanPath.Failure.http(200)),
            new byte[RdCleanPath.REQUEST_LIMIT_BYTES + 1]
          }) {
        TestBrowser.Socket page = browser.open("rdp");
        page.send(bad);
        RdCleanPath.Failure failure = (RdCleanPath.Failure) RdCleanPath.decode(page.nextBytes());
        assertThat(failure.httpStatus()).hasValue(400);
        assertThat(page.closeCode()).isEqualTo(4400);
      }
      TestBrowser.Socket good = browser.open("rdp");
      good.send(request());
      desktop.accept().close(); // the first that came
      assertThat(good.closeCode()).isEqualTo(4503);
    }
  }

  @Test
  void aSecondTabTakesTheDesktopOver() throws Exception {
    try (TestSession session = new TestSession();
        ScriptedDesktop desktop = new ScriptedDesktop(directory)) {
      WebConnector web = open(session, desktop, Optional.of(LOGIN));
      TestBrowser first = session.entered(web.address());
      TestBrowser.Socket page = first.open("rdp");
      page.send(request());
      try (Socket socket = desktop.accept()) {
        ScriptedDesktop.readPdu(socket);
        TestBrowser.Socket again = first.open("rdp");
        assertThat(page.closeCode()).isEqualTo(1001);
        assertThat(ScriptedDesktop.isAtEnd(socket)).isTrue();
        TestBrowser.Socket other = session.entered(web.address()).open("rdp");
        assertThat(again.closeCode()).isEqualTo(4409);
        other.close();
      }
    }
  }

  @Test
  void tooLongAPduBeforeTheLoginIsRefused() throws Exception {
    String length = String.format("%04x", LoginInjector.PDU_LIMIT_BYTES + 1);
    byte[] head = HexFormat.of().parseHex("0300" + length + "02f080");
    assertRefused(Arrays.copyOf(head, LoginInjector.PDU_LIMIT_BYTES + 1));
  }

  @Test
  void whatIsNoPduIsRefused() throws Exception {
    assertRefused(HexFormat.of().parseHex("03000000"));
  }

  /// Which channel is the clipboard's is not known before.
  @Test
  void whatDoesNotWaitForTheDesktopsFirstAnswerIsRefused() throws Exception {
    byte[] initial = sample("anyConnectInitialKeepsItsLengthOrIsRefused/engine");
    byte[] info = sample("anyClientInfoBecomesOneThatChangesNoMore/engine");
    byte[] both = Arrays.copyOf(initial, initial.length + info.length);
    System.arraycopy(info, 0, both, initial.length, info.length);
    assertRefused(both);
  }

  @Test
  void tooManyPdusInOneMessageAreRefused() throws Exception {
    byte[] tiny = HexFormat.of().parseHex("0002".repeat(PageFramer.PDUS_LIMIT + 1));
    assertRefused(tiny);
  }

  private void assertRefused(byte[] afterTls) throws Exception {
    try (TestSession session = new TestSession();
        ScriptedDesktop desktop = new ScriptedDesktop(directory)) {
      WebConnector web = open(session, desktop, Optional.of(LOGIN));
      TestBrowser.Socket page = session.entered(web.address()).open("rdp");
      page.send(request());
      try (Socket socket = desktop.accept()) {
        untilTls(desktop, socket, page);
        page.send(afterTls);
        assertThat(page.closeCode()).isEqualTo(4400);
      }
    }
  }
}
