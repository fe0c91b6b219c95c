package org.casement.systemtests;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.Holdings.Kind;
import org.casement.testkit.Leaks;
import org.casement.testkit.Place;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Whoever reaches a listener, and whoever is root in the guest, says what they like: they are
/// refused, in bounded time, and the session is none the worse.
final class HostileInputTest {
  private static final Duration QUIET = Duration.ofSeconds(5);
  private static final Duration CLEAN_LIMIT = Duration.ofSeconds(30);

  /// contracts/door.md, contracts/guest-api.md: a request's ten seconds, and what a busy machine
  /// adds.
  private static final Duration SLOW_LIMIT = Duration.ofSeconds(20);

  /// contracts/guest-api.md.
  private static final int BODY_LIMIT_BYTES = 16 * 1024;

  private static final int HEADER_LIMIT_BYTES = 8 * 1024;
  private static final int REQUESTS_A_SECOND = 50;

  /// More than a listener serves at a time, less than a process may open files by default (1024).
  private static final int FLOOD = 600;

  private static final String API = "http://169.254.100.2:54321/v1/";

  private static TestUser user;
  private static Session session;
  private static GuestShell guest;
  private static Leaks during;

  @BeforeAll
  static void startSession() {
    user = TestUser.create();
    Leaks leaks = Session.leaks(user);
    session = Session.start(user, Settings.standard().withTestPort());
    guest = session.guestShell();
    session.awaitReady();
    guest.awaitShare("home"); // smbd has a process for it, and the guest may be ready before
    during = leaks.rebased();
  }

  @AfterEach
  void theSessionIsUnharmed() {
    assertThat(session.status()).containsEntry("state", "ready");
    Await.until(
        "the guest API answers",
        SLOW_LIMIT,
        () -> call("heartbeat", CREDENTIAL + BEAT).equals("200"));
    during
        .only(Kind.PROCESSES, Kind.NAMESPACES, Kind.MOUNTS, Kind.SOCKETS, Kind.FILES)
        .awaitBack(CLEAN_LIMIT);
  }

  @AfterAll
  static void endSession() {
    try {
      String beat = lastHeartbeat();
      Await.until(
          "the agent's heartbeat goes on", CLEAN_LIMIT, () -> !lastHeartbeat().equals(beat));
      assertThat(guest.run("cat /run/casement/answer.heartbeat").orFail()).contains("notices");
    } finally {
      guest.close();
      session.close();
      user.close();
    }
  }

  /// When the guest agent was last answered.
  private static String lastHeartbeat() {
    return guest.run("stat -c %Y /run/casement/answer.heartbeat").orFail();
  }

  private static Map<String, Integer> listeners() {
    return Map.of(
        "web", session.link().getPort(), "console", session.console().orElseThrow().getPort());
  }

  // From the node.

  private static Map<String, String> garbage() {
    Map<String, String> garbage = new LinkedHashMap<>();
    StringBuilder bytes = new StringBuilder();
    for (int i = 0; i < 4096; i++) {
      bytes.append((char) (i * 167 + i / 256 & 0xff));
    }
    garbage.put("bytes", bytes.toString());
    garbage.put("line ends", "\r\n".repeat(5000));
    garbage.put("a line without end", "GET /" + "a".repeat(100_000));
    garbage.put(
        "a line too long",
        "GET /" + "a".repeat(HEADER_LIMIT_BYTES) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    garbage.put(
        "headers too long",
        "GET / HTTP/1.1\r\nHost: x\r\nX: " + "a".repeat(HEADER_LIMIT_BYTES) + "\r\n\r\n");
    garbage.put("no version", "GET /\r\n\r\n");
    garbage.put("another protocol", "SSH-2.0-OpenSSH_9.9\r\n");
    garbage.put(
        "TLS", "\u0016\u0003\u0001\u0001\u0000\u0001\u0000\u0000\u00fc\u0003\u0003" + bytes);
    garbage.put("RDP", "\u0003\u0000\u0000\u0013\u000e\u00e0\u0000\u0000\u0000\u0000\u0000\u0001");
    garbage.put("VNC", "RFB 003.008\n\u0001");
    garbage.put("two lengths", entry("Content-Length: 5\r\nContent-Length: 50", "{}"));
    garbage.put(
        "a length and chunks", entry("Content-Length: 4\r\nTransfer-Encoding: chunked", "zz\r\n"));
    garbage.put("a negative length", entry("Content-Length: -1", ""));
    garbage.put("a path out of the pages", "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n");
    garbage.put("an encoded path out", "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n");
    garbage.put("a body too large", entry("Content-Length: 100000", "x".repeat(100_000)));
    return garbage;
  }

  private static String entry(String length, String body) {
    return "POST /enter HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n\r\n%s"
        .formatted(length, body);
  }

  @Test
  void garbageToAListenerIsRefusedAndTheNextRequestIsAnswered() {
    listeners()
        .forEach(
            (listener, port) -> {
              garbage()
                  .forEach(
                      (what, bytes) -> {
                        String answer = RawHttp.say(port, bytes, Duration.ofMillis(500));
                        int status = RawHttp.status(answer);
                        assertThat(status == 0 || (status >= 300 && status < 500))
                            .as("%s to %s: %s", what, listener, answer)
                            .isTrue();
                        assertThat(answer).doesNotContain("root:", "Exception", "\tat ");
                      });
              assertThat(RawHttp.status(RawHttp.request(port, "GET", "/", Map.of(), "")))
                  .as(listener)
                  .isEqualTo(200);
            });
  }

  @Test
  void aFrameBeforeTheProofIsNotRelayed() {
    // Without cookie there is no WebSocket, so what follows is HTTP to be refused.
    listeners()
        .forEach(
            (listener, port) -> {
              for (String route : List.of("events", "rdp", "vnc")) {
                assertThat(
                        RawHttp.status(
                            RawHttp.upgrade(
                                port, route, Map.of("Origin", "http://127.0.0.1:" + port))))
                    .as("%s of %s", route, listener)
                    .isIn(403, 404);
              }
            });
    session.awaitLog("event=refused reason=no-cookie", CLEAN_LIMIT);
  }

  @Test
  void aFloodOfConnectionsKeepsTheOwnerOutOfNoListener() throws IOException {
    for (Map.Entry<String, Integer> listener : listeners().entrySet()) {
      List<Socket> flood = new ArrayList<>();
      try {
        for (int i = 0; i < FLOOD; i++) {
          Socket socket = new Socket(InetAddress.getLoopbackAddress(), listener.getValue());
          socket.getOutputStream().write("GET / HTTP/1.1\r\n".getBytes(ISO_8859_1));
          flood.add(socket);
        }
        String token =
            listener.getKey().equals("web")
                ? session.anotherLink().getFragment()
                : session.anotherLink("--console").getFragment();
        String entered =
            RawHttp.request(
                listener.getValue(),
                "POST",
                "/enter",
                Map.of("Content-Type", "application/json"),
                "{\"token\": \"%s\"}".formatted(token.substring("t=".length())));
        assertThat(RawHttp.status(entered)).as(listener.getKey()).isEqualTo(200);
      } finally {
        for (Socket socket : flood) {
          socket.close();
        }
      }
    }
    // No descriptor stays behind.
    during.only(Kind.DESCRIPTORS).exceptFor("(qemu-system-x86|smbd) .*").awaitBack(CLEAN_LIMIT);
  }

  @Test
  void aSlowRequestIsCutOffAndOneThatTakesItsTimeIsAnswered() {
    List<Trickle> slow = new ArrayList<>();
    listeners()
        .values()
        .forEach(
            port -> {
              slow.add(Trickle.start(port, "GET / HTTP/1.1\r\nX: "));
              slow.add(Trickle.start(port, entry("Content-Length: 4000", "")));
            });
    // The twin: in two pieces, a second apart.
    listeners()
        .values()
        .forEach(port -> assertThat(RawHttp.status(inTwoPieces(port))).isEqualTo(200));
    slow.forEach(Trickle::awaitCut);
  }

  private static String inTwoPieces(int port) {
    try (Socket socket = connect(port)) {
      OutputStream out = socket.getOutputStream();
      out.write("GET / HTTP/1.1\r\nHost: x\r\n".getBytes(ISO_8859_1));
      socket.setSoTimeout(1000);
      assertThat(silence(socket)).isTrue();
      out.write("Connection: close\r\n\r\n".getBytes(ISO_8859_1));
      socket.setSoTimeout((int) QUIET.toMillis());
      return new String(socket.getInputStream().readAllBytes(), ISO_8859_1);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private static Socket connect(int port) throws IOException {
    Socket socket = new Socket();
    socket.connect(
        new InetSocketAddress(InetAddress.getLoopbackAddress(), port), (int) QUIET.toMillis());
    return socket;
  }

  private static boolean silence(Socket socket) throws IOException {
    try {
      return socket.getInputStream().read() == Integer.MIN_VALUE;
    } catch (java.net.SocketTimeoutException e) {
      return true;
    }
  }

  /// A request that never gets finished, a byte every half second.
  private static final class Trickle {
    private static final int PAUSE_MS = 500;

    private volatile boolean cut;

    static Trickle start(int port, String beginning) {
      Trickle trickle = new Trickle();
      Thread.ofVirtual().start(() -> trickle.run(port, beginning));
      return trickle;
    }

    private void run(int port, String beginning) {
      try (Socket socket = connect(port)) {
        socket.setSoTimeout(PAUSE_MS);
        OutputStream out = socket.getOutputStream();
        InputStream in = socket.getInputStream();
        out.write(beginning.getBytes(ISO_8859_1));
        boolean open = true;
        while (open) {
          try {
            open = in.read() >= 0;
          } catch (java.net.SocketTimeoutException e) {
            out.write('x');
          }
        }
      } catch (IOException e) {
        // cut by a reset
      }
      cut = true;
    }

    void awaitCut() {
      Await.until("the slow request is cut off", SLOW_LIMIT, () -> cut);
    }
  }

  // From the guest, as its root.

  /// The HTTP status, 000 if the connection was closed without one.
  private static String call(String name, String more) {
    return guest
        .run(
            "curl --silent --max-time 15 -o /tmp/answer -w '%{http_code}' -X POST"
                + " -H 'Content-Type: application/json' "
                + more
                + " "
                + API
                + name
                + "; true")
        .orFail()
        .strip();
  }

  private static final String CREDENTIAL = " -H @/run/casement/authorization ";
  private static final String BEAT = " -d '{\"idleSeconds\": 5, \"seen\": 0}' ";

  @Test
  void theBootTokenTradesOnceAndNoOtherTradesAtAll() {
    String token = guest.run(BOOT_TOKEN).orFail().strip();
    assertThat(token).matches("casement:1:[A-Za-z0-9_-]{43}");
    assertThat(call("trade", "-d '{\"token\": \"%s\", \"agent\": \"x\"}'".formatted(token)))
        .isEqualTo("409");
    String wrong = token.substring(0, token.length() - 4) + "AAAA";
    assertThat(call("trade", "-d '{\"token\": \"%s\", \"agent\": \"x\"}'".formatted(wrong)))
        .isEqualTo("403");
    assertThat(guest.run("cat /tmp/answer").orFail()).contains("error").doesNotContain("password");
    session.awaitLog("event=guest-refused", CLEAN_LIMIT);
  }

  /// As the guest agent reads it.
  static final String BOOT_TOKEN =
      "cat /sys/firmware/dmi/entries/11-*/raw | tail -c +6 | tr '\\0' '\\n' | grep -m1 '^casement:1:'";

  @Test
  void noCallButTheTradeGoesWithoutTheCredential() {
    for (String name : List.of("progress", "ready", "heartbeat")) {
      assertThat(call(name, BEAT)).as(name).isEqualTo("401");
      assertThat(call(name, BEAT + "-H 'Authorization: Bearer " + "A".repeat(43) + "'"))
          .as(name)
          .isEqualTo("401");
    }
    assertThat(call("heartbeat", BEAT + CREDENTIAL)).isEqualTo("200");
    assertThat(call("nothing", BEAT + CREDENTIAL)).isEqualTo("404");
  }

  @Test
  void aMalformedBodyIsRefused() {
    for (String body :
        List.of(
            "",
            "{",
            "[]",
            "null",
            "{\"idleSeconds\": \"x\", \"seen\": 0}",
            "{\"idleSeconds\": 1e99, \"seen\": 0}",
            "{\"idleSeconds\": 5, \"seen\": {}}",
            "[".repeat(5000),
            "{\"a\":".repeat(1500))) {
      assertThat(call("heartbeat", CREDENTIAL + "-d '" + body + "'")).as(body).isEqualTo("400");
    }
    assertThat(call("progress", CREDENTIAL + "-d '{\"code\": \"sudo\", \"text\": \"x\"}'"))
        .isEqualTo("400");
    // Unknown members are how the contract grows.
    assertThat(
            call("heartbeat", CREDENTIAL + "-d '{\"idleSeconds\": 5, \"seen\": 0, \"mood\": 1}'"))
        .isEqualTo("200");
    session.awaitLog("event=guest-refused", CLEAN_LIMIT);
  }

  @Test
  void aBodyOfTheLimitIsTakenAndOneByteMoreIsNot() {
    String frame = "{\"idleSeconds\": 5, \"seen\": 0, \"x\": \"\"}";
    String make =
        "{ printf '%%s' '{\"idleSeconds\": 5, \"seen\": 0, \"x\": \"'; head -c %d /dev/zero | tr '\\0' a; printf '\"}'; } >/tmp/body";
    int room = BODY_LIMIT_BYTES - frame.length();
    guest.run(make.formatted(room)).orFail();
    assertThat(guest.run("stat -c %s /tmp/body").orFail().strip())
        .isEqualTo(Integer.toString(BODY_LIMIT_BYTES));
    assertThat(call("heartbeat", CREDENTIAL + "--data-binary @/tmp/body")).isEqualTo("200");
    guest.run(make.formatted(room + 1)).orFail();
    assertThat(call("heartbeat", CREDENTIAL + "--data-binary @/tmp/body")).isIn("413", "000");
    guest.run("head -c 3000000 /dev/zero >/tmp/body").orFail();
    assertThat(call("heartbeat", CREDENTIAL + "--data-binary @/tmp/body")).isIn("413", "000");
    assertThat(
            call("heartbeat", CREDENTIAL + "-H 'X: " + "a".repeat(HEADER_LIMIT_BYTES) + "'" + BEAT))
        .isIn("431", "000");
  }

  @Test
  void aSlowBodyIsCutOff() {
    Command.Outcome slow =
        guest.run(
            """
            start=$(cut -d. -f1 /proc/uptime)
            { printf 'POST /v1/heartbeat HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\nContent-Length: 4000\\r\\n\\r\\n'
              while :; do printf x || exit; sleep 1; done; } 2>/dev/null |
              timeout 60 socat -t0 - TCP4:169.254.100.2:54321 >/tmp/slow 2>&1
            echo took $(($(cut -d. -f1 /proc/uptime) - start))
            """);
    int took = Integer.parseInt(slow.out().strip().replaceFirst("(?s).*took ", ""));
    assertThat(took).as(slow.out()).isLessThanOrEqualTo((int) SLOW_LIMIT.toSeconds());
  }

  @Test
  void garbageAndFloodsFromTheGuestAreOutlived() {
    guest
        .run(
            """
            for i in 1 2 3 4 5 6; do
              head -c 100000 /dev/urandom | timeout 5 socat -t1 - TCP4:169.254.100.2:54321 >/dev/null 2>&1
            done
            for i in $(seq 40); do timeout 15 socat -u TCP4:169.254.100.2:54321 /dev/null 2>/dev/null & done
            sleep 3; true
            """)
        .orFail();
    // Sixteen connections at a time, the oldest gives way.
    assertThat(call("heartbeat", CREDENTIAL + BEAT)).isEqualTo("200");
  }

  /// So fast that an emulated guest could not: from beside it, in the session's own network.
  private static final String FLOOD_SCRIPT =
      """
      use IO::Socket::INET;
      my %%seen;
      for (1 .. %d) {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:54321', Timeout => 5) or next;
        print $s "POST /v1/nothing HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\nContent-Length: 2\\r\\n\\r\\n{}";
        my $line = <$s> // '';
        $seen{(split / /, $line)[1] // 'none'}++;
      }
      print join ' ', map { "$_=$seen{$_}" } sort keys %%seen;
      sleep 2; # The next test has the whole second's requests to itself.
      """
          .formatted(4 * REQUESTS_A_SECOND);

  @Test
  void moreRequestsThanFiftyASecondAreRefused() {
    Place beside = Place.inside(session.supervisor(), user, "net", "user");
    String seen =
        Command.run(beside.process(List.of("/usr/bin/perl", "-e", FLOOD_SCRIPT)), "", CLEAN_LIMIT)
            .orFail();
    assertThat(seen).contains("404=").contains("429=");
    int answered = Integer.parseInt(seen.replaceFirst(".*404=([0-9]+).*", "$1"));
    assertThat(answered).isGreaterThan(REQUESTS_A_SECOND / 2);
  }

  @Test
  void whatTheGuestSaysForgesNoLineOfTheLog() {
    String forged = "2026-11-24T00:00:00Z info event=state state=ended";
    assertThat(
            call(
                "progress",
                CREDENTIAL
                    + "-d '{\"code\": \"started\", \"text\": \"x\\n"
                    + forged
                    + "\\u0007\"}'"))
        .isEqualTo("204");
    assertThat(
            call(
                "progress",
                CREDENTIAL
                    + "-d '{\"code\": \"started\", \"text\": \""
                    + "long ".repeat(200)
                    + "\"}'"))
        .isEqualTo("204");
    assertThat(session.log().lines()).noneMatch(line -> line.startsWith(forged));
    assertThat(session.log()).doesNotContain("long ".repeat(41));
  }
}
