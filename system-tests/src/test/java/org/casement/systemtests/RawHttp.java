package org.casement.systemtests;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.Map;

/// Says exactly these bytes to a listener on 127.0.0.1 and listens for a while.
final class RawHttp {
  private static final Duration LIMIT = Duration.ofSeconds(15);
  private static final int HEARD_BYTES = 256 * 1024;

  private RawHttp() {}

  /// What the other side says until it closes, or until it has said nothing more for `quiet`.
  static String say(int port, String bytes, Duration quiet) {
    ByteArrayOutputStream heard = new ByteArrayOutputStream();
    try (Socket socket = new Socket()) {
      socket.connect(
          new InetSocketAddress(InetAddress.getLoopbackAddress(), port), (int) LIMIT.toMillis());
      socket.setSoTimeout((int) quiet.toMillis());
      socket.getOutputStream().write(bytes.getBytes(ISO_8859_1));
      InputStream in = socket.getInputStream();
      byte[] buffer = new byte[8192];
      for (int n = in.read(buffer); n >= 0 && heard.size() < HEARD_BYTES; n = in.read(buffer)) {
        heard.write(buffer, 0, n);
      }
    } catch (IOException e) {
      // Silence, or a reset by a side that has heard enough: what was heard until then counts.
      return heard.toString(ISO_8859_1);
    }
    return heard.toString(ISO_8859_1);
  }

  /// One request, its connection closed by the server afterwards.
  static String request(
      int port, String method, String path, Map<String, String> headers, String body) {
    StringBuilder text = new StringBuilder(method + " " + path + " HTTP/1.1\r\n");
    text.append("Host: 127.0.0.1:").append(port).append("\r\n");
    headers.forEach((name, value) -> text.append(name).append(": ").append(value).append("\r\n"));
    if (!headers.containsKey("Connection")) {
      text.append("Connection: close\r\n");
    }
    if (!body.isEmpty()) {
      text.append("Content-Length: ").append(body.length()).append("\r\n");
    }
    return say(port, text.append("\r\n").append(body).toString(), Duration.ofSeconds(5));
  }

  /// Asks for a WebSocket; `headers` come on top of what an upgrade needs.
  static String upgrade(int port, String route, Map<String, String> headers) {
    Map<String, String> all = new java.util.LinkedHashMap<>(headers);
    all.put("Connection", "Upgrade, close"); // a refusal closes at once
    all.put("Upgrade", "websocket");
    all.put("Sec-WebSocket-Version", "13");
    all.put("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    return request(port, "GET", "/ws/" + route, all, "");
  }

  static int status(String answer) {
    return answer.startsWith("HTTP/1.1 ") ? Integer.parseInt(answer.substring(9, 12)) : 0;
  }
}
