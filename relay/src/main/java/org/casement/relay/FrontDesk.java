package org.casement.relay;

import io.netty.buffer.ByteBufUtil;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.door.EntryForm;
import org.casement.protocol.door.PageMessage;
import org.casement.session.Secret;

/// One listener of a session as a browser sees it: the pages, the entry, and the WebSockets
/// (contracts/door.md), below any prefix that a portal adds.
///
/// SECURITY: whoever reaches the listener can ask anything; nothing of the session is given before
/// cookie, origin and both proofs are right.
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
public final class FrontDesk implements AutoCloseable {
  /// Tried with both engines: `wasm-unsafe-eval` compiles the RDP engine, `data:` and `blob:`
  /// images are mouse pointers. Nothing inline, nothing from elsewhere.
  static final String CONTENT_SECURITY_POLICY =
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self';"
          + " img-src 'self' data: blob:; style-src 'self'; frame-ancestors 'self';"
          + " base-uri 'none'; form-action 'self'";

  /// For the close frames when the listener goes; the peers' own limit is in [ProvenSocket].
  private static final int CLOSE_LIMIT_SECONDS = 1;

  private final Desk desk;
  private final Map<String, Consumer<ProvenSocket>> routes;
  private final Set<ProvenSocket> sockets = ConcurrentHashMap.newKeySet();
  private final HttpServer server;

  private FrontDesk(Desk desk, int fd, List<Route> shown) throws IOException {
    this.desk = desk;
    this.routes =
        new HashMap<>(
            Map.of(
                "events",
                new EventsRoute(desk, shown)::open,
                "thumbnail",
                new ThumbnailRoute(desk)::open));
    shown.forEach(route -> routes.put(route.name(), route.opened()));
    this.server = HttpServer.adopt(desk.loops(), fd, HttpLimits.OF_BROWSERS, this::answer);
  }

  /// Serves on the inherited listener `fd`, which it closes at the end.
  public static FrontDesk open(Desk desk, int fd, Route... shown) throws IOException {
    return new FrontDesk(desk, fd, List.of(shown));
  }

  public InetSocketAddress address() {
    return server.address();
  }

  /// Open WebSockets whose pages have proven themselves.
  int pages() {
    return sockets.size();
  }

  /// Stops listening; pages are told that the session ends.
  @Override
  public void close() {
    server.close();
    sockets.forEach(socket -> socket.close(CloseCode.GOING_AWAY, "the session ends"));
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(CLOSE_LIMIT_SECONDS);
    for (ProvenSocket socket : sockets) {
      long left = Math.max(0, deadline - System.nanoTime());
      if (!socket.channel().closeFuture().awaitUninterruptibly(left, TimeUnit.NANOSECONDS)) {
        socket.channel().close();
      }
    }
    desk.door().refusals().flush();
  }

  private HttpAnswer answer(FullHttpRequest request) {
    HttpAnswer answer = route(request);
    if (answer instanceof HttpAnswer.Reply reply) {
      harden(reply.headers());
    }
    return answer;
  }

  private static void harden(HttpHeaders headers) {
    headers.set("Content-Security-Policy", CONTENT_SECURITY_POLICY);
    headers.set("X-Content-Type-Options", "nosniff");
    headers.set("Referrer-Policy", "no-referrer");
    headers.set("Cross-Origin-Opener-Policy", "same-origin");
    headers.set("Cross-Origin-Resource-Policy", "same-origin");
  }

  private HttpAnswer route(FullHttpRequest request) {
    RequestPath path = RequestPath.of(request.uri());
    if (path.redirect().isPresent()) {
      return redirect(path.redirect().get());
    }
    if (path.file().equals("enter")) {
      return request.method().equals(HttpMethod.POST) ? enter(request) : redirect("./");
    }
    boolean get = request.method().equals(HttpMethod.GET);
    if (!get && !request.method().equals(HttpMethod.HEAD)) {
      return HttpAnswer.text(HttpResponseStatus.METHOD_NOT_ALLOWED, "method not allowed");
    }
    if (path.file().startsWith("ws/")) {
      return webSocket(request, path.file().substring("ws/".length()));
    }
    return desk.pages()
        .file(path.file(), request.headers().get(HttpHeaderNames.ACCEPT_ENCODING, ""))
        .orElseGet(() -> HttpAnswer.text(HttpResponseStatus.NOT_FOUND, "not found"));
  }

  private static HttpAnswer.Reply redirect(String location) {
    return HttpAnswer.text(HttpResponseStatus.SEE_OTHER, "see " + location)
        .with(HttpHeaderNames.LOCATION, location);
  }

  private HttpAnswer enter(FullHttpRequest request) {
    HttpHeaders headers = request.headers();
    String type = headers.get(HttpHeaderNames.CONTENT_TYPE, "").split(";", 2)[0].trim();
    boolean form = HttpHeaderValues.APPLICATION_X_WWW_FORM_URLENCODED.contentEqualsIgnoreCase(type);
    if (!form && !HttpHeaderValues.APPLICATION_JSON.contentEqualsIgnoreCase(type)) {
      return error(HttpResponseStatus.UNSUPPORTED_MEDIA_TYPE, "a form or JSON is expected");
    }
    // A program that is no browser sends none and gains nothing by that: it needs a link either
    // way.
    if (headers.contains(HttpHeaderNames.ORIGIN) && !Origin.isOwn(headers)) {
      desk.door().refusals().count(Door.Refusal.OTHER_ORIGIN);
      return error(HttpResponseStatus.FORBIDDEN, "this comes from another site");
    }
    Optional<Door.Entry> entry;
    try {
      byte[] body = ByteBufUtil.getBytes(request.content());
      entry =
          desk.door().enter(form ? EntryForm.token(body) : PageMessage.entryToken(body), headers);
    } catch (ProtocolException malformed) {
      desk.door().refusals().count(Door.Refusal.BAD_MESSAGE);
      return error(HttpResponseStatus.BAD_REQUEST, malformed.getMessage());
    }
    if (entry.isEmpty()) {
      return form
          ? desk.pages().html(HttpResponseStatus.FORBIDDEN, "")
          : error(
              HttpResponseStatus.FORBIDDEN,
              "this link is wrong, was used already, or is too old; ask for another");
    }
    Tab tab = entry.get().tab();
    desk.log().info("entered", "tab", tab.name());
    HttpAnswer.Reply reply =
        form
            ? desk.pages().html(HttpResponseStatus.OK, tab.name() + "." + tab.secret().base64url())
            : HttpAnswer.json(
                HttpResponseStatus.OK,
                Map.of("tab", tab.name(), "secret", tab.secret().base64url()));
    entry.get().setCookie().ifPresent(cookie -> reply.with(HttpHeaderNames.SET_COOKIE, cookie));
    return reply;
  }

  private HttpAnswer webSocket(FullHttpRequest request, String name) {
    Consumer<ProvenSocket> opened = routes.get(name);
    if (opened == null) {
      return HttpAnswer.text(HttpResponseStatus.NOT_FOUND, "not found");
    }
    if (!request
        .headers()
        .containsValue(HttpHeaderNames.UPGRADE, HttpHeaderValues.WEBSOCKET, true)) {
      return HttpAnswer.text(HttpResponseStatus.UPGRADE_REQUIRED, "a WebSocket is expected")
          .with(HttpHeaderNames.UPGRADE, "websocket");
    }
    if (!Origin.isOwn(request.headers())) {
      desk.door().refusals().count(Door.Refusal.OTHER_ORIGIN);
      return HttpAnswer.text(HttpResponseStatus.FORBIDDEN, "this comes from another site");
    }
    Optional<Door.Browser> browser = desk.door().browser(request.headers());
    if (browser.isEmpty()) {
      desk.door().refusals().count(Door.Refusal.NO_COOKIE);
      return HttpAnswer.text(HttpResponseStatus.FORBIDDEN, "enter first");
    }
    Secret nonce = Secret.random(desk.random());
    return new HttpAnswer.WebSocket(
        channel ->
            channel
                .pipeline()
                .addLast(
                    new ProofHandler(
                        desk.door(),
                        browser.get(),
                        name,
                        nonce,
                        socket -> {
                          sockets.add(socket);
                          channel.closeFuture().addListener(_ -> sockets.remove(socket));
                          opened.accept(socket);
                        })));
  }

  private static HttpAnswer.Reply error(HttpResponseStatus status, String text) {
    return HttpAnswer.json(status, Map.of("error", text));
  }
}
