package org.casement.isolation;

import java.io.IOException;

/// Something could not be isolated, so it must not run. The message is one line for a person: what
/// failed, on what, who can fix it.
public final class IsolationException extends IOException {
  public IsolationException(String message) {
    super(message);
  }

  public IsolationException(String message, Throwable cause) {
    super(message, cause);
  }
}
