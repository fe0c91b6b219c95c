package org.casement.guestapi;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;
import org.casement.protocol.guestapi.SessionDocument;
import org.casement.relay.EventLoops;
import org.casement.relay.HttpLimits;
import org.casement.session.EventLog;
import org.casement.session.Secret;
import org.casement.session.SessionId;

/// A guest API with the values of the contract's examples, a guest that speaks to it, and a clock
/// that only moves when told.
final class TestGuest implements AutoCloseable {
  static final String TRADE = "/v1/trade";
  static final String PROGRESS = "/v1/progress";
  static final String READY = "/v1/ready";
  static final String HEARTBEAT = "/v1/heartbeat";
  static final String PASSWORD = "Xk29sPqLmW8vTzR4nBc7YdFg";
  static final String SHARE_PASSWORD = "Qw3rTy7uIoPaSdFgHjKlZxCv";
  static final String BOOT_TOKEN = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

  final AtomicReference<Instant> now = new AtomicReference<>(Instant.parse("2026-11-24T08:00:00Z"));
  final Queue<GuestEvent> events = new ConcurrentLinkedQueue<>();
  final ByteArrayOutputStream logged = new ByteArrayOutputStream();
  final EventLog log = new EventLog(new PrintStream(logged, true, UTF_8), now::get);
  final GuestApi api;
  private final EventLoops loops = EventLoops.start(2);
  private final HttpClient client = HttpClient.newHttpClient();

  TestGuest() throws IOException {
    this(GuestApi.LIMITS);
  }

  TestGuest(HttpLimits limits) throws IOException {
    this.api =
        new GuestApi(
            loops,
            new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 0),
            limits,
            Secret.ofBase64url(BOOT_TOKEN),
            document(),
            events::add,
            now::get,
            new SecureRandom(),
            log);
  }

  private static SessionDocument document() {
    return new SessionDocument(
        new SessionId("k3x9pq2m"),
        "9f86d081884c7d65",
        new SessionDocument.Account("user", new Secret(PASSWORD.getBytes(UTF_8))),
        new SessionDocument.Account("alice", new Secret(SHARE_PASSWORD.getBytes(UTF_8))),
        List.of(
            new SessionDocument.Share("home", "\\\\169.254.100.2\\home", "H:"),
            new SessionDocument.Share("project", "\\\\169.254.100.2\\project", "P:")),
        ZoneId.of("Europe/Berlin"),
        Optional.of(new SessionDocument.Size(1280, 800)));
  }

  /// A file of the contract.
  static String example(String name) throws IOException {
    return Files.readString(Path.of("../contracts/guest-api", name));
  }

  HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + api.address().getPort() + path))
        .timeout(Duration.ofSeconds(10));
  }

  HttpResponse<String> send(HttpRequest request) throws IOException, InterruptedException {
    return client.send(request, BodyHandlers.ofString());
  }

  /// A call without a credential.
  HttpResponse<String> call(String path, String body) throws IOException, InterruptedException {
    return send(
        request(path)
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString(body))
            .build());
  }

  HttpResponse<String> call(String path, String credential, String body)
      throws IOException, InterruptedException {
    return send(
        request(path)
            .header("Content-Type", "application/json")
            .header("Authorization", "Bearer " + credential)
            .POST(BodyPublishers.ofString(body))
            .build());
  }

  /// The credential of a trade that must succeed.
  String trade() throws IOException, InterruptedException {
    HttpResponse<String> answer = call(TRADE, example("trade-request.json"));
    if (answer.statusCode() != 200) {
      throw new IOException("no trade: " + answer.statusCode() + " " + answer.body());
    }
    Map<String, Object> document = JSON.std.mapFrom(answer.body());
    return String.valueOf(document.get("credential"));
  }

  Socket connect() throws IOException {
    Socket socket = new Socket(api.address().getAddress(), api.address().getPort());
    socket.setSoTimeout(20_000);
    return socket;
  }

  /// Sends bytes, and says all that comes until the server closes.
  String exchange(String request) throws IOException {
    try (Socket socket = connect()) {
      socket.getOutputStream().write(request.getBytes(ISO_8859_1));
      return new String(socket.getInputStream().readAllBytes(), ISO_8859_1);
    }
  }

  /// Sends bytes, and says the status of the answer; nothing if the server closed without one, or
  /// with bytes unread, which takes the answer along.
  String statusOf(String request) throws IOException {
    try (Socket socket = connect()) {
      socket.getOutputStream().write(request.getBytes(ISO_8859_1));
      String start = "HTTP/1.1 431";
      byte[] answer = socket.getInputStream().readNBytes(start.length());
      return new String(answer, ISO_8859_1).replace("HTTP/1.1 ", "");
    } catch (SocketException closed) {
      return "";
    }
  }

  String logText() {
    return logged.toString(UTF_8);
  }

  @Override
  public void close() {
    client.close();
    api.close();
    loops.close();
  }
}
