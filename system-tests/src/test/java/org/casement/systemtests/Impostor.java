package org.casement.systemtests;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.casement.testkit.Await;

/// A stranger's server on a port where a session was: takes every WebSocket, proves nothing, writes
/// down what it is told.
final class Impostor implements AutoCloseable {
  private static final Pattern KEY = Pattern.compile("(?i)sec-websocket-key: *(\\S+)");

  /// RFC 6455, 1.3.
  private static final String ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

  private static final String PROOF =
      "{\"v\":1,\"nonce\":\"" + "A".repeat(43) + "\",\"proof\":\"" + "B".repeat(43) + "\"}";

  private static final Duration BIND_LIMIT = Duration.ofSeconds(10);

  private final ServerSocket server;
  private final List<ByteArrayOutputStream> heard = new CopyOnWriteArrayList<>();

  private Impostor(ServerSocket server) {
    this.server = server;
  }

  /// On a port that somebody has just left: its kernel side may take a moment longer.
  static Impostor on(int port) {
    Impostor impostor =
        Await.found(
            "port " + port + " is free",
            BIND_LIMIT,
            () -> {
              try {
                ServerSocket server = new ServerSocket();
                server.setReuseAddress(true);
                server.bind(new java.net.InetSocketAddress(InetAddress.getLoopbackAddress(), port));
                return Optional.of(new Impostor(server));
              } catch (IOException e) {
                return Optional.empty();
              }
            });
    Thread.ofVirtual().start(impostor::accept);
    return impostor;
  }

  List<byte[]> heard() {
    return heard.stream()
        .map(
            bytes -> {
              synchronized (bytes) {
                return bytes.toByteArray();
              }
            })
        .toList();
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket client = server.accept();
        Thread.ofVirtual().start(() -> serve(client));
      } catch (IOException e) {
        return;
      }
    }
  }

  private void serve(Socket client) {
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    heard.add(said);
    try (client) {
      InputStream in = client.getInputStream();
      OutputStream out = client.getOutputStream();
      byte[] buffer = new byte[8192];
      boolean upgraded = false;
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        String text;
        synchronized (said) {
          said.write(buffer, 0, n);
          text = said.toString(ISO_8859_1);
        }
        if (!upgraded && text.contains("\r\n\r\n")) {
          Matcher key = KEY.matcher(text);
          if (!key.find()) {
            out.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".getBytes(UTF_8));
            continue;
          }
          out.write(upgrade(key.group(1)).getBytes(UTF_8));
          upgraded = true;
        } else if (upgraded) {
          byte[] proof = PROOF.getBytes(UTF_8); // one text frame of less than 126 bytes
          out.write(new byte[] {(byte) 0x81, (byte) proof.length});
          out.write(proof);
        }
      }
    } catch (IOException e) {
      return; // the browser has gone
    }
  }

  private static String upgrade(String key) {
    try {
      byte[] hash = MessageDigest.getInstance("SHA-1").digest((key + ACCEPT).getBytes(UTF_8));
      return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          + "Sec-WebSocket-Accept: "
          + Base64.getEncoder().encodeToString(hash)
          + "\r\n\r\n";
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() {
    try {
      server.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
