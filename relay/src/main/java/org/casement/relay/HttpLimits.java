package org.casement.relay;

import java.time.Duration;

/// What a client of an [HttpServer] may take. `request` is the time from the connection's start, or
/// from the answer before, until a request is complete: slow headers, slow bodies and idle
/// connections end alike.
public record HttpLimits(
    int lineBytes, int headerBytes, int bodyBytes, Duration request, int connections) {
  /// For browsers: 8 KiB is what Apache, which a portal puts before us, allows a line; the largest
  /// body is a form with a token.
  public static final HttpLimits OF_BROWSERS =
      new HttpLimits(8192, 8192, 4096, Duration.ofSeconds(10), 256);
}
