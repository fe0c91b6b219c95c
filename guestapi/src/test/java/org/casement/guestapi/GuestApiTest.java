package org.casement.guestapi;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.net.ConnectException;
import java.net.Socket;
import java.net.SocketException;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.casement.protocol.guestapi.GuestRequest;
import org.casement.relay.HttpLimits;
import org.casement.session.GuestText;
import org.casement.testkit.SecretSearch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class GuestApiTest {
  private static final String READY = "{\"rdp\": true}";

  private TestGuest guest;

  @BeforeEach
  void open() throws IOException {
    guest = new TestGuest();
  }

  @AfterEach
  void close() {
    guest.close();
  }

  private static void assertRefused(HttpResponse<String> answer, int status) throws IOException {
    assertThat(answer.statusCode()).isEqualTo(status);
    assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/json");
    assertThat(JSON.std.mapFrom(answer.body())).containsOnlyKeys("error");
  }

  @Test
  void theExamplesOfTheContractGoRound() throws Exception {
    HttpResponse<String> traded =
        guest.call(TestGuest.TRADE, TestGuest.example("trade-request.json"));
    assertThat(traded.statusCode()).isEqualTo(200);
    assertThat(traded.headers().firstValue("Content-Type")).hasValue("application/json");
    assertThat(traded.headers().firstValue("Cache-Control")).hasValue("no-store");
    Map<String, Object> document = new HashMap<>(JSON.std.mapFrom(traded.body()));
    Map<String, Object> expected =
        new HashMap<>(JSON.std.mapFrom(TestGuest.example("session-document.json")));
    String credential = String.valueOf(document.remove("credential"));
    assertThat(credential).matches("[A-Za-z0-9_-]{43}");
    assertThat(expected.remove("credential")).isNotEqualTo(credential);
    assertThat(document).isEqualTo(expected);

    HttpResponse<String> told =
        guest.call(TestGuest.PROGRESS, credential, TestGuest.example("progress.json"));
    assertThat(told.statusCode()).isEqualTo(204);
    assertThat(told.body()).isEmpty();
    assertThat(
            guest.call(TestGuest.READY, credential, TestGuest.example("ready.json")).statusCode())
        .isEqualTo(204);

    for (int id = 1; id <= 3; id++) {
      guest.api.announceWalltime(
          Duration.ofMinutes(5), "this session ends in 5 minutes; save your work");
    }
    HttpResponse<String> answer =
        guest.call(TestGuest.HEARTBEAT, credential, TestGuest.example("heartbeat.json"));
    assertThat(answer.statusCode()).isEqualTo(200);
    assertThat(JSON.std.mapFrom(answer.body()))
        .isEqualTo(JSON.std.mapFrom(TestGuest.example("heartbeat-answer.json")));

    assertThat(guest.events)
        .containsExactly(
            new GuestEvent.Traded(new GuestText("demo 1")),
            new GuestEvent.Progressed(
                GuestRequest.Progress.Code.SHARE, new GuestText("drive H: is connected")),
            new GuestEvent.Ready(true),
            new GuestEvent.Heartbeat(42));
  }

  @Test
  void theBootTokenOpensOneTrade() throws Exception {
    String credential = guest.trade();
    assertRefused(guest.call(TestGuest.TRADE, TestGuest.example("trade-request.json")), 409);
    assertThat(guest.events).hasSize(1);
    assertThat(guest.call(TestGuest.READY, credential, READY).statusCode()).isEqualTo(204);
  }

  @Test
  void aWrongTokenOpensNothing() throws Exception {
    String trade = TestGuest.example("trade-request.json");
    for (String wrong :
        List.of(
            trade.replace("casement:1:", ""),
            trade.replace("casement:1:", "casement:2:"),
            trade.replace("AAEC", "AAED"),
            trade.replace("Hh8", "Hh"),
            trade.replace("Hh8", "Hh8="),
            "{\"token\": \"\", \"agent\": \"\"}")) {
      assertRefused(guest.call(TestGuest.TRADE, wrong), 403);
    }
    assertThat(guest.events).isEmpty();
    assertThat(guest.trade()).hasSize(43);
    assertRefused(guest.call(TestGuest.TRADE, trade.replace("AAEC", "AAED")), 403);
  }

  @Test
  void aResetArmsTheTokenOnceMore() throws Exception {
    guest.trade();
    assertThat(guest.api.rearm()).isTrue();
    guest.trade();
    assertRefused(guest.call(TestGuest.TRADE, TestGuest.example("trade-request.json")), 409);
    assertThat(guest.api.rearm()).isFalse();
    assertRefused(guest.call(TestGuest.TRADE, TestGuest.example("trade-request.json")), 409);
    assertThat(guest.events).hasSize(2);
  }

  @Test
  void aResetBeforeTheTradeCostsNothing() throws Exception {
    assertThat(guest.api.rearm()).isTrue();
    guest.trade();
    assertRefused(guest.call(TestGuest.TRADE, TestGuest.example("trade-request.json")), 409);
    assertThat(guest.api.rearm()).isTrue();
    assertThat(guest.api.rearm()).isTrue();
    guest.trade();
    assertThat(guest.api.rearm()).isFalse();
  }

  @Test
  void anotherTradeVoidsTheCredential() throws Exception {
    String before = guest.trade();
    assertThat(guest.api.rearm()).isTrue();
    assertThat(guest.call(TestGuest.READY, before, READY).statusCode()).isEqualTo(204);
    String after = guest.trade();
    assertThat(after).isNotEqualTo(before);
    assertRefused(guest.call(TestGuest.READY, before, READY), 401);
    assertThat(guest.call(TestGuest.READY, after, READY).statusCode()).isEqualTo(204);
  }

  @Test
  void nothingButTheTradeGoesWithoutTheCredential() throws Exception {
    List<String> calls = List.of(TestGuest.PROGRESS, TestGuest.READY, TestGuest.HEARTBEAT);
    for (String path : calls) {
      assertRefused(guest.call(path, "{}"), 401);
    }
    String credential = guest.trade();
    guest.events.clear();
    for (String path : calls) {
      assertRefused(guest.call(path, READY), 401);
      assertRefused(guest.call(path, TestGuest.BOOT_TOKEN, READY), 401);
      assertRefused(guest.call(path, credential.substring(1), READY), 401);
      assertRefused(guest.call(path, credential + "A", READY), 401);
      assertRefused(guest.call(path, "", READY), 401);
    }
    for (String header : List.of(credential, "Basic " + credential, "Bearer")) {
      HttpResponse<String> answer =
          guest.send(
              guest
                  .request(TestGuest.READY)
                  .header("Content-Type", "application/json")
                  .header("Authorization", header)
                  .POST(BodyPublishers.ofString(READY))
                  .build());
      assertRefused(answer, 401);
      assertThat(answer.headers().firstValue("WWW-Authenticate")).hasValue("Bearer");
    }
    assertThat(guest.events).isEmpty();
    assertThat(guest.call(TestGuest.READY, credential, READY).statusCode()).isEqualTo(204);
  }

  @Test
  void aMalformedBodyIsRefusedAndNeverQuoted() throws Exception {
    assertRefused(guest.call(TestGuest.TRADE, "{\"token\": 1}"), 400);
    String credential = guest.trade();
    guest.events.clear();
    for (String path : List.of(TestGuest.PROGRESS, TestGuest.READY, TestGuest.HEARTBEAT)) {
      for (String body :
          List.of("", "CANARY", "[\"CANARY\"]", "{\"CANARY\": true}", "[".repeat(10_000))) {
        HttpResponse<String> answer = guest.call(path, credential, body);
        assertRefused(answer, 400);
        assertThat(answer.body()).doesNotContain("CANARY").hasSizeLessThan(200);
      }
      guest.now.updateAndGet(now -> now.plusSeconds(1));
    }
    assertRefused(
        guest.call(TestGuest.PROGRESS, credential, "{\"code\": \"CANARY\", \"text\": \"\"}"), 400);
    assertRefused(
        guest.call(TestGuest.HEARTBEAT, credential, "{\"idleSeconds\": -2, \"seen\": 0}"), 400);
    assertRefused(
        guest.call(TestGuest.HEARTBEAT, credential, "{\"idleSeconds\": 0, \"seen\": -1}"), 400);
    assertThat(guest.events).isEmpty();
    assertThat(guest.logText()).contains("reason=bad-body").doesNotContain("CANARY");
    assertThat(guest.call(TestGuest.READY, credential, READY).statusCode()).isEqualTo(204);
  }

  @Test
  void anotherPathMethodOrTypeIsRefused() throws Exception {
    String credential = guest.trade();
    for (String path : List.of("/", "/v1", "/v1/trade/", "/v1/trade?x", "/v2/trade", "/V1/trade")) {
      assertRefused(guest.call(path, credential, READY), 404);
    }
    for (String method : List.of("GET", "PUT", "DELETE", "OPTIONS")) {
      HttpResponse<String> answer =
          guest.send(
              guest
                  .request(TestGuest.READY)
                  .header("Content-Type", "application/json")
                  .header("Authorization", "Bearer " + credential)
                  .method(method, BodyPublishers.ofString(READY))
                  .build());
      assertRefused(answer, 405);
      assertThat(answer.headers().firstValue("Allow")).hasValue("POST");
    }
    assertThat(withType(credential, "text/plain").statusCode()).isEqualTo(415);
    assertThat(withType(credential, "application/x-www-form-urlencoded").statusCode())
        .isEqualTo(415);
    assertThat(withType(credential, "application/json-seq").statusCode()).isEqualTo(415);
    assertThat(withType(credential, "Application/JSON; charset=utf-8").statusCode()).isEqualTo(204);
  }

  private HttpResponse<String> withType(String credential, String type) throws Exception {
    return guest.send(
        guest
            .request(TestGuest.READY)
            .header("Content-Type", type)
            .header("Authorization", "Bearer " + credential)
            .POST(BodyPublishers.ofString(READY))
            .build());
  }

  @Test
  void aNoticeIsSentUntilItWasSeen() throws Exception {
    String credential = guest.trade();
    assertThat(notices(credential, 0)).isEmpty();
    guest.api.announceWalltime(Duration.ofMinutes(15), "fifteen");
    guest.now.updateAndGet(now -> now.plus(Duration.ofMinutes(10)));
    guest.api.announceWalltime(Duration.ofMinutes(5), "five");
    List<Map<String, Object>> both =
        List.of(
            Map.of("id", 1, "kind", "walltime", "secondsLeft", 300, "text", "fifteen"),
            Map.of("id", 2, "kind", "walltime", "secondsLeft", 300, "text", "five"));
    assertThat(notices(credential, 0)).isEqualTo(both);
    assertThat(notices(credential, 0)).isEqualTo(both);
    assertThat(notices(credential, 1)).isEqualTo(both.subList(1, 2));
    guest.now.updateAndGet(now -> now.plus(Duration.ofMinutes(6)));
    assertThat(notices(credential, 0))
        .isEqualTo(List.of(Map.of("id", 2, "kind", "walltime", "secondsLeft", 0, "text", "five")));
    assertThat(notices(credential, Long.MAX_VALUE)).isEmpty();
    guest.api.announceWalltime(Duration.ofMinutes(1), "one");
    assertThat(notices(credential, 2)).hasSize(1);
  }

  @Test
  void ofManyNoticesTheNewestAreKept() throws Exception {
    String credential = guest.trade();
    for (int i = 1; i <= Notices.LIMIT; i++) {
      guest.api.announceWalltime(Duration.ofMinutes(1), "n" + i);
    }
    assertThat(notices(credential, 0)).hasSize(Notices.LIMIT);
    assertThat(notices(credential, 0).getFirst()).containsEntry("text", "n1");
    guest.api.announceWalltime(Duration.ofMinutes(1), "newest");
    assertThat(notices(credential, 0)).hasSize(Notices.LIMIT);
    assertThat(notices(credential, 0).getFirst()).containsEntry("text", "n2");
    assertThat(notices(credential, 0).getLast()).containsEntry("text", "newest");
  }

  @SuppressWarnings("unchecked") // of JSON, checked by what is expected of it
  private List<Map<String, Object>> notices(String credential, long seen) throws Exception {
    HttpResponse<String> answer =
        guest.call(
            TestGuest.HEARTBEAT, credential, "{\"idleSeconds\": -1, \"seen\": " + seen + "}");
    assertThat(answer.statusCode()).isEqualTo(200);
    Object notices = JSON.std.mapFrom(answer.body()).get("notices");
    assertThat(notices).isInstanceOf(List.class);
    return (List<Map<String, Object>>) Objects.requireNonNull(notices);
  }

  @Test
  void aFloodIsRefusedAndEndsWithItsSecond() throws Exception {
    String credential = guest.trade();
    for (int i = 1; i < GuestApi.REQUESTS_PER_SECOND_LIMIT; i++) {
      assertThat(guest.call(TestGuest.READY, credential, READY).statusCode()).isEqualTo(204);
    }
    for (int i = 0; i < 20; i++) {
      assertRefused(guest.call(TestGuest.READY, credential, READY), 429);
    }
    guest.now.updateAndGet(now -> now.plusMillis(999));
    assertRefused(guest.call(TestGuest.TRADE, "{}"), 429);
    guest.now.updateAndGet(now -> now.plusMillis(1));
    assertThat(guest.call(TestGuest.READY, credential, READY).statusCode()).isEqualTo(204);
    assertThat(guest.events).hasSize(GuestApi.REQUESTS_PER_SECOND_LIMIT + 1);
  }

  @Test
  void aClockThatIsSetBackClosesNothing() throws Exception {
    String credential = guest.trade();
    for (int i = 1; i < GuestApi.REQUESTS_PER_SECOND_LIMIT; i++) {
      assertThat(guest.call(TestGuest.READY, credential, READY).statusCode()).isEqualTo(204);
    }
    guest.now.updateAndGet(now -> now.minus(Duration.ofHours(1)));
    assertThat(guest.call(TestGuest.READY, credential, READY).statusCode()).isEqualTo(204);
  }

  @Test
  void theGuestCannotFillTheLog() throws Exception {
    for (int second = 0; second < 11; second++) {
      for (int i = 0; i < 30; i++) {
        assertRefused(guest.call("/elsewhere", ""), 404);
      }
      guest.now.updateAndGet(now -> now.plusSeconds(1));
    }
    guest.api.close();
    assertThat(guest.logText().lines())
        .hasSize(3)
        .allMatch(line -> line.contains(" warn event=guest-refused reason=unknown-call count="));
    assertThat(guest.logText()).contains("count=1\n", "count=300\n", "count=29\n");
  }

  @Test
  void noSecretEntersTheLog() throws Exception {
    String credential = guest.trade();
    for (String body :
        List.of(
            TestGuest.example("trade-request.json"),
            TestGuest.example("trade-request.json").replace("AAEC", "AAED"),
            TestGuest.example("session-document.json"),
            credential)) {
      guest.call(TestGuest.TRADE, body);
      guest.call(TestGuest.READY, credential, body);
      guest.call(TestGuest.READY, credential + "A", body);
      guest.call("/" + credential + "/" + TestGuest.PASSWORD, credential, body);
    }
    guest.api.close();
    assertThat(guest.logText())
        .contains("bad-body", "wrong-token", "traded-before", "no-credential", "unknown-call");
    assertThat(search(credential)).isEmpty();
    guest.log.warn("planted", "credential", credential, "password", TestGuest.PASSWORD);
    assertThat(search(credential))
        .extracting(SecretSearch.Finding::secret)
        .contains("credential", "password")
        .doesNotContain("boot token", "share password");
  }

  private List<SecretSearch.Finding> search(String credential) {
    return new SecretSearch()
        .add("credential", credential)
        .add("boot token", TestGuest.BOOT_TOKEN)
        .add("password", TestGuest.PASSWORD)
        .add("share password", TestGuest.SHARE_PASSWORD)
        .in("log", guest.logText().getBytes(UTF_8))
        .findings();
  }

  @Test
  void aBodyMayBeAsLongAsTheLimit() throws Exception {
    String credential = guest.trade();
    String longest = READY + " ".repeat(GuestRequest.LIMIT_BYTES - READY.length());
    assertThat(guest.call(TestGuest.READY, credential, longest).statusCode()).isEqualTo(204);
    guest.events.clear();
    assertThat(guest.statusOf(post(TestGuest.READY, credential, longest + " "))).isEqualTo("413");
    assertThat(
            guest.statusOf(
                post(TestGuest.READY, credential, "")
                    .replace(
                        "Content-Length: 0\r\n\r\n",
                        "Transfer-Encoding: chunked\r\n\r\n4001\r\n" + longest + " \r\n0\r\n\r\n")))
        .isEqualTo("413");
    assertThat(guest.events).isEmpty();
    assertThat(guest.call(TestGuest.READY, credential, READY).statusCode()).isEqualTo(204);
  }

  @Test
  void aLineAndHeadersMayBeAsLongAsTheLimit() throws Exception {
    String line = "POST / HTTP/1.1";
    String longestPath = "/" + "x".repeat(GuestApi.LIMITS.lineBytes() - line.length());
    assertThat(guest.statusOf("POST " + longestPath + " HTTP/1.1\r\n\r\n")).isEqualTo("404");
    assertThat(guest.statusOf("POST " + longestPath + "x HTTP/1.1\r\n\r\n")).isIn("431", "");
    String longestHeader = "A: " + "x".repeat(GuestApi.LIMITS.headerBytes() - "A: ".length());
    assertThat(guest.statusOf("POST / HTTP/1.1\r\n" + longestHeader + "\r\n\r\n")).isEqualTo("404");
    assertThat(guest.statusOf("POST / HTTP/1.1\r\n" + longestHeader + "x\r\n\r\n")).isIn("431", "");
    assertThat(guest.trade()).hasSize(43);
  }

  @Test
  void garbageEndsItsConnectionOnly() throws Exception {
    assertThat(guest.exchange("\u0016\u0003\u0001\u0002 garbage\r\n\r\n"))
        .startsWith("HTTP/1.1 400 ");
    assertThat(guest.trade()).hasSize(43);
  }

  /// As Windows PowerShell does with every body.
  @Test
  void aClientMayAskBeforeItSendsTheBody() throws Exception {
    String request = post(TestGuest.TRADE, "", TestGuest.example("trade-request.json"));
    int body = request.indexOf("\r\n\r\n") + 4;
    try (Socket socket = guest.connect()) {
      socket
          .getOutputStream()
          .write(
              request
                  .substring(0, body)
                  .replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n")
                  .getBytes(UTF_8));
      String go = "HTTP/1.1 100 Continue\r\n\r\n";
      assertThat(socket.getInputStream().readNBytes(go.length())).asString().isEqualTo(go);
      socket.getOutputStream().write(request.substring(body).getBytes(UTF_8));
      assertThat(socket.getInputStream().readAllBytes())
          .asString()
          .startsWith("HTTP/1.1 200 ")
          .contains("\r\nconnection: close\r\n");
    }
  }

  @Test
  void aSlowRequestEndsAtItsDeadline() throws Exception {
    HttpLimits impatient =
        new HttpLimits(8192, 8192, GuestRequest.LIMIT_BYTES, Duration.ofSeconds(1), 16);
    assertThat(GuestApi.LIMITS.request()).isEqualTo(Duration.ofSeconds(10));
    try (TestGuest hurried = new TestGuest(impatient)) {
      String request = post(TestGuest.TRADE, "", TestGuest.example("trade-request.json"));
      assertThat(hurried.exchange(request.substring(0, 20))).isEmpty();
      assertThat(hurried.exchange(request.substring(0, request.length() - 1))).isEmpty();
      assertThat(hurried.events).isEmpty();
      assertThat(hurried.exchange(request)).startsWith("HTTP/1.1 200 ");
    }
  }

  @Test
  void anIdleConnectionMakesRoomForTheSeventeenth() throws Exception {
    List<Socket> idle = new ArrayList<>();
    try {
      for (int i = 0; i < 16; i++) {
        idle.add(guest.connect());
      }
      assertThat(guest.trade()).hasSize(43);
      byte[] again =
          post(TestGuest.TRADE, "", TestGuest.example("trade-request.json")).getBytes(UTF_8);
      int answered = 0;
      for (Socket socket : idle) {
        answered += answers(socket, again) ? 1 : 0;
      }
      assertThat(answered).isEqualTo(15);
    } finally {
      for (Socket socket : idle) {
        socket.close();
      }
    }
  }

  private static boolean answers(Socket socket, byte[] request) throws IOException {
    try {
      socket.getOutputStream().write(request);
      return new String(socket.getInputStream().readAllBytes(), UTF_8).startsWith("HTTP/1.1 409 ");
    } catch (SocketException closed) {
      return false;
    }
  }

  @Test
  void nothingAnswersAfterTheEnd() throws Exception {
    try (Socket open = guest.connect()) {
      open.getOutputStream().write("POST ".getBytes(UTF_8));
      assertThat(guest.trade()).hasSize(43);
      guest.api.close();
      assertThat(open.getInputStream().read()).isEqualTo(-1);
    }
    assertThat(catchThrowable(guest::connect)).isInstanceOf(ConnectException.class);
  }

  private static String post(String path, String credential, String body) {
    return "POST "
        + path
        + " HTTP/1.1\r\nHost: 169.254.100.2:54321\r\nContent-Type: application/json\r\n"
        + "Authorization: Bearer "
        + credential
        + "\r\nContent-Length: "
        + body.getBytes(UTF_8).length
        + "\r\n\r\n"
        + body;
  }
}
