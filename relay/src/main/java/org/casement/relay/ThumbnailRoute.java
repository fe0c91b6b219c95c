package org.casement.relay;

import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;

/// `ws/thumbnail`: small pictures of the machine's screen while it boots, for as long as the socket
/// is open (contracts/door.md). A page that does not keep up misses some.
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
final class ThumbnailRoute {
  private final Desk desk;

  ThumbnailRoute(Desk desk) {
    this.desk = desk;
  }

  void open(ProvenSocket socket) {
    Channel channel = socket.channel();
    socket.addHandler(
        new SimpleChannelInboundHandler<WebSocketFrame>() {
          @Override
          protected void channelRead0(ChannelHandlerContext ctx, WebSocketFrame frame) {
            socket.close(CloseCode.BAD_MESSAGE, "nothing is asked here");
          }
        });
    Runnable enough =
        desk.screen().watch(png -> channel.eventLoop().execute(() -> send(socket, png)));
    channel.closeFuture().addListener(_ -> enough.run());
  }

  private static void send(ProvenSocket socket, byte[] png) {
    var outbound = socket.channel().unsafe().outboundBuffer();
    if (!socket.isClosing() && outbound != null && outbound.totalPendingWriteBytes() == 0) {
      socket.channel().writeAndFlush(new BinaryWebSocketFrame(Unpooled.wrappedBuffer(png)));
    }
  }
}
