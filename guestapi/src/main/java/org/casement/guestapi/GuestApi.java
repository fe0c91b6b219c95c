package org.casement.guestapi;

import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Map;
import java.util.function.Consumer;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.guestapi.GuestRequest;
import org.casement.protocol.guestapi.SessionDocument;
import org.casement.relay.EventLoops;
import org.casement.relay.HttpAnswer;
import org.casement.relay.HttpLimits;
import org.casement.relay.HttpServer;
import org.casement.relay.Refusals;
import org.casement.session.EventLog;
import org.casement.session.Secret;

/// What the agent in the guest talks to (contracts/guest-api.md): it trades the boot token for the
/// session document, tells how far it is, and hears notices in answer to its heartbeats.
///
/// Everything in the guest reaches this server, and the guest is hostile: nothing happens without
/// boot token or credential, what is past a limit is refused while the session goes on, and no text
/// of the guest comes back to it or enters the log. Requests are answered on event loops.
///
/// Every answer ends its connection. One that is idle is closed after ten seconds, which is just
/// when the next heartbeat comes: it would be lost now and then.
public final class GuestApi implements AutoCloseable {
  /// contracts/guest-api.md, "Limits".
  static final HttpLimits LIMITS =
      new HttpLimits(8192, 8192, GuestRequest.LIMIT_BYTES, Duration.ofSeconds(10), 16);

  /// contracts/guest-api.md, "Limits". The agent needs one in ten seconds, and a dozen at the
  /// start.
  static final int REQUESTS_PER_SECOND_LIMIT = 50;

  private static final String TRADE = "/v1/trade";

  /// Why the guest was refused, for the log.
  private enum Refusal {
    TOO_MANY_REQUESTS,
    UNKNOWN_CALL,
    NOT_JSON,
    NO_CREDENTIAL,
    BAD_BODY,
    WRONG_TOKEN,
    TRADED_BEFORE
  }

  /// Answers a request whose sender may speak.
  private interface Call {
    HttpAnswer.Reply answer(byte[] body) throws ProtocolException;
  }

  private final Map<String, Call> calls =
      Map.of(
          TRADE,
          this::trade,
          "/v1/progress",
          this::progress,
          "/v1/ready",
          this::ready,
          "/v1/heartbeat",
          this::heartbeat);
  private final SessionDocument document;
  private final Consumer<GuestEvent> events;
  private final Admission admission;
  private final Notices notices;
  private final RequestRate rate;
  private final Refusals<Refusal> refusals;
  private final HttpServer server;

  GuestApi(
      EventLoops loops,
      InetSocketAddress address,
      HttpLimits limits,
      Secret bootToken,
      SessionDocument document,
      Consumer<GuestEvent> events,
      InstantSource clock,
      SecureRandom random,
      EventLog log)
      throws IOException {
    this.document = document;
    this.events = events;
    this.admission = new Admission(bootToken, random);
    this.notices = new Notices(clock);
    this.rate = new RequestRate(REQUESTS_PER_SECOND_LIMIT, clock);
    this.refusals = new Refusals<>("guest-refused", Refusal.class, log, clock);
    this.server = HttpServer.bind(loops, address, limits, this::answer);
  }

  /// Serves on `address`, with the boot token armed.
  ///
  /// @param bootToken the guest presents it as `casement:1:` and its base64url
  /// @param events called on an event loop; must return at once
  public static GuestApi open(
      EventLoops loops,
      InetSocketAddress address,
      Secret bootToken,
      SessionDocument document,
      Consumer<GuestEvent> events,
      InstantSource clock,
      SecureRandom random,
      EventLog log)
      throws IOException {
    return new GuestApi(loops, address, LIMITS, bootToken, document, events, clock, random, log);
  }

  public InetSocketAddress address() {
    return server.address();
  }

  /// The guest was reset: arms the boot token again, once in the session's life. Whether a trade is
  /// open now; if not, this guest will never speak again. A reset before the first trade costs
  /// nothing.
  public boolean rearm() {
    return admission.rearm();
  }

  /// Every answer to a heartbeat tells the guest's user that the session ends by itself in `left`,
  /// until the guest says that it was seen.
  public void announceWalltime(Duration left, String text) {
    notices.addWalltime(left, text);
  }

  /// Stops listening and closes every connection.
  @Override
  public void close() {
    server.close();
    refusals.flush();
  }

  private HttpAnswer.Reply answer(FullHttpRequest request) {
    HttpUtil.setKeepAlive(request, false);
    if (!rate.admits()) {
      return refuse(
          HttpResponseStatus.TOO_MANY_REQUESTS,
          Refusal.TOO_MANY_REQUESTS,
          "more than " + REQUESTS_PER_SECOND_LIMIT + " requests a second");
    }
    Call call = calls.get(request.uri());
    if (call == null) {
      return refuse(HttpResponseStatus.NOT_FOUND, Refusal.UNKNOWN_CALL, "not found");
    }
    if (!request.method().equals(HttpMethod.POST)) {
      return refuse(HttpResponseStatus.METHOD_NOT_ALLOWED, Refusal.UNKNOWN_CALL, "only POST")
          .with(HttpHeaderNames.ALLOW, "POST");
    }
    if (!isJson(request)) {
      return refuse(
          HttpResponseStatus.UNSUPPORTED_MEDIA_TYPE, Refusal.NOT_JSON, "JSON is expected");
    }
    // SECURITY: whatever runs in the guest reaches this; only the agent knows the credential.
    if (!request.uri().equals(TRADE) && !admission.admits(request.headers())) {
      return refuse(HttpResponseStatus.UNAUTHORIZED, Refusal.NO_CREDENTIAL, "trade first")
          .with(HttpHeaderNames.WWW_AUTHENTICATE, "Bearer");
    }
    try {
      return call.answer(ByteBufUtil.getBytes(request.content()));
    } catch (ProtocolException malformed) {
      return refuse(HttpResponseStatus.BAD_REQUEST, Refusal.BAD_BODY, malformed.getMessage());
    }
  }

  private static boolean isJson(FullHttpRequest request) {
    String type = request.headers().get(HttpHeaderNames.CONTENT_TYPE, "").split(";", 2)[0].trim();
    return HttpHeaderValues.APPLICATION_JSON.contentEqualsIgnoreCase(type);
  }

  private HttpAnswer.Reply trade(byte[] body) throws ProtocolException {
    GuestRequest.Trade trade = GuestRequest.trade(body);
    return switch (admission.trade(trade.token())) {
      case Admission.Outcome.Traded(Secret credential) -> {
        events.accept(new GuestEvent.Traded(trade.agent()));
        yield json(document.json(credential));
      }
      case Admission.Outcome.WrongToken() ->
          refuse(HttpResponseStatus.FORBIDDEN, Refusal.WRONG_TOKEN, "wrong token");
      case Admission.Outcome.TradedBefore() ->
          refuse(HttpResponseStatus.CONFLICT, Refusal.TRADED_BEFORE, "traded before");
    };
  }

  private HttpAnswer.Reply progress(byte[] body) throws ProtocolException {
    GuestRequest.Progress progress = GuestRequest.progress(body);
    events.accept(new GuestEvent.Progressed(progress.code(), progress.text()));
    return nothing();
  }

  private HttpAnswer.Reply ready(byte[] body) throws ProtocolException {
    events.accept(new GuestEvent.Ready(GuestRequest.ready(body).rdp()));
    return nothing();
  }

  private HttpAnswer.Reply heartbeat(byte[] body) throws ProtocolException {
    GuestRequest.Heartbeat heartbeat = GuestRequest.heartbeat(body);
    events.accept(new GuestEvent.Heartbeat(heartbeat.idleSeconds()));
    return json(notices.after(heartbeat.seen()).json());
  }

  private static HttpAnswer.Reply json(byte[] body) {
    return HttpAnswer.of(HttpResponseStatus.OK, "application/json", Unpooled.wrappedBuffer(body));
  }

  private static HttpAnswer.Reply nothing() {
    return new HttpAnswer.Reply(
        HttpResponseStatus.NO_CONTENT, new DefaultHttpHeaders(), Unpooled.EMPTY_BUFFER);
  }

  private HttpAnswer.Reply refuse(HttpResponseStatus status, Refusal refusal, String error) {
    refusals.count(refusal);
    return HttpAnswer.json(status, Map.of("error", error));
  }
}
