package org.casement.session;

/// This session cannot go on. The message says what failed, on what, and who can fix it: lower
/// case, no full stop; the user reads it.
public final class SessionException extends Exception {
  public SessionException(String message) {
    super(message);
  }

  public SessionException(String message, Throwable cause) {
    super(message, cause);
  }
}
