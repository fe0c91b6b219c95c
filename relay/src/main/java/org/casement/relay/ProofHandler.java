package org.casement.relay;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.jr.ob.JSON;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocket13FrameDecoder;
import io.netty.handler.codec.http.websocketx.WebSocketDecoderConfig;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.door.DoorProof;
import org.casement.protocol.door.PageMessage;
import org.casement.session.Secret;
import org.jspecify.annotations.Nullable;

/// The first four messages of a WebSocket (contracts/door.md): both sides prove the tab secret.
/// Then this handler gives way to a [ProvenSocket]. Ping and pong have no business before that.
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
final class ProofHandler extends SimpleChannelInboundHandler<WebSocketFrame> {
  private static final int LIMIT_SECONDS = 10;

  /// Largest frame of a proven page. noVNC and the RDP engine stay below 64 KiB but for a clipboard
  /// or file they send in one piece.
  static final int FRAME_LIMIT_BYTES = 1 << 20;

  private final Door door;
  private final Door.Browser browser;
  private final String route;
  private final Consumer<ProvenSocket> opened;
  private final Secret nonce;
  private State state = new AwaitHello();
  private @Nullable Future<?> deadline;

  private sealed interface State {}

  private record AwaitHello() implements State {}

  private record AwaitProof(Tab tab, DoorProof proof) implements State {}

  private record Refused() implements State {}

  ProofHandler(
      Door door, Door.Browser browser, String route, Secret nonce, Consumer<ProvenSocket> opened) {
    this.door = door;
    this.browser = browser;
    this.route = route;
    this.nonce = nonce;
    this.opened = opened;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    deadline =
        ctx.executor()
            .schedule(
                () -> {
                  door.refusals().count(Door.Refusal.PROOF_TOO_SLOW);
                  ctx.close();
                },
                LIMIT_SECONDS,
                TimeUnit.SECONDS);
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    if (deadline != null) {
      deadline.cancel(false);
    }
  }

  @Override
  protected void channelRead0(ChannelHandlerContext ctx, WebSocketFrame frame) {
    if (frame instanceof CloseWebSocketFrame) {
      ctx.close();
      return;
    }
    try {
      if (!(frame instanceof TextWebSocketFrame) || !frame.isFinalFragment()) {
        throw new ProtocolException("a proof is one text message");
      }
      byte[] json = ByteBufUtil.getBytes(frame.content());
      switch (state) {
        case AwaitHello _ -> hello(ctx, PageMessage.hello(json));
        case AwaitProof(Tab tab, DoorProof proof) ->
            proof(ctx, tab, proof, PageMessage.proof(json));
        case Refused _ -> {}
      }
    } catch (ProtocolException malformed) {
      refuse(ctx, Door.Refusal.BAD_MESSAGE, CloseCode.BAD_MESSAGE, malformed.getMessage());
    }
  }

  private void hello(ChannelHandlerContext ctx, PageMessage.Hello hello) {
    Optional<Tab> tab = door.tab(browser, hello.tab());
    if (tab.isEmpty()) {
      refuse(ctx, Door.Refusal.UNKNOWN_TAB, CloseCode.ENTER_AGAIN, "enter again");
      return;
    }
    DoorProof proof = new DoorProof(tab.get().secret(), route, hello.nonce(), nonce.base64url());
    state = new AwaitProof(tab.get(), proof);
    send(ctx, Map.of("v", 1, "nonce", nonce.base64url(), "proof", proof.ofConnector()));
  }

  private void proof(
      ChannelHandlerContext ctx, Tab tab, DoorProof proof, PageMessage.Proof presented) {
    if (!proof.isOfPage(presented.proof())) {
      refuse(ctx, Door.Refusal.WRONG_PROOF, CloseCode.ENTER_AGAIN, "enter again");
      return;
    }
    send(ctx, Map.of("ok", true));
    WebSocketDecoderConfig frames =
        WebSocketDecoderConfig.newBuilder().maxFramePayloadLength(FRAME_LIMIT_BYTES).build();
    ctx.pipeline()
        .replace(WebSocket13FrameDecoder.class, "frames", new WebSocket13FrameDecoder(frames));
    ProvenSocket socket = new ProvenSocket(ctx.channel(), tab);
    if (!socket.isClosing()) { // its tab may have been forgotten since the hello
      opened.accept(socket);
    }
    // Last, so that what follows at once finds the route's handler.
    ctx.pipeline().remove(this);
  }

  private void refuse(ChannelHandlerContext ctx, Door.Refusal reason, CloseCode code, String text) {
    state = new Refused();
    door.refusals().count(reason);
    ctx.writeAndFlush(new CloseWebSocketFrame(code.number(), ProvenSocket.shortened(text)))
        .addListener(
            _ -> ctx.channel().eventLoop().schedule(() -> ctx.close(), 1, TimeUnit.SECONDS));
  }

  private static void send(ChannelHandlerContext ctx, Map<String, ?> members) {
    try {
      byte[] json = JSON.std.asBytes(members);
      ctx.writeAndFlush(new TextWebSocketFrame(new String(json, UTF_8)));
    } catch (IOException impossible) {
      throw new java.io.UncheckedIOException("writing JSON into memory", impossible);
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    door.refusals().count(Door.Refusal.BAD_MESSAGE);
    ctx.close();
  }
}
