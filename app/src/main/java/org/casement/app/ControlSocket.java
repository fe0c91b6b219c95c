package org.casement.app;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.function.Function;

/// How the user's own commands (`casement link`, `status`, `stop`) talk to their session: one line
/// of text there, one line of JSON back, over a unix socket in the runtime directory, which only
/// the user can enter.
final class ControlSocket implements AutoCloseable {
  private static final String NAME = "control";
  private static final int REQUEST_LIMIT_BYTES = 64;
  private static final int ANSWER_LIMIT_BYTES = 64 * 1024;
  private static final int CONNECTIONS_LIMIT = 8;
  private static final Duration ASK_LIMIT = Duration.ofSeconds(5);

  private static final Duration ACCEPT_PAUSE = Duration.ofMillis(100);

  private final ServerSocketChannel server;
  private final Function<String, Map<String, Object>> answer;
  private final Semaphore places = new Semaphore(CONNECTIONS_LIMIT);

  private ControlSocket(ServerSocketChannel server, Function<String, Map<String, Object>> answer) {
    this.server = server;
    this.answer = answer;
  }

  /// Listens in `runtime`; `answer` gets the command's name.
  static ControlSocket open(Path runtime, Function<String, Map<String, Object>> answer)
      throws IOException {
    ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(UnixDomainSocketAddress.of(runtime.resolve(NAME)));
    ControlSocket control = new ControlSocket(server, answer);
    Thread.ofVirtual().name("control").start(control::accept);
    return control;
  }

  /// Asks the session whose runtime directory this is.
  ///
  /// @throws IOException where nothing answers there
  static Map<String, Object> ask(Path runtime, String command) throws IOException {
    try (SocketChannel channel =
        SocketChannel.open(UnixDomainSocketAddress.of(runtime.resolve(NAME)))) {
      Thread limit = Thread.ofVirtual().start(() -> closeAfter(channel, ASK_LIMIT));
      OutputStream out = Channels.newOutputStream(channel);
      out.write((command + "\n").getBytes(UTF_8));
      out.flush();
      String answer = readLine(Channels.newInputStream(channel), ANSWER_LIMIT_BYTES);
      limit.interrupt();
      return JSON.std.mapFrom(answer);
    }
  }

  /// A session that was stopped (SIGSTOP) accepts and never answers.
  private static void closeAfter(SocketChannel channel, Duration limit) {
    try {
      Thread.sleep(limit);
      channel.close();
    } catch (InterruptedException | IOException e) {
      return; // answered
    }
  }

  private void accept() {
    while (server.isOpen()) {
      try {
        SocketChannel channel = server.accept();
        if (places.tryAcquire()) {
          Thread.ofVirtual().name("control-answer").start(() -> serve(channel));
        } else {
          channel.close();
        }
      } catch (IOException e) {
        pause(); // closed because the session has ended; or no descriptor was left just now
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(ACCEPT_PAUSE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void serve(SocketChannel channel) {
    try (channel) {
      String command = readLine(Channels.newInputStream(channel), REQUEST_LIMIT_BYTES);
      OutputStream out = Channels.newOutputStream(channel);
      out.write((JSON.std.asString(answer.apply(command)) + "\n").getBytes(UTF_8));
      out.flush();
    } catch (IOException e) {
      return; // the asker has gone
    } finally {
      places.release();
    }
  }

  private static String readLine(InputStream in, int limit) throws IOException {
    byte[] line = new byte[limit];
    int length = 0;
    for (int b = in.read(); b >= 0 && b != '\n'; b = in.read()) {
      if (length == limit) {
        throw new IOException("a line of more than " + limit + " bytes");
      }
      line[length++] = (byte) b;
    }
    return new String(line, 0, length, UTF_8);
  }

  @Override
  public void close() throws IOException {
    server.close();
  }
}
