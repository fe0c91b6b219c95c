package org.casement.web;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.HexFormat;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;

/// The guest's RDP server as far as a connector sees it: X.224 in the clear, then TLS, then PDUs.
final class ScriptedDesktop implements AutoCloseable {
  private static final String STORE_PASSWORD = "nothing secret";

  final ServerSocket listener;
  private final SSLContext tls;

  /// The SubjectPublicKeyInfo of its certificate.
  final byte[] publicKeyInfo;

  ScriptedDesktop(Path directory)
      throws IOException, GeneralSecurityException, InterruptedException {
    listener = new ServerSocket(0, 4, InetAddress.ofLiteral("127.0.0.1"));
    listener.setSoTimeout(10_000);
    Path file = directory.resolve("desktop.p12");
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                "desktop",
                "-keyalg",
                "EC",
                "-dname",
                "CN=desktop",
                "-storetype",
                "PKCS12",
                "-keystore",
                file.toString(),
                "-storepass",
                STORE_PASSWORD)
            .inheritIO()
            .start();
    if (!keytool.waitFor(60, TimeUnit.SECONDS) || keytool.exitValue() != 0) {
      throw new IOException("keytool made no certificate");
    }
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(file)) {
      store.load(in, STORE_PASSWORD.toCharArray());
    }
    publicKeyInfo = store.getCertificate("desktop").getPublicKey().getEncoded();
    KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
    keys.init(store, STORE_PASSWORD.toCharArray());
    tls = SSLContext.getInstance("TLS");
    tls.init(keys.getKeyManagers(), null, null);
  }

  InetSocketAddress address() {
    return (InetSocketAddress) listener.getLocalSocketAddress();
  }

  Socket accept() throws IOException {
    Socket socket = listener.accept();
    socket.setSoTimeout(10_000);
    return socket;
  }

  /// TLS on an accepted socket, as the server.
  SSLSocket secure(Socket socket) throws IOException {
    SSLSocket secured =
        (SSLSocket) tls.getSocketFactory().createSocket(socket, socket.getInputStream(), true);
    secured.setUseClientMode(false);
    secured.startHandshake();
    return secured;
  }

  /// One TPKT, in hex.
  static String readPdu(Socket socket) throws IOException {
    DataInputStream in = new DataInputStream(socket.getInputStream());
    byte[] head = new byte[4];
    in.readFully(head);
    int rest = ((head[2] & 0xff) << 8 | (head[3] & 0xff)) - head.length;
    byte[] body = new byte[rest];
    in.readFully(body);
    return HexFormat.of().formatHex(head) + HexFormat.of().formatHex(body);
  }

  /// One TSRequest.
  static byte[] readTsRequest(Socket socket) throws IOException {
    DataInputStream in = new DataInputStream(socket.getInputStream());
    byte[] head = new byte[2];
    in.readFully(head);
    byte[] more = new byte[(head[1] & 0x80) == 0 ? 0 : head[1] & 0x7f];
    in.readFully(more);
    int length = head[1] & 0x7f;
    for (int i = 0; i < more.length; i++) {
      length = (i == 0 ? 0 : length << 8) | (more[i] & 0xff);
    }
    byte[] message = new byte[2 + more.length + length];
    System.arraycopy(head, 0, message, 0, 2);
    System.arraycopy(more, 0, message, 2, more.length);
    in.readFully(message, 2 + more.length, length);
    return message;
  }

  static void write(Socket socket, String hex) throws IOException {
    socket.getOutputStream().write(HexFormat.of().parseHex(hex.replace(" ", "")));
  }

  static boolean isAtEnd(Socket socket) throws IOException {
    try {
      return socket.getInputStream().read() < 0;
    } catch (EOFException end) {
      return true;
    }
  }

  @Override
  public void close() throws IOException {
    listener.close();
  }
}
