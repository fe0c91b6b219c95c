package org.casement.web;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.rdp.RdpPdu;

/// Cuts the desktop's bytes into PDUs, so that each becomes a WebSocket message of its own: the
/// engine drops what follows the last PDU of the connection sequence in a message, and then hangs.
final class PduFramer extends ByteToMessageDecoder {
  private final Consumer<String> malformed;

  /// @param malformed hears what is wrong with bytes that are no PDU, and ends the connection
  PduFramer(Consumer<String> malformed) {
    this.malformed = malformed;
  }

  @Override
  protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
    try {
      OptionalInt length = nextLength(in);
      if (length.isPresent() && in.readableBytes() >= length.getAsInt()) {
        out.add(in.readRetainedSlice(length.getAsInt()));
      }
    } catch (ProtocolException e) {
      in.skipBytes(in.readableBytes());
      malformed.accept(String.valueOf(e.getMessage()));
    }
  }

  /// The length of the PDU at the reader's place, if enough of it is there.
  static OptionalInt nextLength(ByteBuf in) throws ProtocolException {
    byte[] head = new byte[Math.min(in.readableBytes(), RdpPdu.HEADER_LIMIT_BYTES)];
    in.getBytes(in.readerIndex(), head);
    return RdpPdu.length(head);
  }
}
