package org.casement.relay;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The limits, each at the limit and one past it, by a client that writes bytes.
class HttpServerTest {
  private static final HttpLimits LIMITS = new HttpLimits(100, 200, 50, Duration.ofSeconds(1), 3);

  /// More than a socket takes at once.
  private static final int SMALL_BUFFER = 64 * 1024;

  private static final int LARGE = 16 << 20;

  private EventLoops loops;
  private HttpServer server;

  @BeforeEach
  void open() throws IOException {
    loops = EventLoops.start(1);
    server =
        HttpServer.bind(
            loops,
            new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 0),
            LIMITS,
            request -> {
              byte[] body = ByteBufUtil.getBytes(request.content());
              return HttpAnswer.of(
                  HttpResponseStatus.OK, "text/plain", Unpooled.wrappedBuffer(body));
            });
  }

  @AfterEach
  void close() {
    server.close();
    loops.close();
  }

  private Socket connect() throws IOException {
    Socket socket = new Socket(server.address().getAddress(), server.address().getPort());
    socket.setSoTimeout(10_000);
    return socket;
  }

  /// All that comes until the server closes.
  private String exchange(String request) throws IOException {
    try (Socket socket = connect()) {
      socket.getOutputStream().write(request.getBytes(ISO_8859_1));
      return new String(socket.getInputStream().readAllBytes(), ISO_8859_1);
    }
  }

  @Test
  void aLineMayBeAsLongAsTheLimit() throws IOException {
    String path = "/" + "x".repeat(100 - "GET / HTTP/1.1".length());
    assertThat(exchange("GET " + path + " HTTP/1.1\r\nConnection: close\r\n\r\n"))
        .startsWith("HTTP/1.1 200 ");
    assertThat(exchange("GET " + path + "x HTTP/1.1\r\nConnection: close\r\n\r\n"))
        .startsWith("HTTP/1.1 431 ");
  }

  /// Its answers would wait in memory for a client that does not read.
  @Test
  void aRequestThatDoesNotWaitForTheAnswerBeforeEndsTheConnection() throws IOException {
    AtomicInteger answered = new AtomicInteger();
    HttpServer large =
        HttpServer.bind(
            loops,
            new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 0),
            LIMITS,
            _ -> {
              answered.incrementAndGet();
              return HttpAnswer.of(
                  HttpResponseStatus.OK, "text/plain", Unpooled.wrappedBuffer(new byte[LARGE]));
            });
    try (Socket socket = new Socket()) {
      // Where tcp_rmem allows it the kernel would take an answer whole from the server at once.
      socket.setReceiveBufferSize(SMALL_BUFFER);
      socket.connect(
          new InetSocketAddress(large.address().getAddress(), large.address().getPort()));
      String request = "GET / HTTP/1.1\r\n\r\n";
      socket.getOutputStream().write(request.getBytes(ISO_8859_1));
      assertThat(socket.getInputStream().readNBytes(LARGE)).hasSize(LARGE);
      byte[] both = (request + request).getBytes(ISO_8859_1);
      socket.getOutputStream().write(both);
      try {
        assertThat(socket.getInputStream().readAllBytes()).hasSizeLessThan(2 * LARGE);
      } catch (SocketException reset) {
        assertThat(reset).hasMessageContaining("reset");
      }
      assertThat(answered).hasValue(2); // the first connection's, and one of the two
    } finally {
      large.close();
    }
  }

  @Test
  void headersMayBeAsLongAsTheLimit() throws IOException {
    String start = "GET / HTTP/1.1\r\nConnection: close\r\nA: ";
    int used = "Connection: closeA: ".length();
    assertThat(exchange(start + "x".repeat(200 - used) + "\r\n\r\n")).startsWith("HTTP/1.1 200 ");
    assertThat(exchange(start + "x".repeat(200 - used + 1) + "\r\n\r\n"))
        .startsWith("HTTP/1.1 431 ");
  }

  @Test
  void aBodyMayBeAsLongAsTheLimit() throws IOException {
    String post = "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: ";
    assertThat(exchange(post + "50\r\n\r\n" + "b".repeat(50)))
        .startsWith("HTTP/1.1 200 ")
        .endsWith("b".repeat(50));
    assertThat(exchange(post + "51\r\n\r\n" + "b".repeat(51))).startsWith("HTTP/1.1 413 ");
    assertThat(
            exchange(
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n33\r\n"
                    + "b".repeat(51)
                    + "\r\n0\r\n\r\n"))
        .startsWith("HTTP/1.1 413 ");
  }

  @Test
  void garbageIsAnsweredAndClosed() throws IOException {
    assertThat(exchange("\u0016\u0003\u0001\u0002 garbage\r\n\r\n")).startsWith("HTTP/1.1 400 ");
    assertThat(exchange("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")).startsWith("HTTP/1.1 200 ");
  }

  @Test
  void slowHeadersEndAtTheDeadline() throws IOException {
    assertThat(exchange("GET / HTTP/1.1\r\nA: ")).isEmpty();
    assertThat(exchange("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nslow")).isEmpty();
  }

  @Test
  void aConnectionIsUsedForManyRequests() throws IOException {
    String get = "GET / HTTP/1.1\r\n\r\n";
    String twice = exchange(get + get);
    assertThat(twice.split("HTTP/1.1 200 ", -1)).hasSize(3);
  }

  @Test
  void aFullListenerMakesRoomForTheNewest() throws IOException {
    List<Socket> idle = new ArrayList<>();
    try {
      for (int i = 0; i < LIMITS.connections(); i++) {
        idle.add(connect());
      }
      assertThat(exchange("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"))
          .startsWith("HTTP/1.1 200 ");
      assertThat(server.connections()).isLessThanOrEqualTo(LIMITS.connections());
      assertThat(idle.getFirst().getInputStream().read()).isEqualTo(-1);
    } finally {
      for (Socket socket : idle) {
        socket.close();
      }
    }
  }
}
