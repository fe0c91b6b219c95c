package org.casement.web;

import io.netty.handler.ssl.SslHandler;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/// TLS to the desktop, as its client. Made when first needed: JSSE costs a fifth of a second and
/// some megabytes.
final class GuestTls {
  private static final int HANDSHAKE_LIMIT_SECONDS = 10;

  private GuestTls() {}

  private static final class Lazy {
    private static final SSLContext CONTEXT = create();

    private static SSLContext create() {
      try {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {new AnyCertificate()}, null);
        return context;
      } catch (GeneralSecurityException broken) {
        throw new IllegalStateException("this JDK has no TLS", broken);
      }
    }
  }

  /// Loads what the first handshake would have to wait for, by beginning one with nobody.
  static void warm() {
    SSLEngine engine = Lazy.CONTEXT.createSSLEngine();
    engine.setUseClientMode(true);
    ByteBuffer hello = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
    try {
      engine.wrap(ByteBuffer.allocate(0), hello);
    } catch (SSLException broken) {
      throw new IllegalStateException("this JDK has no TLS", broken);
    }
    engine.closeOutbound();
  }

  static SslHandler handler() {
    SSLEngine engine = Lazy.CONTEXT.createSSLEngine();
    engine.setUseClientMode(true);
    SslHandler handler = new SslHandler(engine);
    handler.setHandshakeTimeout(HANDSHAKE_LIMIT_SECONDS, TimeUnit.SECONDS);
    return handler;
  }

  /// SECURITY: takes any certificate. The peer is what QEMU of this session forwards to on loopback
  /// of a sealed namespace: whoever could stand in its place is the guest itself, which is
  /// untrusted anyway and makes its own certificate at each boot. The chain goes to the browser's
  /// engine.
  private static final class AnyCertificate extends X509ExtendedTrustManager {
    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}
