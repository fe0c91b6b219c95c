package org.casement.relay;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Promise;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A WebSocket whose two sides have proven themselves: answers and sends pings, closes in order,
/// and gives every data frame to the handler that its route adds.
///
/// A peer that has not been heard for a minute is gone, or does not read: the pings queue behind
/// the data it leaves unread.
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
public final class ProvenSocket {
  /// Apache, hence a portal, closes an idle tunnel after 60 s (RHEL's `Timeout`).
  private static final int PING_SECONDS = 20;

  private static final int SILENCE_LIMIT_SECONDS = 60;

  /// For the peer's own close frame, after ours.
  private static final int CLOSE_LIMIT_SECONDS = 2;

  /// RFC 6455, 5.5: 125 bytes with the code. A longer reason makes browsers report a broken
  /// connection.
  static final int REASON_LIMIT_BYTES = 123;

  private final Channel channel;
  private final Tab tab;

  private final Promise<Void> closingFuture;

  /// Only touched on the channel's event loop.
  private boolean closing;

  private long lastHeardNanos = System.nanoTime();

  ProvenSocket(Channel channel, Tab tab) {
    this.channel = channel;
    this.tab = tab;
    this.closingFuture = channel.eventLoop().newPromise();
    channel.pipeline().addLast(new Control());
    tab.add(this);
    channel
        .closeFuture()
        .addListener(
            _ -> {
              tab.remove(this);
              closingFuture.trySuccess(null);
            });
  }

  /// For reading and writing frames, on its event loop. A route adds its handler to the end of the
  /// pipeline; closing goes by [#close].
  public Channel channel() {
    return channel;
  }

  public Tab tab() {
    return tab;
  }

  /// Whether nothing more may be sent: closed, or about to. On the event loop only.
  public boolean isClosing() {
    return closing || !channel.isActive();
  }

  /// Runs `action` once, as soon as nothing more may be sent. On the event loop only.
  public void whenClosing(Runnable action) {
    closingFuture.addListener(_ -> action.run());
  }

  public void addHandler(ChannelHandler handler) {
    channel.pipeline().addLast(handler);
  }

  /// Sends what is written, then says why, and closes. Callable from any thread, and more than
  /// once: the first reason counts.
  public void close(CloseCode code, String reason) {
    if (channel.eventLoop().inEventLoop()) {
      closeNow(code, reason);
    } else {
      channel.eventLoop().execute(() -> closeNow(code, reason));
    }
  }

  private void closeNow(CloseCode code, String reason) {
    if (isClosing()) {
      return;
    }
    closing = true;
    // The peer's close frame is awaited: closing at once, with bytes unread, would be a reset,
    // which
    // can overtake ours.
    channel.config().setAutoRead(true);
    channel.writeAndFlush(new CloseWebSocketFrame(code.number(), shortened(reason)));
    closingFuture.trySuccess(null);
    Future<?> limit =
        channel.eventLoop().schedule(() -> channel.close(), CLOSE_LIMIT_SECONDS, TimeUnit.SECONDS);
    channel.closeFuture().addListener(_ -> limit.cancel(false));
  }

  /// The longest beginning of `reason` that a close frame holds.
  static String shortened(String reason) {
    int bytes = 0;
    int end = 0;
    while (end < reason.length()) {
      int c = reason.codePointAt(end);
      bytes += Character.toString(c).getBytes(UTF_8).length;
      if (bytes > REASON_LIMIT_BYTES) {
        break;
      }
      end += Character.charCount(c);
    }
    return reason.substring(0, end);
  }

  private final class Control extends ChannelInboundHandlerAdapter {
    private @Nullable Future<?> pings;

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
      pings =
          ctx.executor()
              .scheduleAtFixedRate(() -> ping(ctx), PING_SECONDS, PING_SECONDS, TimeUnit.SECONDS);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
      if (pings != null) {
        pings.cancel(false);
      }
    }

    private void ping(ChannelHandlerContext ctx) {
      long silent = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - lastHeardNanos);
      if (silent >= SILENCE_LIMIT_SECONDS) {
        ctx.close();
      } else if (!closing) {
        ctx.writeAndFlush(new PingWebSocketFrame());
      }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object frame) {
      lastHeardNanos = System.nanoTime();
      switch (frame) {
        case CloseWebSocketFrame close -> {
          close.release();
          if (closing) {
            ctx.close();
          } else {
            closeNow(CloseCode.NORMAL, "");
            ctx.close();
          }
        }
        case PingWebSocketFrame ping -> {
          // A peer that pings and does not read gets no more answers than fit.
          if (ctx.channel().isWritable() && !closing) {
            ctx.writeAndFlush(new PongWebSocketFrame(ping.content()));
          } else {
            ping.release();
          }
        }
        case PongWebSocketFrame pong -> pong.release();
        default -> {
          if (closing) {
            ReferenceCountUtil.release(frame);
          } else {
            ctx.fireChannelRead(frame);
          }
        }
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      ctx.close();
    }
  }
}
