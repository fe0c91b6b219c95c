package org.casement.relay;

import com.fasterxml.jackson.jr.ob.JSON;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.door.PageMessage;
import org.casement.session.EndReason;
import org.casement.session.PowerAction;
import org.casement.session.SessionEvent;
import org.casement.session.SessionState;
import org.casement.session.SessionStory;
import org.casement.session.Step;
import org.jspecify.annotations.Nullable;

/// `ws/events`: tells a page the session's story (contracts/door.md), and takes its commands.
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
final class EventsRoute {
  /// Events handed to the event loop and not yet written. A session's whole past is some thirty.
  static final int QUEUE_LIMIT = 256;

  /// Bytes written and not taken by the page. A page that leaves so much unread is gone.
  static final int UNREAD_LIMIT_BYTES = 64 * 1024;

  /// So often a page hears something, so that it notices a connection that has silently gone.
  static final int ALIVE_SECONDS = 5;

  /// Each is logged; a person presses a button now and then.
  static final int COMMANDS_LIMIT = 100;

  /// The contract's "or null" is said, not left out.
  private static final JSON EVENTS = JSON.std.with(JSON.Feature.WRITE_NULL_PROPERTIES);

  private final Desk desk;
  private final List<Route> shown;

  EventsRoute(Desk desk, List<Route> shown) {
    this.desk = desk;
    this.shown = shown;
  }

  void open(ProvenSocket socket) {
    Teller teller = new Teller(socket);
    socket.addHandler(new Commands(socket, teller));
    teller.write(session());
    SessionStory.Subscription subscription = desk.story().follow(teller::tell);
    Future<?> alive =
        socket
            .channel()
            .eventLoop()
            .scheduleAtFixedRate(teller::alive, ALIVE_SECONDS, ALIVE_SECONDS, TimeUnit.SECONDS);
    socket
        .channel()
        .closeFuture()
        .addListener(
            _ -> {
              alive.cancel(false);
              subscription.close();
            });
  }

  private Map<String, @Nullable Object> session() {
    SessionStory story = desk.story();
    Map<String, @Nullable Object> session = new LinkedHashMap<>();
    session.put("type", "session");
    session.put("id", story.id().value());
    session.put("now", story.now().toEpochMilli());
    session.put("start", story.start().toEpochMilli());
    session.put(
        "walltimeEnd", story.walltimeEnd().map(end -> (Object) end.toEpochMilli()).orElse(null));
    session.put(
        "steps",
        Stream.of(Step.values())
            .map(step -> Map.of("code", step.code(), "text", step.text()))
            .toList());
    session.put("desktop", route(Route.Shows.DESKTOP));
    session.put("screen", route(Route.Shows.SCREEN));
    session.put("sound", route(Route.Shows.SOUND));
    session.put("promise", desk.promise());
    session.put("power", powerAllowed().stream().map(PowerAction::code).toList());
    return session;
  }

  private @Nullable String route(Route.Shows what) {
    return shown.stream()
        .filter(route -> route.shows() == what)
        .map(Route::name)
        .findFirst()
        .orElse(null);
  }

  /// The buttons of this listener's page, in the order of the enumeration.
  private Set<PowerAction> powerAllowed() {
    Set<PowerAction> allowed = EnumSet.noneOf(PowerAction.class);
    if (route(Route.Shows.SCREEN) != null) {
      allowed.addAll(desk.power().allowed());
    }
    return allowed;
  }

  static Map<String, @Nullable Object> members(SessionEvent event) {
    Map<String, @Nullable Object> members = new LinkedHashMap<>();
    switch (event) {
      case SessionEvent.StateChanged(_, SessionState state) -> {
        members.put("type", "state");
        members.put("state", state.code());
        switch (state) {
          case SessionState.Draining(EndReason reason, java.time.Instant deadline) -> {
            members.put("reason", reason(reason));
            members.put("deadline", deadline.toEpochMilli());
          }
          case SessionState.Ended(EndReason reason) -> members.put("reason", reason(reason));
          case SessionState.Preparing _, SessionState.Booting _, SessionState.Ready _ -> {}
        }
      }
      case SessionEvent.StepChanged step -> {
        members.put("type", "step");
        members.put("step", step.step().code());
        members.put("status", step.status().code());
        members.put("sinceStartMs", step.sinceStart().toMillis());
        members.put("text", step.text());
      }
      case SessionEvent.Warning warning -> {
        members.put("type", "warning");
        members.put("text", warning.text());
      }
      case SessionEvent.TroubleBegan began -> {
        members.put("type", "trouble");
        members.put("what", began.trouble().code());
        members.put("text", began.text());
      }
      case SessionEvent.TroubleOver over -> {
        members.put("type", "trouble-over");
        members.put("what", over.trouble().code());
      }
      case SessionEvent.WalltimeNotice notice -> {
        members.put("type", "walltime");
        members.put("secondsLeft", notice.left().toSeconds());
      }
    }
    return members;
  }

  private static Map<String, Object> reason(EndReason reason) {
    return Map.of("code", reason.kind().code(), "text", reason.text());
  }

  /// Carries events from the teller's thread to one page.
  private static final class Teller {
    private final ProvenSocket socket;
    private final Channel channel;
    private final AtomicInteger queued = new AtomicInteger();

    Teller(ProvenSocket socket) {
      this.socket = socket;
      this.channel = socket.channel();
    }

    void tell(SessionEvent event) {
      if (queued.incrementAndGet() > QUEUE_LIMIT) {
        channel.close();
        return;
      }
      channel
          .eventLoop()
          .execute(
              () -> {
                queued.decrementAndGet();
                write(members(event));
                if (event
                    instanceof SessionEvent.StateChanged(_, SessionState.Ended(EndReason why))) {
                  socket.close(CloseCode.NORMAL, why.text());
                }
              });
    }

    /// Where the page takes what it is sent; a page that does not read hears nothing anyway.
    void alive() {
      if (channel.isWritable() && !socket.isClosing()) {
        write(Map.of("type", "alive"));
      }
    }

    void write(Map<String, @Nullable Object> members) {
      try {
        channel.writeAndFlush(new TextWebSocketFrame(EVENTS.asString(members)));
      } catch (IOException impossible) {
        throw new UncheckedIOException("writing JSON into memory", impossible);
      }
      var outbound = channel.unsafe().outboundBuffer();
      if (outbound != null && outbound.totalPendingWriteBytes() > UNREAD_LIMIT_BYTES) {
        channel.close();
      }
    }
  }

  private final class Commands extends SimpleChannelInboundHandler<WebSocketFrame> {
    private final ProvenSocket socket;
    private final Teller teller;
    private int commands;

    Commands(ProvenSocket socket, Teller teller) {
      this.socket = socket;
      this.teller = teller;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, WebSocketFrame frame) {
      try {
        if (!(frame instanceof TextWebSocketFrame) || !frame.isFinalFragment()) {
          throw new ProtocolException("a command is one text message");
        }
        PageMessage.Command command = PageMessage.command(ByteBufUtil.getBytes(frame.content()));
        if (!(command instanceof PageMessage.Echo) && ++commands > COMMANDS_LIMIT) {
          throw new ProtocolException("too many commands");
        }
        switch (command) {
          case PageMessage.End _ -> {
            desk.log().info("end-asked", "by", "page");
            desk.endSession().run();
          }
          case PageMessage.Power(PowerAction action) -> power(action);
          case PageMessage.Echo(int id) -> teller.write(answer("echo", "id", id));
        }
      } catch (ProtocolException malformed) {
        socket.close(CloseCode.BAD_MESSAGE, malformed.getMessage());
      }
    }

    private static Map<String, @Nullable Object> answer(String type, String name, Object value) {
      Map<String, @Nullable Object> answer = new LinkedHashMap<>();
      answer.put("type", type);
      answer.put(name, value);
      return answer;
    }

    /// SECURITY: a page shows only what is allowed; what it sends is another matter.
    private void power(PowerAction action) {
      boolean allowed = powerAllowed().contains(action);
      String event = allowed ? "power-asked" : "power-refused";
      desk.log().info(event, "action", action.code(), "tab", socket.tab().name());
      if (allowed) {
        desk.power().press().accept(action);
      } else {
        teller.write(answer("refused", "text", "this session does not allow " + action.code()));
      }
    }
  }
}
