package org.casement.web;

import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLSocket;
import org.casement.protocol.Md4;
import org.casement.protocol.credssp.CredSspClient;
import org.casement.protocol.credssp.LogonFailure;
import org.casement.protocol.credssp.TsRequest;
import org.casement.protocol.rdcleanpath.RdCleanPath;
import org.casement.protocol.rdp.ClipboardPolicy;
import org.casement.protocol.rdp.RdpSecurity;
import org.casement.protocol.rdp.X224;
import org.casement.relay.TestBrowser;
import org.casement.relay.TestSession;
import org.casement.session.Secret;
import org.casement.testkit.CredSspServer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// A desktop that wants network level authentication, with a server's side of CredSSP that is not
/// ours to test.
class NetworkLoginTest {
  private static final String OUR_REQUEST = "030000130ee000000000000100080003000000";
  private static final String PASSWORD = "PlantedPassword";

  @TempDir private Path directory;

  private static String chosen(String protocol) {
    return "0300 0013 0e d0 0000 1234 00 021f 0800 " + protocol + "000000";
  }

  private static String refusing(String code) {
    return "0300 0013 0e d0 0000 1234 00 0300 0800 " + code + "000000";
  }

  private static byte[] sample(String name) throws IOException {
    return Files.readAllBytes(
        Path.of("../../protocol/src/test/resources/org/casement/protocol/rdp/RdpTestInputs", name));
  }

  /// A page that has asked for the desktop, and the desktop's end of it.
  private static final class Visit implements AutoCloseable {
    final TestSession session = new TestSession();
    final ScriptedDesktop desktop;
    final WebConnector web;
    final TestBrowser.Socket page;
    final Socket socket;

    Visit(Path directory, RdpSecurity security) throws Exception {
      desktop = new ScriptedDesktop(directory);
      DesktopLogin login = new DesktopLogin("ann", new Secret(PASSWORD.getBytes(UTF_8)), security);
      web =
          session.closing(
              WebConnector.open(
                  session.desk,
                  TestSession.listener(),
                  () -> Optional.of(login),
                  desktop.address(),
                  new ClipboardPolicy(true, true, 1 << 20),
                  false));
      page = session.entered(web.address()).open("rdp");
      page.send(
          RdCleanPath.encode(
              new RdCleanPath.Request("desktop", "x", Optional.empty(), X224.request(11))));
      socket = desktop.accept();
    }

    /// X.224 and TLS; then CredSSP begins.
    SSLSocket secured() throws Exception {
      assertThat(ScriptedDesktop.readPdu(socket)).isEqualTo(OUR_REQUEST);
      ScriptedDesktop.write(socket, chosen("02"));
      return desktop.secure(socket);
    }

    CredSspServer server(String password) {
      return new CredSspServer(
          "ann",
          Md4.digest(password.getBytes(UTF_16LE)),
          CredSspServer.publicKey(desktop.publicKeyInfo),
          6);
    }

    RdCleanPath nextOnPage() throws Exception {
      return RdCleanPath.decode(page.nextBytes());
    }

    void assertRefused(String word) throws Exception {
      assertThat(page.closeCode()).isEqualTo(4403);
      assertThat(page.closeReason).isEqualTo(word);
      assertThat(session.logText())
          .contains("desktop-refused")
          .contains(word)
          .doesNotContain("Planted");
    }

    @Override
    public void close() throws IOException {
      socket.close();
      desktop.close();
      session.close();
    }
  }

  @Test
  void theNodeLogsInAndThePageKnowsOfTlsOnly() throws Exception {
    try (Visit visit = new Visit(directory, RdpSecurity.NLA)) {
      SSLSocket secured = visit.secured();
      CredSspServer server = visit.server(PASSWORD);
      for (int i = 0; i < 2; i++) {
        byte[] answer = server.receive(ScriptedDesktop.readTsRequest(secured)).orElseThrow();
        secured.getOutputStream().write(answer, 0, 3); // in pieces
        secured.getOutputStream().flush();
        secured.getOutputStream().write(answer, 3, answer.length - 3);
      }
      assertThat(server.receive(ScriptedDesktop.readTsRequest(secured))).isEmpty();
      assertThat(server.password()).isEqualTo(PASSWORD);

      RdCleanPath.Response response = (RdCleanPath.Response) visit.nextOnPage();
      assertThat(HexFormat.of().formatHex(response.connectionConfirm()))
          .isEqualTo(chosen("01").replace(" ", ""));
      byte[] initial = sample("anyConnectInitialKeepsItsLengthOrIsRefused/engine");
      visit.page.send(initial);
      String named = ScriptedDesktop.readPdu(secured);
      int core = named.indexOf("01c0ea00");
      assertThat(core).isPositive();
      assertThat(named.substring(core + 2 * 212, core + 2 * 216)).isEqualTo("02000000");
      ScriptedDesktop.write(secured, "0300000702f080");
      assertThat(visit.page.nextBytes()).hasSize(7);
      assertThat(visit.session.logText()).contains("desktop-connected").doesNotContain("Planted");
    }
  }

  @Test
  void aWrongPasswordIsNamedByItsStatusOrByAClosedConnection() throws Exception {
    try (Visit visit = new Visit(directory, RdpSecurity.NLA)) {
      SSLSocket secured = visit.secured();
      CredSspServer server = visit.server("another");
      for (int i = 0; i < 2; i++) {
        byte[] request = ScriptedDesktop.readTsRequest(secured);
        secured.getOutputStream().write(server.receive(request).orElseThrow());
      }
      visit.assertRefused("wrong-password");
      assertThat(ScriptedDesktop.isAtEnd(secured)).isTrue();
      assertThat(server.password()).isEmpty();
    }
    try (Visit visit = new Visit(Files.createTempDirectory(directory, "x"), RdpSecurity.NLA)) {
      SSLSocket secured = visit.secured();
      CredSspServer server = visit.server("another");
      byte[] request = ScriptedDesktop.readTsRequest(secured);
      secured.getOutputStream().write(server.receive(request).orElseThrow());
      ScriptedDesktop.readTsRequest(secured);
      secured.close();
      visit.assertRefused("wrong-password");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "c0000234, account-locked", "c0000072, account-disabled", "c0000071, password-expired",
    "c000015b, logon-restricted", "c0000418, ntlm-blocked", "c0000001, nla-failed"
  })
  void everyStatusIsNamed(String status, String word) throws Exception {
    try (Visit visit = new Visit(directory, RdpSecurity.NLA)) {
      SSLSocket secured = visit.secured();
      ScriptedDesktop.readTsRequest(secured);
      int number = Integer.parseUnsignedInt(status, 16);
      secured.getOutputStream().write(visit.server(PASSWORD).error(number));
      visit.assertRefused(word);
      assertThat(visit.session.logText()).contains(status);
    }
  }

  @ParameterizedTest
  @CsvSource({
    // The kind that was asked for, the answer, the word.
    "NLA, selected 01, nla-refused",
    "NLA, selected 00, no-tls",
    "NLA, failed 01, nla-refused",
    "NLA, failed 02, no-tls",
    "TLS, selected 02, nla-demanded",
    "TLS, failed 05, nla-demanded",
    "TLS, failed 06, nla-demanded",
    "TLS, failed 02, no-tls"
  })
  void aDesktopThatWantsTheOtherWayIsNamed(RdpSecurity security, String answer, String word)
      throws Exception {
    try (Visit visit = new Visit(directory, security)) {
      ScriptedDesktop.readPdu(visit.socket);
      String value = answer.substring(answer.length() - 2);
      ScriptedDesktop.write(
          visit.socket, answer.startsWith("selected") ? chosen(value) : refusing(value));
      visit.assertRefused(word);
      assertThat(ScriptedDesktop.isAtEnd(visit.socket)).isTrue();
    }
  }

  @Test
  void whatIsNoCredSspEndsTheConnection() throws Exception {
    byte[] tooLong = {0x30, (byte) 0x82, 0x7f, (byte) 0xff};
    byte[] notOne = "HTTP/1.1 200 OK".getBytes(UTF_8);
    byte[] malformed = Arrays.copyOf(new byte[] {0x30, 0x10}, 18);
    for (byte[] bad : new byte[][] {tooLong, notOne, malformed}) {
      try (Visit visit = new Visit(Files.createTempDirectory(directory, "x"), RdpSecurity.NLA)) {
        SSLSocket secured = visit.secured();
        ScriptedDesktop.readTsRequest(secured);
        secured.getOutputStream().write(bad);
        visit.assertRefused("nla-failed");
        assertThat(ScriptedDesktop.isAtEnd(secured)).isTrue();
      }
    }
    assertThat(tooLong[2] << 8).isGreaterThan(TsRequest.LIMIT_BYTES);
  }

  @Test
  void aDesktopThatGoesAwayBeforeItIsAskedIsNotThere() throws Exception {
    try (Visit visit = new Visit(directory, RdpSecurity.NLA)) {
      SSLSocket secured = visit.secured();
      ScriptedDesktop.readTsRequest(secured);
      secured.close();
      assertThat(((RdCleanPath.Failure) visit.nextOnPage()).wsaError())
          .hasValue(RdCleanPath.Failure.WSA_RESET);
      assertThat(visit.page.closeCode()).isEqualTo(4503);
    }
  }

  @Test
  void aSilentDesktopIsGivenUp() throws Exception {
    try (ScriptedDesktop desktop = new ScriptedDesktop(directory)) {
      CredSspClient client =
          new CredSspClient(
              "",
              "ann",
              new Secret(PASSWORD.getBytes(UTF_8)),
              desktop.publicKeyInfo,
              new SecureRandom());
      List<String> heard = new ArrayList<>();
      NetworkLogin.Outcome outcome =
          new NetworkLogin.Outcome() {
            @Override
            public void done() {
              heard.add("done");
            }

            @Override
            public void refused(LogonFailure why, int status) {
              heard.add("refused");
            }

            @Override
            public void broken(String how) {
              heard.add(how);
            }

            @Override
            public void lost(boolean silent) {
              heard.add(silent ? "silent" : "lost");
            }
          };
      EmbeddedChannel channel = new EmbeddedChannel();
      channel.freezeTime();
      channel.pipeline().addLast(new NetworkLogin(client, outcome));
      channel.advanceTimeBy(NetworkLogin.LIMIT_SECONDS * 1000L - 1, TimeUnit.MILLISECONDS);
      channel.runScheduledPendingTasks();
      assertThat(heard).isEmpty();
      channel.advanceTimeBy(1, TimeUnit.MILLISECONDS);
      channel.runScheduledPendingTasks();
      assertThat(heard).containsExactly("silent");
      assertThat(channel.isOpen()).isFalse();
      channel.finishAndReleaseAll();
    }
  }

  @Test
  void aPageThatIsTakenOverInTheMiddleTakesItsConnectionAlong() throws Exception {
    try (Visit visit = new Visit(directory, RdpSecurity.NLA)) {
      SSLSocket secured = visit.secured();
      CredSspServer server = visit.server(PASSWORD);
      byte[] request = ScriptedDesktop.readTsRequest(secured);
      secured.getOutputStream().write(server.receive(request).orElseThrow());
      ScriptedDesktop.readTsRequest(secured);
      TestBrowser.Socket other = visit.session.entered(visit.web.address()).open("rdp");
      assertThat(visit.page.closeCode()).isEqualTo(4409);
      assertThat(ScriptedDesktop.isAtEnd(secured)).isTrue();
      other.close();
      assertThat(visit.session.logText()).doesNotContain("desktop-refused");
    }
  }
}
