package org.casement.web;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.credssp.CredSspClient;
import org.casement.protocol.credssp.CredSspClient.Step;
import org.casement.protocol.credssp.LogonFailure;
import org.casement.protocol.credssp.TsRequest;
import org.jspecify.annotations.Nullable;

/// Network level authentication with the desktop, between TLS and RDP; then gives way. It has the
/// last word of itself: one call of [Outcome].
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
final class NetworkLogin extends ByteToMessageDecoder {
  /// A guest in software computes two seconds on it, an overloaded one many more.
  static final int LIMIT_SECONDS = 30;

  /// Long enough to tell the length of a message.
  private static final int HEAD_BYTES = 4;

  /// How it ended.
  interface Outcome {
    /// The account is in. What the desktop sends from now on is RDP.
    void done();

    /// The desktop does not let the account in.
    ///
    /// @param status the desktop's NTSTATUS; 0 where it only closed the connection
    void refused(LogonFailure why, int status);

    /// The desktop broke the protocol.
    void broken(String how);

    /// The desktop went away, or was silent for too long.
    void lost(boolean silent);
  }

  private final CredSspClient credSsp;
  private final Outcome outcome;
  private @Nullable Future<?> deadline;
  private boolean over;

  NetworkLogin(CredSspClient credSsp, Outcome outcome) {
    this.credSsp = credSsp;
    this.outcome = outcome;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    deadline =
        ctx.executor()
            .schedule(() -> end(ctx, () -> outcome.lost(true)), LIMIT_SECONDS, TimeUnit.SECONDS);
    ctx.writeAndFlush(Unpooled.wrappedBuffer(credSsp.begin()));
  }

  @Override
  protected void handlerRemoved0(ChannelHandlerContext ctx) {
    if (deadline != null) {
      deadline.cancel(false);
    }
  }

  @Override
  protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
    if (over) {
      in.skipBytes(in.readableBytes());
      return;
    }
    try {
      byte[] head = new byte[Math.min(in.readableBytes(), HEAD_BYTES)];
      in.getBytes(in.readerIndex(), head);
      OptionalInt length = TsRequest.length(head);
      if (length.isEmpty() || in.readableBytes() < length.getAsInt()) {
        return;
      }
      byte[] message = new byte[length.getAsInt()];
      in.readBytes(message);
      switch (credSsp.receive(message)) {
        case Step.Send(byte[] next) -> ctx.writeAndFlush(Unpooled.wrappedBuffer(next));
        case Step.Finish(byte[] last) -> {
          over = true;
          ctx.writeAndFlush(Unpooled.wrappedBuffer(last));
          outcome.done();
          ctx.pipeline().remove(this); // what follows, if anything, goes to who came in done()
        }
        case Step.Refused(LogonFailure why, int status) ->
            end(ctx, () -> outcome.refused(why, status));
      }
    } catch (ProtocolException malformed) {
      end(ctx, () -> outcome.broken(malformed.getMessage()));
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    end(
        ctx,
        credSsp.awaitsVerdict()
            ? () -> outcome.refused(LogonFailure.WRONG_PASSWORD, 0)
            : () -> outcome.lost(false));
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    ctx.close();
  }

  private void end(ChannelHandlerContext ctx, Runnable tell) {
    if (!over) {
      over = true;
      tell.run();
      ctx.close();
    }
  }
}
