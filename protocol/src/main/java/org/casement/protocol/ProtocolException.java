package org.casement.protocol;

import java.util.Objects;

/// A peer broke the protocol: its connection is closed, nobody else is harmed. The message never
/// quotes more than a few of the peer's bytes.
public final class ProtocolException extends Exception {
  public ProtocolException(String message) {
    super(message);
  }

  public ProtocolException(String message, Throwable cause) {
    super(message, cause);
  }

  @Override
  public String getMessage() {
    return Objects.requireNonNull(super.getMessage());
  }
}
