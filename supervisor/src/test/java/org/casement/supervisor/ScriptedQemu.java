package org.casement.supervisor;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/// A socket in QEMU's place, for what a sound QEMU never does. Serves one client, and hangs up when
/// its script ends.
final class ScriptedQemu implements AutoCloseable {
  static final String GREETING =
      "{\"QMP\":{\"version\":{\"qemu\":{\"major\":7,\"minor\":2,\"micro\":22}},\"capabilities\":[]}}";

  private final ServerSocketChannel server;
  private final Thread player;

  interface Script {
    void play(Client client) throws IOException;
  }

  /// What the script speaks with.
  record Client(BufferedReader in, OutputStream out) {
    void say(String text) throws IOException {
      out.write((text + "\r\n").getBytes(UTF_8));
    }

    String hear() throws IOException {
      String line = in.readLine();
      if (line == null) {
        throw new EOFException();
      }
      return line;
    }

    /// Up to the point where commands are taken; the client's next id is 1.
    void greet() throws IOException {
      say(GREETING);
      hear();
      answer(0);
    }

    void answer(long id) throws IOException {
      say("{\"return\":{},\"id\":" + id + "}");
    }

    void event(String filler) throws IOException {
      say(ScriptedQemu.event(filler));
    }

    /// Reads on, and says nothing, until the client hangs up.
    void ignore() throws IOException {
      while (in.read() >= 0) {
        // go on
      }
    }
  }

  ScriptedQemu(Path socket, Script script) throws IOException {
    server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(UnixDomainSocketAddress.of(socket));
    player = Thread.ofVirtual().name("scripted QEMU").start(() -> play(script));
  }

  /// One line of an event.
  static String event(String filler) {
    return "{\"timestamp\":{\"seconds\":0,\"microseconds\":0},\"event\":\"E\",\"data\":{\"filler\":\""
        + filler
        + "\"}}";
  }

  private void play(Script script) {
    try (SocketChannel client = server.accept()) {
      script.play(
          new Client(
              new BufferedReader(new InputStreamReader(Channels.newInputStream(client), UTF_8)),
              Channels.newOutputStream(client)));
    } catch (IOException e) {
      return; // the client hung up: the test asks it why
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
    player.interrupt();
    try {
      player.join();
    } catch (InterruptedException e) {
      throw new InterruptedIOException();
    }
  }
}
