package org.casement.web;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import java.util.Optional;
import java.util.function.Consumer;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.rdp.ChannelData;
import org.casement.protocol.rdp.Channels;
import org.casement.protocol.rdp.ClientInfo;
import org.casement.protocol.rdp.ConnectInitial;
import org.casement.protocol.rdp.SoundClient;
import org.casement.session.EventLog;
import org.jspecify.annotations.Nullable;

/// Takes the sound out of the RDP stream, because the engine in the browser plays none: asks for
/// the channel in the client's name, is the client on it ([SoundClient]), and gives the sound away.
/// The engine sees one channel more in the desktop's answer, and joins it with its own.
///
/// What breaks the protocol ends the sound of this connection, and nothing else.
///
/// INVARIANT: both ways whole PDUs, by [PduFramer] and [PageFramer].
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
final class SoundTap extends ChannelDuplexHandler {
  private static final int NOT_KNOWN = -1;

  // Of a Send-Data-Indication (T.125), in its PDU.
  private static final int KIND = 7;
  private static final int SEND_DATA_INDICATION = 0x68;
  private static final int CHANNEL = 10;

  private final Consumer<byte[]> heard;
  private final EventLog log;
  private final SoundClient client = new SoundClient();

  /// As the desktop gets it; null before that.
  private byte @Nullable [] initial;

  private boolean responded;
  private int channel = NOT_KNOWN;

  /// Of the channel, once that is known.
  private @Nullable ChannelData data;

  /// Known once the login is on its way.
  private int initiator = NOT_KNOWN;

  private boolean agreed;
  private boolean broken;

  /// @param heard takes the sound as [SoundClient] has it, on the event loop; must not wait
  SoundTap(Consumer<byte[]> heard, EventLog log) {
    this.heard = heard;
    this.log = log;
  }

  @Override
  public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
    if (initiator != NOT_KNOWN || broken) {
      ctx.write(message, promise);
      return;
    }
    ByteBuf buffer = (ByteBuf) message;
    byte[] pdu = ByteBufUtil.getBytes(buffer);
    buffer.release();
    try {
      if (initial == null) {
        pdu = ConnectInitial.withChannel(pdu, SoundClient.CHANNEL);
        initial = pdu;
      } else if (ClientInfo.is(pdu)) {
        pdu = ClientInfo.withSound(pdu);
        initiator = ClientInfo.initiator(pdu);
      }
    } catch (ProtocolException malformed) {
      giveUp(malformed);
    }
    ctx.write(Unpooled.wrappedBuffer(pdu), promise);
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    ByteBuf buffer = (ByteBuf) message;
    if (initial != null && !responded) {
      responded = true;
      try {
        byte[] response = ByteBufUtil.getBytes(buffer);
        channel = Channels.of(initial, response).number(SoundClient.CHANNEL).orElseThrow();
        data = new ChannelData(channel, SoundClient.MESSAGE_LIMIT_BYTES);
      } catch (ProtocolException malformed) {
        giveUp(malformed);
      }
    } else if (data != null && isOurs(buffer)) {
      byte[] pdu = ByteBufUtil.getBytes(buffer);
      buffer.release();
      if (!broken) {
        take(ctx, data, pdu);
      }
      return;
    }
    ctx.fireChannelRead(buffer);
  }

  private boolean isOurs(ByteBuf pdu) {
    int start = pdu.readerIndex();
    return pdu.readableBytes() >= CHANNEL + 2
        && pdu.getByte(start) == 3
        && pdu.getByte(start + KIND) == SEND_DATA_INDICATION
        && pdu.getUnsignedShort(start + CHANNEL) == channel;
  }

  private void take(ChannelHandlerContext ctx, ChannelData data, byte[] pdu) {
    try {
      if (initiator == NOT_KNOWN) {
        throw new ProtocolException("sound before the login");
      }
      Optional<byte[]> message = data.add(pdu);
      if (message.isEmpty()) {
        return;
      }
      SoundClient.Step step = client.receive(message.get());
      // A desktop that does not read what it asks for gets no more of it.
      if (ctx.channel().isWritable()) {
        for (byte[] reply : step.replies()) {
          ctx.write(Unpooled.wrappedBuffer(data.request(initiator, reply)));
        }
        ctx.flush();
      }
      if (step.sound().length > 0) {
        heard.accept(step.sound());
      }
      if (client.agreed() && !agreed) {
        agreed = true;
        log.info("desktop-sound");
      }
    } catch (ProtocolException malformed) {
      giveUp(malformed);
    }
  }

  private void giveUp(ProtocolException why) {
    broken = true;
    log.warn("desktop-sound-broken", "why", why.getMessage());
  }
}
