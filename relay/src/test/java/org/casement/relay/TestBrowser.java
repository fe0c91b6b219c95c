package org.casement.relay;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.casement.protocol.door.DoorProof;
import org.casement.session.Secret;
import org.jspecify.annotations.Nullable;

/// A browser with one tab: speaks the page's side of contracts/door.md. Every wait has a deadline.
public final class TestBrowser {
  public static final String NONCE = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
  private static final int DEADLINE_SECONDS = 10;

  private final HttpClient client = HttpClient.newHttpClient();
  private final InetSocketAddress address;
  public String prefix = "/";
  String origin;
  public String cookie = "";
  public String tab = "";
  public String secret = "";

  public TestBrowser(InetSocketAddress address) {
    this.address = address;
    this.origin = "http://127.0.0.1:" + address.getPort();
  }

  HttpRequest.Builder request(String path) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + address.getPort() + prefix + path))
            .timeout(Duration.ofSeconds(DEADLINE_SECONDS));
    return cookie.isEmpty() ? request : request.header("Cookie", cookie);
  }

  HttpResponse<String> send(HttpRequest.Builder request) throws IOException, InterruptedException {
    return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  public HttpResponse<String> get(String path) throws IOException, InterruptedException {
    return send(request(path));
  }

  HttpResponse<String> post(String type, String body) throws IOException, InterruptedException {
    return send(
        request("enter")
            .header("Content-Type", type)
            .header("Origin", origin)
            .POST(HttpRequest.BodyPublishers.ofString(body)));
  }

  public HttpResponse<String> enter(String token) throws IOException, InterruptedException {
    HttpResponse<String> answer = post("application/json", "{\"token\":\"" + token + "\"}");
    if (answer.statusCode() == 200) {
      Map<String, Object> entry = JSON.std.mapFrom(answer.body());
      tab = String.valueOf(entry.get("tab"));
      secret = String.valueOf(entry.get("secret"));
      answer
          .headers()
          .firstValue("Set-Cookie")
          .ifPresent(setCookie -> cookie = setCookie.substring(0, setCookie.indexOf(';')));
    }
    return answer;
  }

  /// Opens `ws/ROUTE` without proving anything; throws where the upgrade is refused.
  public Socket connect(String route) throws InterruptedException, IOException {
    Socket socket = new Socket(route);
    WebSocket.Builder builder = client.newWebSocketBuilder();
    if (!cookie.isEmpty()) {
      builder.header("Cookie", cookie);
    }
    if (!origin.isEmpty()) {
      builder.header("Origin", origin);
    }
    URI uri = URI.create("ws://127.0.0.1:" + address.getPort() + prefix + "ws/" + route);
    try {
      socket.webSocket = builder.buildAsync(uri, socket).get(DEADLINE_SECONDS, TimeUnit.SECONDS);
    } catch (java.util.concurrent.ExecutionException refused) {
      throw new IOException("refused", refused.getCause());
    } catch (java.util.concurrent.TimeoutException slow) {
      throw new IOException("no answer", slow);
    }
    return socket;
  }

  /// Opens `ws/ROUTE` and proves the tab secret.
  public Socket open(String route) throws IOException, InterruptedException {
    Socket socket = connect(route);
    String proof = socket.hello();
    socket.send("{\"proof\":\"" + proof + "\"}");
    socket.expect("{\"ok\":true}");
    return socket;
  }

  public final class Socket implements WebSocket.Listener {
    private final String route;
    private final BlockingQueue<String> texts = new LinkedBlockingQueue<>();
    private final BlockingQueue<byte[]> binaries = new LinkedBlockingQueue<>();
    private final CompletableFuture<Integer> closed = new CompletableFuture<>();
    private volatile @Nullable WebSocket webSocket;
    private final StringBuilder partial = new StringBuilder();

    /// While set, at most one more message is taken from the network.
    private volatile boolean stalled;

    public volatile String closeReason = "";

    Socket(String route) {
      this.route = route;
    }

    /// Sends message 1, checks the connector's proof, and gives the page's own.
    public String hello() throws IOException, InterruptedException {
      send("{\"v\":1,\"tab\":\"" + tab + "\",\"nonce\":\"" + NONCE + "\"}");
      Map<String, Object> answer = JSON.std.mapFrom(next());
      String nonce = String.valueOf(answer.get("nonce"));
      DoorProof proof = new DoorProof(Secret.ofBase64url(secret), route, NONCE, nonce);
      if (!proof.ofConnector().equals(answer.get("proof"))) {
        throw new IOException("somebody else answers here");
      }
      return proof.ofPage();
    }

    public void send(String text) {
      webSocket().sendText(text, true).join();
    }

    public void send(byte[] binary) {
      webSocket().sendBinary(ByteBuffer.wrap(binary), true).join();
    }

    public void stall() {
      stalled = true;
    }

    public void resume() {
      stalled = false;
      webSocket().request(1);
    }

    /// The next binary message.
    public byte[] nextBytes() throws IOException, InterruptedException {
      byte[] bytes = binaries.poll(DEADLINE_SECONDS, TimeUnit.SECONDS);
      if (bytes == null) {
        throw new IOException("no message");
      }
      return bytes;
    }

    public void close() {
      webSocket().sendClose(WebSocket.NORMAL_CLOSURE, "").join();
    }

    public void abort() {
      webSocket().abort();
    }

    public String next() throws IOException, InterruptedException {
      String text = texts.poll(DEADLINE_SECONDS, TimeUnit.SECONDS);
      if (text == null) {
        throw new IOException("no message");
      }
      return text;
    }

    public void expect(String text) throws IOException, InterruptedException {
      String next = next();
      if (!next.equals(text)) {
        throw new IOException("expected " + text + ", not " + next);
      }
    }

    public int closeCode() throws IOException, InterruptedException {
      try {
        return closed.get(DEADLINE_SECONDS, TimeUnit.SECONDS);
      } catch (java.util.concurrent.ExecutionException | java.util.concurrent.TimeoutException e) {
        throw new IOException("not closed in order", e);
      }
    }

    private WebSocket webSocket() {
      return java.util.Objects.requireNonNull(webSocket);
    }

    @Override
    public @Nullable CompletionStage<?> onText(WebSocket source, CharSequence data, boolean last) {
      partial.append(data);
      if (last) {
        texts.add(partial.toString());
        partial.setLength(0);
      }
      if (!stalled) {
        source.request(1);
      }
      return null;
    }

    @Override
    public @Nullable CompletionStage<?> onBinary(WebSocket source, ByteBuffer data, boolean last) {
      byte[] bytes = new byte[data.remaining()];
      data.get(bytes);
      binaries.add(bytes);
      if (!stalled) {
        source.request(1);
      }
      return null;
    }

    @Override
    public @Nullable CompletionStage<?> onClose(WebSocket source, int code, String reason) {
      closeReason = reason;
      closed.complete(code);
      return null;
    }

    @Override
    public void onError(WebSocket source, Throwable error) {
      closed.completeExceptionally(error);
    }
  }
}
