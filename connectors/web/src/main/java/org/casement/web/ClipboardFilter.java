package org.casement.web;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import java.util.HashSet;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.rdp.Channels;
import org.casement.protocol.rdp.ClipboardGuard;
import org.casement.protocol.rdp.ClipboardGuard.Side;
import org.casement.protocol.rdp.ClipboardPolicy;
import org.casement.protocol.rdp.ConnectInitial;
import org.jspecify.annotations.Nullable;

/// Holds one connection to the clipboard's policy. The client's first PDU loses every channel that
/// the connector does not know, and the clipboard's where nothing may be copied; from then on every
/// PDU of the clipboard's channel goes through a [ClipboardGuard].
///
/// SECURITY: the page is not trusted with the policy. What comes from it is read as a server would
/// read it, or the connection ends.
///
/// INVARIANT: inbound, what comes here is one whole PDU ([PduFramer]).
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
final class ClipboardFilter extends ChannelDuplexHandler {
  /// Of bytes that make no whole PDU yet: the longest that a TPKT names.
  private static final int PENDING_LIMIT_BYTES = 0xffff;

  /// Channels of the engine that carry no data of the user's but what the clipboard's policy rules.
  private static final Set<String> HARMLESS = Set.of("drdynvc", "rdpsnd");

  private static final int TPKT_VERSION = 3;

  // Offsets in a TPKT with X.224 data.
  private static final int MCS = 7;
  private static final int CHANNEL = 10;
  private static final int SHORTEST_SEND_DATA = 15;

  // DomainMCSPDU (T.125), the choice in the upper six bits.
  private static final int CHOICE = 0xfc;
  private static final int SEND_DATA = 25 << 2;

  /// Erect Domain, Disconnect Provider Ultimatum, Attach User, Channel Join.
  private static final Set<Integer> WITHOUT_DATA = Set.of(1 << 2, 8 << 2, 10 << 2, 14 << 2);

  private final ClipboardPolicy policy;
  private final Observer observer;
  private ByteBuf pending = Unpooled.EMPTY_BUFFER;
  private byte @Nullable [] initial;
  private boolean connected;
  private int channel;
  private @Nullable ClipboardGuard guard;

  /// Hears what the filter did; on the event loop.
  interface Observer {
    /// The connection cannot go on.
    void broken(Side by, String how);

    void tooLong(Side from, long bytes);

    void refused(Side from, String what);

    /// Whether the page reads what it is sent.
    boolean pageReads();
  }

  ClipboardFilter(ClipboardPolicy policy, Observer observer) {
    this.policy = policy;
    this.observer = observer;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    pending = ctx.alloc().buffer();
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    pending.release();
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    ByteBuf pdu = (ByteBuf) message;
    try {
      if (!connected) {
        connect(ctx, ByteBufUtil.getBytes(pdu));
      }
      if (guard == null || !isOnChannel(pdu)) {
        ctx.fireChannelRead(pdu.retain());
      } else {
        guard.accept(Side.DESKTOP, ByteBufUtil.getBytes(pdu));
      }
    } catch (ProtocolException malformed) {
      observer.broken(Side.DESKTOP, String.valueOf(malformed.getMessage()));
    } finally {
      pdu.release();
    }
  }

  private void connect(ChannelHandlerContext ctx, byte[] response) throws ProtocolException {
    if (initial == null) {
      throw new ProtocolException("the desktop speaks first");
    }
    if (ConnectInitial.channels(initial).contains(ClipboardGuard.CHANNEL)) {
      channel = Channels.of(initial, response).number(ClipboardGuard.CHANNEL).orElseThrow();
      guard = new ClipboardGuard(channel, policy, wire(ctx));
    }
    connected = true;
  }

  private ClipboardGuard.Wire wire(ChannelHandlerContext ctx) {
    return new ClipboardGuard.Wire() {
      @Override
      public void pass(Side to, byte[] pdu) {
        ByteBuf bytes = Unpooled.wrappedBuffer(pdu);
        switch (to) {
          case DESKTOP -> ctx.write(bytes);
          case PAGE -> ctx.fireChannelRead(bytes);
        }
      }

      @Override
      public void answer(Side to, byte[] pdu) {
        if (to == Side.DESKTOP && ctx.channel().isWritable()) {
          ctx.writeAndFlush(Unpooled.wrappedBuffer(pdu));
        } else if (to == Side.PAGE && observer.pageReads()) {
          ctx.fireChannelRead(Unpooled.wrappedBuffer(pdu));
          ctx.fireChannelReadComplete();
        }
      }

      @Override
      public void tooLong(Side from, long bytes) {
        observer.tooLong(from, bytes);
      }

      @Override
      public void refused(Side from, String what) {
        observer.refused(from, what);
      }
    };
  }

  private boolean isOnChannel(ByteBuf pdu) {
    int at = pdu.readerIndex();
    return pdu.readableBytes() >= SHORTEST_SEND_DATA
        && pdu.getByte(at) == TPKT_VERSION
        && (pdu.getByte(at + MCS) & CHOICE) >= SEND_DATA
        && pdu.getUnsignedShort(at + CHANNEL) == channel;
  }

  @Override
  public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
    ByteBuf bytes = (ByteBuf) message;
    try {
      if (connected && guard == null && !pending.isReadable()) {
        ctx.write(bytes.retain(), promise);
        return;
      }
      pending.writeBytes(bytes);
      promise.setSuccess();
      while (nextPdu(ctx)) {}
      pending.discardSomeReadBytes();
      if (pending.readableBytes() > PENDING_LIMIT_BYTES) {
        throw new ProtocolException("a PDU that does not end");
      }
    } catch (ProtocolException malformed) {
      promise.tryFailure(malformed);
      observer.broken(Side.PAGE, String.valueOf(malformed.getMessage()));
    } finally {
      bytes.release();
    }
  }

  private boolean nextPdu(ChannelHandlerContext ctx) throws ProtocolException {
    OptionalInt length = PduFramer.nextLength(pending);
    if (length.isEmpty() || pending.readableBytes() < length.getAsInt()) {
      return false;
    }
    ByteBuf pdu = pending.readBytes(length.getAsInt());
    try {
      if (initial == null) {
        Set<String> kept = new HashSet<>(HARMLESS);
        if (!policy.isOff()) {
          kept.add(ClipboardGuard.CHANNEL);
        }
        initial = ConnectInitial.withChannelsOf(ByteBufUtil.getBytes(pdu), kept);
        ctx.write(Unpooled.wrappedBuffer(initial));
      } else if (pdu.getByte(0) == TPKT_VERSION && isClipboard(pdu)) {
        Objects.requireNonNull(guard).accept(Side.PAGE, ByteBufUtil.getBytes(pdu));
      } else {
        ctx.write(pdu.retain());
      }
    } finally {
      pdu.release();
    }
    return true;
  }

  /// Whether a TPKT of the page is of the clipboard's channel. One that a server could take for
  /// that, and we not, is refused.
  private boolean isClipboard(ByteBuf pdu) throws ProtocolException {
    boolean data =
        pdu.readableBytes() >= MCS
            && pdu.getByte(4) == 2
            && pdu.getUnsignedByte(5) == 0xf0
            && pdu.getUnsignedByte(6) == 0x80;
    if (!data) {
      throw new ProtocolException("a TPKT without data");
    }
    if (pdu.readableBytes() == MCS) {
      return false; // of nothing
    }
    int kind = pdu.getUnsignedByte(MCS);
    if (kind == SEND_DATA && pdu.readableBytes() >= SHORTEST_SEND_DATA) {
      return guard != null && isOnChannel(pdu);
    }
    if (!WITHOUT_DATA.contains(kind & CHOICE)) {
      throw new ProtocolException("MCS of another kind");
    }
    return false;
  }
}
