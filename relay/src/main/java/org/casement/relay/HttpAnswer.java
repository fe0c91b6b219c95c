package org.casement.relay;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.jr.ob.JSON;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.function.Consumer;

/// What an [HttpHandler] wants done.
public sealed interface HttpAnswer {
  /// A response; `body` is handed over.
  record Reply(HttpResponseStatus status, HttpHeaders headers, ByteBuf body) implements HttpAnswer {
    public Reply with(CharSequence name, String value) {
      headers.add(name, value);
      return this;
    }
  }

  /// The request becomes a WebSocket; `opened` is called on its event loop, right after the
  /// response, with nothing in the pipeline but the frame codec.
  record WebSocket(Consumer<Channel> opened) implements HttpAnswer {}

  static Reply text(HttpResponseStatus status, String text) {
    return of(status, "text/plain; charset=utf-8", Unpooled.copiedBuffer(text + "\n", UTF_8));
  }

  static Reply json(HttpResponseStatus status, Map<String, ?> members) {
    try {
      return of(status, "application/json", Unpooled.wrappedBuffer(JSON.std.asBytes(members)));
    } catch (IOException impossible) {
      throw new UncheckedIOException("writing JSON into memory", impossible);
    }
  }

  /// Not to be stored by anybody.
  static Reply of(HttpResponseStatus status, String type, ByteBuf body) {
    HttpHeaders headers = new DefaultHttpHeaders();
    headers.set(HttpHeaderNames.CONTENT_TYPE, type);
    headers.set(HttpHeaderNames.CACHE_CONTROL, "no-store");
    return new Reply(status, headers, body);
  }
}
