package org.casement.protocol.guestapi;

import static java.nio.charset.StandardCharsets.UTF_16BE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import org.casement.protocol.ProtocolException;
import org.casement.session.GuestText;
import org.casement.session.Secret;
import org.casement.session.SessionId;
import org.junit.jupiter.api.Test;

class GuestApiTest {
  private static final String TRADE = "{\"token\": \"t\", \"agent\": \"a\"}";
  private static final String PROGRESS = "{\"code\": \"share\", \"text\": \"x\"}";
  private static final String HEARTBEAT = "{\"idleSeconds\": 42, \"seen\": 2}";

  private interface Parser {
    GuestRequest parse(byte[] body) throws ProtocolException;
  }

  private static final List<Parser> PARSERS =
      List.of(
          GuestRequest::trade,
          GuestRequest::progress,
          GuestRequest::ready,
          GuestRequest::heartbeat);

  private static byte[] example(String name) throws IOException {
    return Files.readAllBytes(Path.of("../contracts/guest-api", name));
  }

  @Test
  void theExamplesOfTheContractAreRead() throws IOException, ProtocolException {
    GuestRequest.Trade trade = GuestRequest.trade(example("trade-request.json"));
    assertThat(trade.token().text())
        .isEqualTo("casement:1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    assertThat(trade.agent()).isEqualTo(new GuestText("demo 1"));
    assertThat(GuestRequest.progress(example("progress.json")))
        .isEqualTo(
            new GuestRequest.Progress(
                GuestRequest.Progress.Code.SHARE, new GuestText("drive H: is connected")));
    assertThat(GuestRequest.ready(example("ready.json"))).isEqualTo(new GuestRequest.Ready(true));
    assertThat(GuestRequest.heartbeat(example("heartbeat.json")))
        .isEqualTo(new GuestRequest.Heartbeat(42, 2));
  }

  @Test
  void theDocumentIsThatOfTheContract() throws IOException {
    byte[] credential = new byte[32];
    for (int i = 0; i < credential.length; i++) {
      credential[i] = (byte) (0x20 + i);
    }
    assertThat(JSON.std.mapFrom(document(Optional.of(size())).json(new Secret(credential))))
        .isEqualTo(JSON.std.mapFrom(example("session-document.json")));
    assertThat(JSON.std.mapFrom(document(Optional.empty()).json(new Secret(credential))).keySet())
        .containsExactly(
            "version", "session", "nonce", "credential", "user", "shareUser", "shares", "timezone");
  }

  @Test
  void theAnswerToAHeartbeatIsThatOfTheContract() throws IOException {
    Notice notice =
        Notice.ofWalltime(
            3, Duration.ofMinutes(5), "this session ends in 5 minutes; save your work");
    assertThat(JSON.std.mapFrom(new HeartbeatAnswer(List.of(notice)).json()))
        .isEqualTo(JSON.std.mapFrom(example("heartbeat-answer.json")));
    assertThat(new HeartbeatAnswer(List.of()).json()).asString().isEqualTo("{\"notices\":[]}");
  }

  @Test
  void everyCodeOfTheContractIsKnown() throws ProtocolException {
    for (String code : List.of("started", "account", "share", "share-failed", "rdp", "failed")) {
      assertThat(
              GuestRequest.progress(PROGRESS.replace("share", code).getBytes(UTF_8)).code().text())
          .isEqualTo(code);
    }
    for (String other : List.of("", "Share", "share_failed", "SHARE", "x")) {
      refused(GuestRequest::progress, PROGRESS.replace("share", other));
    }
  }

  @Test
  void anUnknownMemberIsIgnoredButNoneMayBeMissingOrOfAnotherType() throws ProtocolException {
    String more = ", \"new\": {\"a\": [1e9, null]}}";
    assertThat(GuestRequest.heartbeat(HEARTBEAT.replace("}", more).getBytes(UTF_8)))
        .isEqualTo(new GuestRequest.Heartbeat(42, 2));
    refused(GuestRequest::heartbeat, "{\"idleSeconds\": 42}");
    refused(GuestRequest::heartbeat, "{\"seen\": 2}");
    for (String other : List.of("\"42\"", "42.0", "42e0", "null", "true", "[42]", "1e999")) {
      refused(GuestRequest::heartbeat, HEARTBEAT.replace("42", other));
    }
    refused(GuestRequest::trade, "{\"token\": \"t\"}");
    refused(GuestRequest::trade, "{\"agent\": \"a\"}");
    refused(GuestRequest::trade, TRADE.replace("\"t\"", "1"));
    refused(GuestRequest::trade, TRADE.replace("\"a\"", "null"));
    refused(GuestRequest::progress, "{\"code\": \"share\"}");
    refused(GuestRequest::progress, PROGRESS.replace("\"x\"", "{}"));
    refused(GuestRequest::ready, "{}");
    refused(GuestRequest::ready, "{\"rdp\": \"true\"}");
    refused(GuestRequest::ready, "{\"rdp\": 1}");
  }

  @Test
  void aBodyIsOneJsonObjectInUtf8() throws ProtocolException {
    assertThat(GuestRequest.ready(" {\"rdp\": true}\n".getBytes(UTF_8)).rdp()).isTrue();
    for (String bad :
        List.of(
            "",
            " ",
            "null",
            "[]",
            "true",
            "\"x\"",
            "{",
            "{\"rdp\": true",
            "{\"rdp\": true}}",
            "{\"rdp\": true} {}",
            "{\"rdp\": true} x",
            "{\"rdp\": true, \"rdp\": true}",
            "{'rdp': true}",
            "{rdp: true}",
            "{\"rdp\": true,}",
            "{\"rdp\": true, \"x\": NaN}")) {
      refused(GuestRequest::ready, bad);
    }
    assertThatThrownBy(() -> GuestRequest.ready("{\"rdp\": true}".getBytes(UTF_16BE)))
        .isInstanceOf(ProtocolException.class);
    byte[] notUtf8 = TRADE.getBytes(UTF_8);
    notUtf8[notUtf8.length - 3] = (byte) 0xff;
    assertThatThrownBy(() -> GuestRequest.trade(notUtf8)).hasMessage("body is not UTF-8");
  }

  @Test
  void aBodyMayBeAsLongAsTheLimit() throws ProtocolException {
    for (String ready : List.of("{\"rdp\": true}", "{\"rdp\": true, \"x\": \"#\"}")) {
      int room = GuestRequest.LIMIT_BYTES - ready.length();
      String longest =
          ready.contains("#") ? ready.replace("#", "y".repeat(room + 1)) : ready + " ".repeat(room);
      assertThat(longest).hasSize(GuestRequest.LIMIT_BYTES);
      assertThat(GuestRequest.ready(longest.getBytes(UTF_8)).rdp()).isTrue();
      assertThatThrownBy(() -> GuestRequest.ready((longest + " ").getBytes(UTF_8)))
          .isInstanceOf(ProtocolException.class)
          .hasMessageContaining("more than");
    }
  }

  @Test
  void aBodyMayBeAsDeepAsTheLimit() throws ProtocolException {
    assertThat(GuestRequest.ready(deep(Members.DEPTH_LIMIT - 1)).rdp()).isTrue();
    for (int arrays : new int[] {Members.DEPTH_LIMIT, 7000}) {
      assertThatThrownBy(() -> GuestRequest.ready(deep(arrays)))
          .isInstanceOf(ProtocolException.class);
    }
  }

  private static byte[] deep(int arrays) {
    return ("{\"x\": " + "[".repeat(arrays) + "]".repeat(arrays) + ", \"rdp\": true}")
        .getBytes(UTF_8);
  }

  @Test
  void aNumberMayHaveAsManyDigitsAsTheLimit() throws ProtocolException {
    String digits = "9".repeat(Members.NUMBER_LIMIT_CHARS);
    String ready = "{\"rdp\": true, \"x\": #}";
    assertThat(GuestRequest.ready(ready.replace("#", digits).getBytes(UTF_8)).rdp()).isTrue();
    for (String longer : List.of(digits + "9", "9".repeat(16_000), "0." + digits + digits)) {
      refused(GuestRequest::ready, ready.replace("#", longer));
    }
  }

  @Test
  void aHeartbeatIsWithinItsRange() throws ProtocolException {
    for (int idle : new int[] {-1, 0, GuestRequest.IDLE_LIMIT_SECONDS}) {
      assertThat(
              GuestRequest.heartbeat(
                      HEARTBEAT.replace("42", Integer.toString(idle)).getBytes(UTF_8))
                  .idleSeconds())
          .isEqualTo(idle);
    }
    for (long idle :
        new long[] {-2, GuestRequest.IDLE_LIMIT_SECONDS + 1L, 1L << 32, Long.MIN_VALUE}) {
      refused(GuestRequest::heartbeat, HEARTBEAT.replace("42", Long.toString(idle)));
    }
    for (long seen : new long[] {0, Long.MAX_VALUE}) {
      assertThat(
              GuestRequest.heartbeat(HEARTBEAT.replace(": 2}", ": " + seen + "}").getBytes(UTF_8))
                  .seen())
          .isEqualTo(seen);
    }
    refused(GuestRequest::heartbeat, HEARTBEAT.replace(": 2}", ": -1}"));
    refused(GuestRequest::heartbeat, HEARTBEAT.replace(": 2}", ": 9223372036854775808}"));
  }

  @Test
  void textsOfTheGuestAreMadeHarmless() throws ProtocolException {
    String text = "x".repeat(GuestText.LIMIT_CHARS + 1);
    assertThat(
            GuestRequest.progress(PROGRESS.replace("\"x\"", "\"" + text + "\"").getBytes(UTF_8))
                .text()
                .value())
        .hasSize(GuestText.LIMIT_CHARS);
    assertThat(GuestRequest.trade(TRADE.replace("\"a\"", "\"\\n\\ud800\"").getBytes(UTF_8)).agent())
        .isEqualTo(new GuestText("\ufffd\ufffd"));
  }

  @Test
  void aRefusalNeverQuotesTheGuest() {
    for (Parser parser : PARSERS) {
      for (String bad : List.of("CANARY", "{\"CANARY\": 1}", "{\"code\": \"CANARY\"}")) {
        assertThatThrownBy(() -> parser.parse(bad.getBytes(UTF_8)))
            .isInstanceOf(ProtocolException.class)
            .message()
            .doesNotContain("CANARY");
      }
    }
  }

  @Test
  void whatIsPrintedHidesTheSecrets() throws ProtocolException {
    assertThat(document(Optional.empty()).toString())
        .contains("alice", "Secret[redacted]")
        .doesNotContain("Xk29", "Qw3r");
    assertThat(GuestRequest.trade(TRADE.replace("\"t\"", "\"CANARY\"").getBytes(UTF_8)).toString())
        .doesNotContain("CANARY");
  }

  @Test
  void aDocumentCannotBeWrong() {
    SessionDocument.Account user = new SessionDocument.Account("u", new Secret(new byte[] {1}));
    SessionDocument.Account other = new SessionDocument.Account("u", new Secret(new byte[] {2}));
    SessionDocument.Share home = new SessionDocument.Share("home", "\\\\h\\home", "H:");
    SessionDocument.Share alike = new SessionDocument.Share("other", "\\\\h\\other", "H:");
    ZoneId berlin = ZoneId.of("Europe/Berlin");
    String nonce = "0123456789abcdef";
    make(nonce, user, other, List.of(home), berlin);
    wrong(() -> make("0123456789ABCDEF", user, other, List.of(home), berlin));
    wrong(() -> make(nonce, user, user, List.of(home), berlin));
    wrong(() -> make(nonce, user, other, List.of(home, alike), berlin));
    wrong(() -> make(nonce, user, other, List.of(home, home), berlin));
    wrong(() -> make(nonce, user, other, List.of(home), ZoneOffset.ofHours(1)));
    wrong(() -> make(nonce, user, other, List.of(home), ZoneId.of("GMT+1")));
    wrong(() -> new SessionDocument.Share("", "\\\\h\\home", "H:"));
    wrong(() -> new SessionDocument.Share("home", "//h/home", "H:"));
    wrong(() -> new SessionDocument.Share("home", "\\\\h\\home", "h"));
    wrong(() -> new SessionDocument.Account("", new Secret(new byte[1])));
    wrong(() -> new SessionDocument.Size(0, 800));
  }

  private static void make(
      String nonce,
      SessionDocument.Account user,
      SessionDocument.Account shareUser,
      List<SessionDocument.Share> shares,
      ZoneId timezone) {
    assertThat(
            new SessionDocument(
                    new SessionId("s"), nonce, user, shareUser, shares, timezone, Optional.empty())
                .shares())
        .isEqualTo(shares);
  }

  private static void wrong(org.assertj.core.api.ThrowableAssert.ThrowingCallable making) {
    assertThatThrownBy(making).isInstanceOf(IllegalArgumentException.class);
  }

  @FuzzTest
  void anyBodyIsTakenOrRefused(byte[] body) {
    for (Parser parser : PARSERS) {
      try {
        switch (parser.parse(body)) {
          case GuestRequest.Trade trade ->
              assertThat(trade.agent().value()).hasSizeLessThanOrEqualTo(GuestText.LIMIT_CHARS);
          case GuestRequest.Progress progress ->
              assertThat(progress.text().value()).hasSizeLessThanOrEqualTo(GuestText.LIMIT_CHARS);
          case GuestRequest.Ready ready -> assertThat(ready).isNotNull();
          case GuestRequest.Heartbeat heartbeat ->
              assertThat(heartbeat.idleSeconds()).isBetween(-1, GuestRequest.IDLE_LIMIT_SECONDS);
        }
      } catch (ProtocolException refused) {
        assertThat(refused).hasMessageMatching("[ -~]{1,200}");
      }
    }
  }

  private static void refused(Parser parser, String body) {
    assertThatThrownBy(
            () -> parser.parse(body.getBytes(UTF_8)),
            "%s",
            body.substring(0, Math.min(body.length(), 100)))
        .isInstanceOf(ProtocolException.class);
  }

  private static SessionDocument.Size size() {
    return new SessionDocument.Size(1280, 800);
  }

  private static SessionDocument document(Optional<SessionDocument.Size> size) {
    return new SessionDocument(
        new SessionId("k3x9pq2m"),
        "9f86d081884c7d65",
        new SessionDocument.Account("user", password("Xk29sPqLmW8vTzR4nBc7YdFg")),
        new SessionDocument.Account("alice", password("Qw3rTy7uIoPaSdFgHjKlZxCv")),
        List.of(
            new SessionDocument.Share("home", "\\\\169.254.100.2\\home", "H:"),
            new SessionDocument.Share("project", "\\\\169.254.100.2\\project", "P:")),
        ZoneId.of("Europe/Berlin"),
        size);
  }

  private static Secret password(String text) {
    return new Secret(text.getBytes(UTF_8));
  }
}
