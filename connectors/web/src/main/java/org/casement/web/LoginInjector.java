package org.casement.web;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.door.DesktopOptions;
import org.casement.protocol.rdp.ClientInfo;
import org.casement.protocol.rdp.ConnectInitial;
import org.casement.relay.CloseCode;
import org.casement.relay.ProvenSocket;
import org.jspecify.annotations.Nullable;

/// Stands between the page and the desktop until the login is on its way: raises the colour depth
/// in the client's first PDU, names there the security that the desktop has selected, and puts in
/// what the page has chosen ([DesktopOptions]); puts user and password into its Client Info, and
/// then gives way. What the browser says about these is dropped.
///
/// INVARIANT: what is written is one whole PDU ([PageFramer]).
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
final class LoginInjector extends ChannelOutboundHandlerAdapter {
  /// The longest that an engine sends is the first, of some 450 bytes.
  static final int PDU_LIMIT_BYTES = 16 * 1024;

  /// Erect Domain, Attach User, a join for each of at most 33 channels, Client Info, and some room.
  static final int PDUS_LIMIT = 64;

  private static final int LIMIT_SECONDS = 30;

  private final ProvenSocket page;
  private final DesktopLogin login;
  private final DesktopOptions options;
  private int pdus;
  private @Nullable Future<?> deadline;

  LoginInjector(ProvenSocket page, DesktopLogin login, DesktopOptions options) {
    this.page = page;
    this.login = login;
    this.options = options;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    deadline =
        ctx.executor()
            .schedule(
                // A desktop that is slow to answer keeps the page from it.
                () -> page.close(CloseCode.NOT_THERE, "no login came"),
                LIMIT_SECONDS,
                TimeUnit.SECONDS);
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    if (deadline != null) {
      deadline.cancel(false);
    }
  }

  @Override
  public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
    ByteBuf bytes = (ByteBuf) message;
    try {
      if (++pdus > PDUS_LIMIT) {
        throw new ProtocolException("too many PDUs before the login");
      }
      if (bytes.readableBytes() > PDU_LIMIT_BYTES) {
        throw new ProtocolException("too long a PDU before the login");
      }
      byte[] pdu = ByteBufUtil.getBytes(bytes);
      if (pdus == 1) {
        pdu = connectInitial(pdu);
      }
      boolean last = ClientInfo.is(pdu);
      if (last) {
        pdu = ClientInfo.withLogin(pdu, login.user(), login.password());
      }
      ctx.write(Unpooled.wrappedBuffer(pdu), promise);
      if (last) {
        ctx.pipeline().remove(this);
      }
    } catch (ProtocolException malformed) {
      promise.tryFailure(malformed);
      page.close(CloseCode.BAD_MESSAGE, malformed.getMessage());
    } finally {
      bytes.release();
    }
  }

  private byte[] connectInitial(byte[] pdu) throws ProtocolException {
    byte[] initial = ConnectInitial.with32BitsPerPixel(pdu);
    initial = ConnectInitial.withSelectedProtocol(initial, login.security().selectedProtocol());
    if (!options.equals(DesktopOptions.NONE)) {
      initial = ConnectInitial.withKeyboardLayout(initial, options.keyboardLayout());
      initial = ConnectInitial.withScale(initial, options.scalePercent());
    }
    return initial;
  }
}
