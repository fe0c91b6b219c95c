package org.casement.web;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.util.ReferenceCountUtil;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.casement.relay.CloseCode;
import org.casement.relay.ProvenSocket;
import org.casement.relay.Tab;

/// `ws/sound`: the sound of the desktop that the same tab shows, a message for each block
/// (contracts/door.md). A page that does not take it loses it; nothing waits for it, and silence is
/// not sent. Thread-safe.
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
final class SoundRoute {
  /// A third of a second of sound in the kernel, and about as much in Netty's queue (its high-water
  /// mark): what comes later than that is not worth hearing.
  private static final int UNREAD_BYTES = 64 * 1024;

  private final Map<Tab, ProvenSocket> listeners = new ConcurrentHashMap<>();

  void open(ProvenSocket page) {
    page.channel().config().setOption(ChannelOption.SO_SNDBUF, UNREAD_BYTES);
    page.addHandler(
        new ChannelInboundHandlerAdapter() {
          @Override
          public void channelRead(ChannelHandlerContext ctx, Object frame) {
            ReferenceCountUtil.release(frame);
            page.close(CloseCode.BAD_MESSAGE, "nothing is expected here");
          }
        });
    ProvenSocket before = listeners.put(page.tab(), page);
    if (before != null) {
      before.close(CloseCode.GOING_AWAY, "this tab connected again");
    }
    page.channel().closeFuture().addListener(_ -> listeners.remove(page.tab(), page));
  }

  /// Gives a block to the page of `tab` if it listens and keeps up.
  void play(Tab tab, byte[] sound) {
    ProvenSocket page = listeners.get(tab);
    if (page == null || !page.channel().isWritable() || isSilent(sound)) {
      return;
    }
    page.channel()
        .eventLoop()
        .execute(
            () -> {
              if (!page.isClosing()) {
                page.channel()
                    .writeAndFlush(new BinaryWebSocketFrame(Unpooled.wrappedBuffer(sound)));
              }
            });
  }

  private static boolean isSilent(byte[] sound) {
    for (byte b : sound) {
      if (b != 0) {
        return false;
      }
    }
    return true;
  }
}
