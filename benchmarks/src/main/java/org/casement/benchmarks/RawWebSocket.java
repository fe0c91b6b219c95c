package org.casement.benchmarks;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.util.Locale;

/// As little WebSocket client (RFC 6455) as costs nothing beside what it measures: it reads frames
/// and throws them away.
final class RawWebSocket implements AutoCloseable {
  private static final int BUFFER_BYTES = 1 << 18;
  private static final int TEXT = 0x81;
  private static final int BINARY = 0x82;
  private static final int OPCODE = 0x0f;
  private static final int OPCODE_PING = 9;
  private static final int MASKED = 0x80;
  private static final int SHORT_LENGTH = 126;
  private static final int LONG_LENGTH = 127;

  private final Socket socket;
  private final DataInputStream in;
  private final byte[] waste = new byte[BUFFER_BYTES];

  /// What is left of the frame being read.
  private long open;

  private RawWebSocket(Socket socket) throws IOException {
    this.socket = socket;
    this.in = new DataInputStream(new BufferedInputStream(socket.getInputStream(), BUFFER_BYTES));
  }

  /// @param headers further request headers, each with its line end
  static RawWebSocket connect(int port, String path, String headers) throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setTcpNoDelay(true);
    String request =
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: http://127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n"
            .formatted(path, port, port, headers);
    socket.getOutputStream().write(request.getBytes(US_ASCII));
    RawWebSocket webSocket = new RawWebSocket(socket);
    StringBuilder answer = new StringBuilder();
    while (answer.indexOf("\r\n\r\n") < 0) {
      answer.append((char) webSocket.in.readUnsignedByte());
    }
    if (!answer.toString().toUpperCase(Locale.ROOT).startsWith("HTTP/1.1 101")) {
      throw new IOException("refused: " + answer);
    }
    return webSocket;
  }

  void send(String text) throws IOException {
    byte[] bytes = text.getBytes(UTF_8);
    frame(TEXT, bytes, bytes.length);
  }

  void send(byte[] bytes) throws IOException {
    frame(BINARY, bytes, bytes.length);
  }

  /// Sends so many bytes of nothing in messages of `atOnce`.
  void fill(long bytes, int atOnce) throws IOException {
    byte[] message = framed(BINARY, new byte[atOnce], atOnce);
    for (long left = bytes; left > 0; left -= atOnce) {
      socket.getOutputStream().write(message);
    }
  }

  private void frame(int head, byte[] bytes, int length) throws IOException {
    socket.getOutputStream().write(framed(head, bytes, length));
  }

  /// Masked with zeros, which no server can know.
  private static byte[] framed(int head, byte[] bytes, int length) {
    int extra = length < SHORT_LENGTH ? 0 : length < 1 << 16 ? 2 : 8;
    byte[] frame = new byte[2 + extra + 4 + length];
    frame[0] = (byte) head;
    frame[1] = (byte) (MASKED | (extra == 0 ? length : extra == 2 ? SHORT_LENGTH : LONG_LENGTH));
    for (int i = 0; i < extra; i++) {
      frame[2 + i] = (byte) ((long) length >> (8 * (extra - 1 - i)));
    }
    System.arraycopy(bytes, 0, frame, 2 + extra + 4, length);
    return frame;
  }

  String nextText() throws IOException {
    head();
    byte[] text = in.readNBytes((int) open);
    open = 0;
    return new String(text, UTF_8);
  }

  /// Reads and forgets so many bytes of content.
  void drain(long bytes) throws IOException {
    long left = bytes;
    while (left > 0) {
      if (open == 0) {
        head();
      }
      int read = in.read(waste, 0, (int) Math.min(waste.length, Math.min(open, left)));
      if (read < 0) {
        throw new IOException("the stream ended");
      }
      open -= read;
      left -= read;
    }
  }

  private void head() throws IOException {
    int opcode = in.readUnsignedByte() & OPCODE;
    int length = in.readUnsignedByte();
    open =
        length == SHORT_LENGTH
            ? in.readUnsignedShort()
            : length == LONG_LENGTH ? in.readLong() : length;
    if (opcode == OPCODE_PING) {
      in.skipNBytes(open);
      head();
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
