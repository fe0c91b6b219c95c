package org.casement.web;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import java.util.OptionalInt;
import org.casement.protocol.ProtocolException;
import org.casement.relay.CloseCode;
import org.casement.relay.ProvenSocket;

/// Cuts the page's bytes into PDUs, so that what stands before it in the pipeline sees whole ones
/// and may put its own between them. Holds back what is not whole, which is less than 64 KiB.
/// [PduFramer] is its twin for the desktop's.
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
final class PageFramer extends ChannelOutboundHandlerAdapter {
  /// In what the page sends at once; a clipboard's text has some 700 in a frame of 1 MiB.
  static final int PDUS_LIMIT = 4096;

  private final ProvenSocket page;
  private ByteBuf pending = Unpooled.EMPTY_BUFFER;

  PageFramer(ProvenSocket page) {
    this.page = page;
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
  public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
    ByteBuf bytes = (ByteBuf) message;
    try {
      OptionalInt length = pending.isReadable() ? OptionalInt.empty() : PduFramer.nextLength(bytes);
      if (length.isPresent() && length.getAsInt() == bytes.readableBytes()) {
        ctx.write(bytes.retain(), promise); // as nearly always
        return;
      }
      pending.writeBytes(bytes);
      promise.setSuccess();
      int pdus = 0;
      for (length = PduFramer.nextLength(pending);
          length.isPresent() && pending.readableBytes() >= length.getAsInt();
          length = PduFramer.nextLength(pending)) {
        if (++pdus > PDUS_LIMIT) {
          throw new ProtocolException("too many PDUs in one message");
        }
        ctx.write(pending.readBytes(length.getAsInt()));
      }
      pending.discardSomeReadBytes();
    } catch (ProtocolException malformed) {
      promise.tryFailure(malformed);
      page.close(CloseCode.BAD_MESSAGE, malformed.getMessage());
    } finally {
      bytes.release();
    }
  }
}
