package org.casement.web;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import java.util.HashSet;
import java.util.Objects;
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
/// INVARIANT: both ways whole PDUs, by [PduFramer] and [PageFramer].
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
final class ClipboardFilter extends ChannelDuplexHandler {
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

    /// `by` has answered what the other side's clipboard holds.
    void answered(Side by, boolean taken);

    /// Whether the page reads what it is sent.
    boolean pageReads();
  }

  ClipboardFilter(ClipboardPolicy policy, Observer observer) {
    this.policy = policy;
    this.observer = observer;
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

      @Override
      public void answered(Side by, boolean taken) {
        observer.answered(by, taken);
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
    ByteBuf pdu = (ByteBuf) message;
    try {
      if (initial == null) {
        Set<String> kept = new HashSet<>(HARMLESS);
        if (!policy.isOff()) {
          kept.add(ClipboardGuard.CHANNEL);
        }
        initial = ConnectInitial.withChannelsOf(ByteBufUtil.getBytes(pdu), kept);
        ctx.write(Unpooled.wrappedBuffer(initial), promise);
      } else if (!connected) {
        throw new ProtocolException("a PDU before the desktop has answered the first");
      } else if (isClipboard(pdu)) {
        promise.setSuccess();
        Objects.requireNonNull(guard).accept(Side.PAGE, ByteBufUtil.getBytes(pdu));
      } else {
        ctx.write(pdu.retain(), promise);
      }
    } catch (ProtocolException malformed) {
      promise.tryFailure(malformed);
      observer.broken(Side.PAGE, String.valueOf(malformed.getMessage()));
    } finally {
      pdu.release();
    }
  }

  /// Whether a PDU of the page is of the clipboard's channel. A TPKT that a server could take for
  /// that, and we not, is refused.
  private boolean isClipboard(ByteBuf pdu) throws ProtocolException {
    int at = pdu.readerIndex();
    if (pdu.getByte(at) != TPKT_VERSION) {
      return false; // fast path input
    }
    boolean data =
        pdu.readableBytes() >= MCS
            && pdu.getByte(at + 4) == 2
            && pdu.getUnsignedByte(at + 5) == 0xf0
            && pdu.getUnsignedByte(at + 6) == 0x80;
    if (!data) {
      throw new ProtocolException("a TPKT without data");
    }
    if (pdu.readableBytes() == MCS) {
      return false; // of nothing
    }
    int kind = pdu.getUnsignedByte(at + MCS);
    if (kind == SEND_DATA && pdu.readableBytes() >= SHORTEST_SEND_DATA) {
      return guard != null && isOnChannel(pdu);
    }
    if (!WITHOUT_DATA.contains(kind & CHOICE)) {
      throw new ProtocolException("MCS of another kind");
    }
    return false;
  }
}
