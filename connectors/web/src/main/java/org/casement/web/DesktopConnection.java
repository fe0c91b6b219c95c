package org.casement.web;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.ConnectTimeoutException;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.ContinuationWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.io.ByteArrayOutputStream;
import java.net.ConnectException;
import java.net.SocketAddress;
import java.security.SecureRandom;
import java.security.cert.Certificate;
import java.security.cert.CertificateEncodingException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.credssp.CredSspClient;
import org.casement.protocol.credssp.LogonFailure;
import org.casement.protocol.door.DesktopOptions;
import org.casement.protocol.rdcleanpath.RdCleanPath;
import org.casement.protocol.rdcleanpath.RdCleanPath.Failure;
import org.casement.protocol.rdp.ClipboardGuard.Side;
import org.casement.protocol.rdp.ClipboardPolicy;
import org.casement.protocol.rdp.X224;
import org.casement.relay.Buffers;
import org.casement.relay.CloseCode;
import org.casement.relay.ProvenSocket;
import org.casement.relay.Pump;
import org.casement.session.EventLog;

/// One page's way to the desktop: RDCleanPath request, TCP, X.224, TLS, where the desktop wants it
/// network level authentication, RDCleanPath response, then bytes both ways, of which
/// [LoginInjector] changes the first few. The page is told that TLS alone was selected.
///
/// Of the page's request only the [DesktopOptions] are used: it names no destination, and its X.224
/// is dropped. All on the page's event loop.
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
final class DesktopConnection {
  private static final int REQUEST_LIMIT_SECONDS = 10;
  private static final int CONNECT_LIMIT_MILLIS = 5_000;

  /// QEMU accepts for the guest whether or not anybody listens there, so a desktop that is not
  /// ready shows here.
  private static final int NEGOTIATION_LIMIT_SECONDS = 10;

  /// TLS alert handshake_failure (RFC 8446, 6.2).
  private static final int HANDSHAKE_FAILURE = 40;

  private final ProvenSocket page;
  private final DesktopLogin login;
  private final SocketAddress rdp;
  private final ClipboardPolicy clipboard;
  private final Optional<SoundRoute> sound;
  private final SecureRandom random;
  private final EventLog log;
  private DesktopOptions options = DesktopOptions.NONE;

  private DesktopConnection(
      ProvenSocket page,
      DesktopLogin login,
      SocketAddress rdp,
      ClipboardPolicy clipboard,
      Optional<SoundRoute> sound,
      SecureRandom random,
      EventLog log) {
    this.page = page;
    this.login = login;
    this.rdp = rdp;
    this.clipboard = clipboard;
    this.sound = sound;
    this.random = random;
    this.log = log;
  }

  static void open(
      ProvenSocket page,
      DesktopLogin login,
      SocketAddress rdp,
      ClipboardPolicy clipboard,
      Optional<SoundRoute> sound,
      SecureRandom random,
      EventLog log) {
    DesktopConnection connection =
        new DesktopConnection(page, login, rdp, clipboard, sound, random, log);
    page.addHandler(connection.new AwaitRequest());
  }

  private void requested() {
    // Read again once there is a desktop to pass it to.
    page.channel().config().setAutoRead(false);
    new Bootstrap()
        .group(page.channel().eventLoop())
        .channel(EpollSocketChannel.class)
        .option(ChannelOption.TCP_NODELAY, true)
        .option(ChannelOption.ALLOCATOR, Buffers.RELAY)
        .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_LIMIT_MILLIS)
        .handler(new AwaitConfirm())
        .connect(rdp)
        .addListener(
            connected -> {
              Channel desktop = ((ChannelFuture) connected).channel();
              if (!connected.isSuccess()) {
                notThere(wsaError(connected.cause()));
              } else if (!page.isClosing()) {
                page.whenClosing(() -> Pump.closeAfterFlush(desktop));
                desktop.writeAndFlush(
                    Unpooled.wrappedBuffer(X224.request(login.security().requestedProtocols())));
              } else {
                desktop.close();
              }
            });
  }

  private void confirmed(Channel desktop, byte[] confirm) throws ProtocolException {
    Optional<Refusal> refusal = Refusal.of(X224.confirm(confirm), login.security());
    if (refusal.isPresent()) {
      desktop.close();
      refused(refusal.get(), "");
    } else {
      startTls(desktop, X224.withProtocol(confirm, X224.PROTOCOL_TLS));
    }
  }

  private void startTls(Channel desktop, byte[] confirm) {
    SslHandler tls = GuestTls.handler();
    desktop.pipeline().addFirst(tls);
    tls.handshakeFuture()
        .addListener(
            done -> {
              if (!done.isSuccess()) {
                log.warn("desktop-tls-failed", "why", String.valueOf(done.cause().getMessage()));
                desktop.close();
                fail(Failure.tls(HANDSHAKE_FAILURE), "TLS with the desktop failed");
              } else if (!page.isClosing()) {
                Certificate[] chain = tls.engine().getSession().getPeerCertificates();
                switch (login.security()) {
                  case TLS -> relay(desktop, confirm, chain);
                  case NLA -> logIn(desktop, confirm, chain);
                }
              }
            });
  }

  private void logIn(Channel desktop, byte[] confirm, Certificate[] chain)
      throws ProtocolException {
    CredSspClient credSsp =
        new CredSspClient(
            "", login.user(), login.password(), chain[0].getPublicKey().getEncoded(), random);
    NetworkLogin.Outcome outcome =
        new NetworkLogin.Outcome() {
          @Override
          public void done() {
            if (!page.isClosing()) {
              relay(desktop, confirm, chain);
            }
          }

          @Override
          public void refused(LogonFailure why, int status) {
            String detail = status == 0 ? "connection closed" : String.format("%08x", status);
            DesktopConnection.this.refused(Refusal.of(why), detail);
          }

          @Override
          public void broken(String how) {
            DesktopConnection.this.refused(Refusal.NLA_FAILED, how);
          }

          @Override
          public void lost(boolean silent) {
            notThere(silent ? Failure.WSA_TIMED_OUT : Failure.WSA_RESET);
          }
        };
    desktop.pipeline().addLast(new NetworkLogin(credSsp, outcome));
  }

  private void relay(Channel desktop, byte[] confirm, Certificate[] chain) {
    log.info("desktop-connected", "tab", page.tab().name());
    ClipboardNotes notes = new ClipboardNotes(page, log);
    notes.policy(clipboard);
    desktop.pipeline().addLast(new PduFramer(how -> notes.broken(Side.DESKTOP, how)));
    sound.ifPresent(
        route ->
            desktop.pipeline().addLast(new SoundTap(heard -> route.play(page.tab(), heard), log)));
    desktop
        .pipeline()
        .addLast(
            new ClipboardFilter(clipboard, notes),
            new LoginInjector(page, login, options),
            new PageFramer(page));
    send(new RdCleanPath.Response(confirm, encoded(chain), rdp.toString()));
    Pump.join(page, desktop, "the desktop closed the connection");
    desktop
        .closeFuture()
        .addListener(_ -> log.info("desktop-disconnected", "tab", page.tab().name()));
  }

  private static List<byte[]> encoded(Certificate[] chain) {
    List<byte[]> encoded = new ArrayList<>();
    for (Certificate certificate : chain) {
      try {
        encoded.add(certificate.getEncoded());
      } catch (CertificateEncodingException e) {
        throw new IllegalStateException("a certificate that TLS took", e);
      }
    }
    return encoded;
  }

  /// The desktop answers and does not let us in. No RDCleanPath error: the engine would close the
  /// socket at once, and the browser not tell the page our word.
  private void refused(Refusal refusal, String detail) {
    if (page.isClosing()) {
      return; // the page went, and the desktop with it
    }
    log.warn(
        "desktop-refused", "why", refusal.word(), "remedy", refusal.remedy(), "detail", detail);
    page.close(CloseCode.REFUSED, refusal.word());
  }

  private void notThere(int wsaError) {
    send(Failure.wsa(wsaError));
    page.close(CloseCode.NOT_THERE, "the desktop does not answer");
  }

  private void fail(Failure failure, String why) {
    send(failure);
    page.close(CloseCode.NOT_THERE, why);
  }

  private void send(RdCleanPath message) {
    if (page.isClosing()) {
      return;
    }
    ByteBuf bytes = Unpooled.wrappedBuffer(RdCleanPath.encode(message));
    page.channel().writeAndFlush(new BinaryWebSocketFrame(bytes));
  }

  private static int wsaError(Throwable cause) {
    if (cause instanceof ConnectTimeoutException) {
      return Failure.WSA_TIMED_OUT;
    }
    return cause instanceof ConnectException ? Failure.WSA_REFUSED : Failure.WSA_RESET;
  }

  /// Collects the page's RDCleanPath request, which may come in pieces.
  private final class AwaitRequest extends ChannelInboundHandlerAdapter {
    private final ByteArrayOutputStream request = new ByteArrayOutputStream();
    private final Future<?> deadline =
        page.channel()
            .eventLoop()
            .schedule(
                () -> page.close(CloseCode.BAD_MESSAGE, "no RDCleanPath request came"),
                REQUEST_LIMIT_SECONDS,
                TimeUnit.SECONDS);

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
      deadline.cancel(false);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object frame) {
      try {
        if (!(frame instanceof BinaryWebSocketFrame)
            && !(frame instanceof ContinuationWebSocketFrame)) {
          throw new ProtocolException("binary messages only");
        }
        ByteBuf content = ((WebSocketFrame) frame).content();
        if (request.size() + content.readableBytes() > RdCleanPath.REQUEST_LIMIT_BYTES) {
          throw new ProtocolException("RDCleanPath request too long");
        }
        request.writeBytes(ByteBufUtil.getBytes(content));
        byte[] bytes = request.toByteArray();
        OptionalInt length = RdCleanPath.length(bytes);
        if (length.isEmpty() || bytes.length < length.getAsInt()) {
          return;
        }
        if (!(RdCleanPath.decode(bytes) instanceof RdCleanPath.Request request)) {
          throw new ProtocolException("not an RDCleanPath request");
        }
        X224.requestedProtocols(request.connectionRequest());
        options = DesktopOptions.of(request.destination());
        ctx.pipeline().remove(this);
        requested();
      } catch (ProtocolException malformed) {
        send(Failure.http(400));
        page.close(CloseCode.BAD_MESSAGE, malformed.getMessage());
      } finally {
        ReferenceCountUtil.release(frame);
      }
    }
  }

  /// Reads the desktop's X.224 Connection Confirm, then gives way.
  private final class AwaitConfirm extends ByteToMessageDecoder {
    private boolean answered;

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
      ctx.executor()
          .schedule(
              () -> {
                if (!answered && ctx.channel().isActive()) {
                  answered = true;
                  ctx.close();
                  notThere(Failure.WSA_TIMED_OUT);
                }
              },
              NEGOTIATION_LIMIT_SECONDS,
              TimeUnit.SECONDS);
    }

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
      if (answered) {
        in.skipBytes(in.readableBytes());
        return;
      }
      try {
        OptionalInt length = PduFramer.nextLength(in);
        if (length.isPresent() && length.getAsInt() > X224.LIMIT_BYTES) {
          throw new ProtocolException("X.224 answer too long");
        }
        if (length.isEmpty() || in.readableBytes() < length.getAsInt()) {
          return;
        }
        answered = true;
        byte[] confirm = new byte[length.getAsInt()];
        in.readBytes(confirm);
        ctx.pipeline().remove(this);
        confirmed(ctx.channel(), confirm);
      } catch (ProtocolException malformed) {
        answered = true;
        log.warn("desktop-refused", "why", malformed.getMessage());
        ctx.close();
        fail(Failure.http(500), malformed.getMessage());
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
      if (!answered) {
        answered = true;
        notThere(Failure.WSA_RESET);
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      ctx.close();
    }
  }
}
