package org.casement.relay;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.ContinuationWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.util.ReferenceCountUtil;

/// Copies bytes between a page and a channel to the guest or to QEMU: each buffer read there
/// becomes one WebSocket message, each frame's content is written there. While one side is full the
/// other is not read, so a slow reader costs a fixed amount of memory: [#HIGH_WATER_BYTES] and what
/// one more round of reading brings, in each direction.
///
/// Closing: when the far side ends, what it sent is delivered, then the page is told. When the page
/// goes, what it sent is written, then the far side is closed; a WebSocket knows no half-close.
///
/// INVARIANT: both channels share one event loop.
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
public final class Pump {
  /// Where reading of the other side stops. Netty's own 64 KiB is less than one picture of the
  /// desktop, and a fast page would be served in small steps.
  static final int HIGH_WATER_BYTES = 256 * 1024;

  /// Where it begins again.
  static final int LOW_WATER_BYTES = 64 * 1024;

  private static final int READ_BYTES = 1 << 16;

  private Pump() {}

  /// Joins the two. Each must be the last handler of its pipeline's business; the far channel is
  /// read from now on.
  ///
  /// @param farEnd what the page is told when the far side ends
  public static void join(ProvenSocket page, Channel far, String farEnd) {
    if (!far.eventLoop().equals(page.channel().eventLoop())) {
      throw new IllegalArgumentException("a pump's channels must share an event loop");
    }
    WriteBufferWaterMark marks = new WriteBufferWaterMark(LOW_WATER_BYTES, HIGH_WATER_BYTES);
    page.channel().config().setWriteBufferWaterMark(marks);
    far.config().setWriteBufferWaterMark(marks);
    page.addHandler(new FromPage(page, far));
    far.pipeline().addLast(new FromFar(page, farEnd));
    page.whenClosing(() -> closeAfterFlush(far));
    // One read, one write, while the bytes are still in the processor's cache.
    far.config()
        .setRecvByteBufAllocator(new FixedRecvByteBufAllocator(READ_BYTES).maxMessagesPerRead(1));
    far.config().setAutoRead(page.channel().isWritable());
    page.channel().config().setAutoRead(far.isWritable());
  }

  /// Closes `channel` once everything written to it is on its way.
  public static void closeAfterFlush(Channel channel) {
    channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
  }

  private static final class FromPage extends ChannelInboundHandlerAdapter {
    private final ProvenSocket page;
    private final Channel far;

    FromPage(ProvenSocket page, Channel far) {
      this.page = page;
      this.far = far;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object frame) {
      // Continuations are bytes like others: message boundaries of a page mean nothing.
      if (frame instanceof BinaryWebSocketFrame || frame instanceof ContinuationWebSocketFrame) {
        far.write(((WebSocketFrame) frame).content());
        return;
      }
      ReferenceCountUtil.release(frame);
      page.close(CloseCode.BAD_MESSAGE, "binary messages only");
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
      far.flush();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
      far.config().setAutoRead(ctx.channel().isWritable());
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      ctx.close();
    }
  }

  private static final class FromFar extends ChannelInboundHandlerAdapter {
    private final ProvenSocket page;
    private final String farEnd;

    FromFar(ProvenSocket page, String farEnd) {
      this.page = page;
      this.farEnd = farEnd;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object buffer) {
      if (page.isClosing()) {
        ReferenceCountUtil.release(buffer);
      } else {
        page.channel().write(new BinaryWebSocketFrame((ByteBuf) buffer));
      }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
      page.channel().flush();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
      if (!page.isClosing()) {
        page.channel().config().setAutoRead(ctx.channel().isWritable());
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
      page.close(CloseCode.NORMAL, farEnd);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      ctx.close();
    }
  }
}
