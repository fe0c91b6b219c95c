package org.casement.relay;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/// Whether the page that sends a request is one of ours: the host and port of its `Origin` are
/// those it reached us by, `Host` or, behind a portal, `X-Forwarded-Host`. A page elsewhere can set
/// none of the three.
final class Origin {
  private Origin() {}

  static boolean isOwn(HttpHeaders headers) {
    List<String> origins = headers.getAll(HttpHeaderNames.ORIGIN);
    if (origins.size() != 1) {
      return false;
    }
    String[] origin = origins.getFirst().toLowerCase(Locale.ROOT).split("://", 2);
    String port =
        switch (origin[0]) {
          case "http" -> ":80";
          case "https" -> ":443";
          default -> "";
        };
    if (origin.length != 2 || port.isEmpty()) {
      return false; // `null`, from a sandboxed frame, or an extension's page
    }
    return Stream.concat(
            headers.getAll(HttpHeaderNames.HOST).stream(),
            headers.getAll("X-Forwarded-Host").stream().flatMap(h -> Stream.of(h.split(",", -1))))
        .map(host -> withPort(host.trim().toLowerCase(Locale.ROOT), port))
        .anyMatch(withPort(origin[1], port)::equals);
  }

  private static String withPort(String host, String port) {
    return host.matches(".*:[0-9]+") ? host : host + port;
  }
}
