package org.casement.relay;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.jr.ob.JSON;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.io.IOException;
import java.io.InputStream;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/// The static files of the pages, from the class path: a manifest `index.json` says which there are
/// (`{"files": [{path, type, immutable, br?, gz?}]}`), so that no request can name another
/// resource. Immutable files have their content's hash in their name.
///
/// A file is read when it is first asked for and kept outside the Java heap, once however many
/// connections are sent it.
public final class Pages {
  /// What the connector fills in when a portal's form enters (contracts/door.md).
  private static final String EMPTY_TAB = "<meta name=\"casement-tab\" content=\"\">";

  private record File(String path, String type, boolean immutable, Map<String, String> packed) {}

  private final ClassLoader loader;
  private final String base;
  private final Map<String, File> files = new HashMap<>();
  private final Map<String, ByteBuf> contents = new ConcurrentHashMap<>();
  private final String html;

  private Pages(ClassLoader loader, String base) throws IOException {
    this.loader = loader;
    this.base = base;
    Map<String, Object> manifest = JSON.std.mapFrom(read("index.json"));
    for (Object entry : (List<?>) manifest.getOrDefault("files", List.of())) {
      Map<?, ?> file = (Map<?, ?>) entry;
      Map<String, String> packed = new HashMap<>();
      if (file.get("br") instanceof String path) {
        packed.put("br", path);
      }
      if (file.get("gz") instanceof String path) {
        packed.put("gzip", path);
      }
      String path = String.valueOf(file.get("path"));
      boolean immutable = Boolean.TRUE.equals(file.get("immutable"));
      files.put(path, new File(path, String.valueOf(file.get("type")), immutable, packed));
    }
    this.html = new String(read("index.html"), UTF_8);
    if (html.split(EMPTY_TAB, -1).length != 2) {
      throw new IOException("index.html of the pages must hold once: " + EMPTY_TAB);
    }
  }

  /// The pages below `base` (`org/casement/pages/dist/`) as `loader` finds them.
  public static Pages load(ClassLoader loader, String base) throws IOException {
    return new Pages(loader, base);
  }

  /// The file at `path`, in the best encoding that `acceptEncoding` names.
  Optional<HttpAnswer.Reply> file(String path, String acceptEncoding) {
    File file = files.get(path.isEmpty() ? "index.html" : path);
    if (file == null) {
      return Optional.empty();
    }
    HttpHeaders headers = new DefaultHttpHeaders();
    headers.set(HttpHeaderNames.CONTENT_TYPE, file.type());
    headers.set(
        HttpHeaderNames.CACHE_CONTROL,
        file.immutable() ? "private, max-age=31536000, immutable" : "no-store");
    String resource = file.path();
    if (!file.packed().isEmpty()) {
      headers.set(HttpHeaderNames.VARY, HttpHeaderNames.ACCEPT_ENCODING);
      for (String encoding : List.of("br", "gzip")) {
        String packed = file.packed().get(encoding);
        if (packed != null && accepts(acceptEncoding, encoding)) {
          headers.set(HttpHeaderNames.CONTENT_ENCODING, encoding);
          resource = packed;
          break;
        }
      }
    }
    return Optional.of(new HttpAnswer.Reply(HttpResponseStatus.OK, headers, content(resource)));
  }

  /// The page for a portal's form: `tab` is `TAB.SECRET`, or empty where nobody was let in.
  HttpAnswer.Reply html(HttpResponseStatus status, String tab) {
    String filled = html.replace(EMPTY_TAB, EMPTY_TAB.replace("\"\"", "\"" + tab + "\""));
    return HttpAnswer.of(status, "text/html; charset=utf-8", Unpooled.copiedBuffer(filled, UTF_8));
  }

  private ByteBuf content(String resource) {
    // Read on the event loop, once a file: a few milliseconds from this program's own jar.
    return contents
        .computeIfAbsent(
            resource,
            missing -> {
              byte[] bytes;
              try {
                bytes = read(missing);
              } catch (IOException broken) {
                throw new java.io.UncheckedIOException(broken);
              }
              ByteBuf direct = Unpooled.directBuffer(bytes.length, Math.max(1, bytes.length));
              return Unpooled.unreleasableBuffer(direct.writeBytes(bytes).asReadOnly());
            })
        .duplicate();
  }

  private byte[] read(String resource) throws IOException {
    try (InputStream in = loader.getResourceAsStream(base + resource)) {
      if (in == null) {
        throw new IOException("not on the class path: " + base + resource);
      }
      return in.readAllBytes();
    }
  }

  /// Whether `encoding` is named with another weight than none (RFC 9110, 12.5.3); `*` is left out,
  /// browsers name what they take.
  private static boolean accepts(String acceptEncoding, String encoding) {
    for (String offer : acceptEncoding.split(",", -1)) {
      String[] parts = offer.trim().split("\\s*;\\s*", 2);
      if (parts[0].equalsIgnoreCase(encoding)) {
        return parts.length == 1 || !parts[1].matches("q=0(\\.0*)?");
      }
    }
    return false;
  }
}
