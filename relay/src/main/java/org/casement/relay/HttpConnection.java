package org.casement.relay;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.EmptyHttpHeaders;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.websocketx.WebSocketDecoderConfig;
import io.netty.handler.codec.http.websocketx.WebSocketHandshakeException;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshaker;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshakerFactory;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// One connection of an [HttpServer]: one request at a time, each within its time, until it closes
/// or becomes a WebSocket.
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
final class HttpConnection extends SimpleChannelInboundHandler<FullHttpRequest> {
  /// Longest time for one answer to be taken: the largest is 1.6 MB, so 14 KB/s is enough.
  private static final int ANSWER_LIMIT_SECONDS = 120;

  /// Largest WebSocket frame until both sides have proven themselves (contracts/door.md).
  static final int UNPROVEN_FRAME_LIMIT_BYTES = 1024;

  private final HttpServer server;
  private final HttpLimits limits;
  private final HttpHandler handler;
  private @Nullable Future<?> deadline;
  private boolean answering;

  HttpConnection(HttpServer server, HttpLimits limits, HttpHandler handler) {
    this.server = server;
    this.limits = limits;
    this.handler = handler;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    closeAfter(ctx, limits.request().toMillis());
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    if (deadline != null) {
      deadline.cancel(false);
    }
  }

  @Override
  protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest request) {
    if (answering) { // pipelined, which no browser does; its answers would wait in memory
      ctx.close();
      return;
    }
    if (request.decoderResult().isFailure()) {
      boolean tooLong = request.decoderResult().cause() instanceof TooLongFrameException;
      HttpUtil.setKeepAlive(request, false);
      reply(
          ctx,
          request,
          tooLong
              ? HttpAnswer.text(HttpResponseStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too long")
              : HttpAnswer.text(HttpResponseStatus.BAD_REQUEST, "not HTTP"));
      return;
    }
    HttpAnswer answer = handler.answer(request);
    switch (answer) {
      case HttpAnswer.Reply reply -> reply(ctx, request, reply);
      case HttpAnswer.WebSocket webSocket -> upgrade(ctx, request, webSocket);
    }
  }

  private void reply(ChannelHandlerContext ctx, FullHttpRequest request, HttpAnswer.Reply reply) {
    answering = true;
    ctx.channel().config().setAutoRead(false);
    closeAfter(ctx, TimeUnit.SECONDS.toMillis(ANSWER_LIMIT_SECONDS));
    int length = reply.body().readableBytes();
    ByteBuf body = reply.body();
    if (request.method().equals(HttpMethod.HEAD)) {
      body.release();
      body = Unpooled.EMPTY_BUFFER;
    }
    DefaultFullHttpResponse response =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1, reply.status(), body, reply.headers(), EmptyHttpHeaders.INSTANCE);
    boolean keepAlive = HttpUtil.isKeepAlive(request);
    response.headers().setInt(HttpHeaderNames.CONTENT_LENGTH, length);
    HttpUtil.setKeepAlive(response.headers(), HttpVersion.HTTP_1_1, keepAlive);
    ctx.writeAndFlush(response)
        .addListener(
            written -> {
              if (!written.isSuccess() || !keepAlive) {
                ctx.close();
                return;
              }
              answering = false;
              closeAfter(ctx, limits.request().toMillis());
              ctx.channel().config().setAutoRead(true);
            });
  }

  private void upgrade(
      ChannelHandlerContext ctx, FullHttpRequest request, HttpAnswer.WebSocket webSocket) {
    WebSocketDecoderConfig frames =
        WebSocketDecoderConfig.newBuilder()
            .maxFramePayloadLength(UNPROVEN_FRAME_LIMIT_BYTES)
            .allowExtensions(false)
            .build();
    // noVNC and others may offer `binary`; a browser gives up where nothing it offered is chosen.
    WebSocketServerHandshaker handshaker =
        new WebSocketServerHandshakerFactory("", "binary", frames).newHandshaker(request);
    if (handshaker == null) {
      reply(
          ctx,
          request,
          HttpAnswer.text(HttpResponseStatus.UPGRADE_REQUIRED, "WebSocket version 13 only")
              .with(HttpHeaderNames.SEC_WEBSOCKET_VERSION, "13"));
      return;
    }
    try {
      handshaker.handshake(ctx.channel(), request);
    } catch (WebSocketHandshakeException malformed) {
      reply(ctx, request, HttpAnswer.text(HttpResponseStatus.BAD_REQUEST, "not a WebSocket"));
      return;
    }
    server.forget(ctx.channel());
    ctx.pipeline().remove(this);
    webSocket.opened().accept(ctx.channel());
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    // A peer's reset or garbage closes its connection; a bug of ours must not stay silent.
    if (cause instanceof RuntimeException bug
        && !(cause instanceof io.netty.handler.codec.CodecException)) {
      Thread thread = Thread.currentThread();
      thread.getUncaughtExceptionHandler().uncaughtException(thread, bug);
    }
    ctx.close();
  }

  private void closeAfter(ChannelHandlerContext ctx, long millis) {
    if (deadline != null) {
      deadline.cancel(false);
    }
    deadline = ctx.executor().schedule(() -> ctx.close(), millis, TimeUnit.MILLISECONDS);
  }
}
