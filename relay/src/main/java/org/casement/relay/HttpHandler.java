package org.casement.relay;

import io.netty.handler.codec.http.FullHttpRequest;

/// Answers requests. Runs on an event loop: it must not block, and what it throws is a bug of ours
/// (answered with 500). The request is released when it returns.
public interface HttpHandler {
  HttpAnswer answer(FullHttpRequest request);
}
