package org.casement.testkit;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// Stands between a client and a server on 127.0.0.1: keeps what the client says first on each
/// connection, cuts the wire, lets it be whole again.
public final class TcpRelay implements AutoCloseable {
  /// Kept of each connection: requests and headers of several exchanges.
  private static final int KEPT_BYTES = 64 * 1024;

  private final ServerSocket server;
  private final int target;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private final List<ByteArrayOutputStream> heard =
      new java.util.concurrent.CopyOnWriteArrayList<>();
  private volatile boolean cut;

  private TcpRelay(ServerSocket server, int target) {
    this.server = server;
    this.target = target;
  }

  public static TcpRelay to(int port) {
    try {
      TcpRelay relay =
          new TcpRelay(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()), port);
      Thread.ofVirtual().start(relay::accept);
      return relay;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public int port() {
    return server.getLocalPort();
  }

  /// Breaks every connection; new ones are broken at once until [#restore].
  public void cut() {
    cut = true;
    open.forEach(TcpRelay::shut);
  }

  /// Breaks every connection once.
  public void drop() {
    open.forEach(TcpRelay::shut);
  }

  public void restore() {
    cut = false;
  }

  /// What clients said, a text a connection, bytes as ISO 8859-1.
  public List<String> heard() {
    return heard.stream()
        .map(
            bytes -> {
              synchronized (bytes) {
                return bytes.toString(ISO_8859_1);
              }
            })
        .toList();
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket client = server.accept();
        open.add(client);
        Thread.ofVirtual().start(() -> serve(client));
      } catch (IOException e) {
        if (!server.isClosed()) {
          throw new UncheckedIOException(e);
        }
      }
    }
  }

  private void serve(Socket client) {
    if (cut) {
      shut(client);
      return;
    }
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    heard.add(said);
    try (client;
        Socket toServer = new Socket()) {
      toServer.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), target));
      open.add(toServer);
      Thread back =
          Thread.ofVirtual()
              .start(
                  () -> {
                    copy(toServer, client, new ByteArrayOutputStream());
                    shut(client);
                  });
      copy(client, toServer, said);
      shut(toServer);
      back.join();
    } catch (IOException e) {
      shut(client);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void copy(Socket from, Socket to, ByteArrayOutputStream said) {
    try {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      byte[] buffer = new byte[16 * 1024];
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        synchronized (said) {
          said.write(buffer, 0, Math.min(n, Math.max(0, KEPT_BYTES - said.size())));
        }
        out.write(buffer, 0, n);
      }
    } catch (IOException e) {
      return; // one side has gone; the caller shuts the other
    }
  }

  private static void shut(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    cut();
    try {
      server.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
