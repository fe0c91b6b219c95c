package org.casement.session;

/// Why a session ends. `detail` is ours or cleaned by [GuestText]; at most 200 characters are
/// shown.
public record EndReason(Kind kind, String detail) {
  public enum Kind {
    USER("you ended the session"),
    CANCELLED("the session was cancelled"),
    WALLTIME("the session's time is over"),
    GUEST_SHUTDOWN("the desktop was shut down from inside"),
    /// Something that the session needs is missing or does not work on this node.
    NODE("this node cannot run the session"),
    FAILED("the session failed");

    private final String text;

    Kind(String text) {
      this.text = text;
    }

    public String text() {
      return text;
    }

    /// What contracts and logs say: `guest-shutdown`, …
    public String code() {
      return name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
    }
  }

  /// Where whoever meets a failure finds out more; the only place that says so.
  public static final String ADVICE = "casement doctor examines this node";

  public static EndReason of(Kind kind) {
    return new EndReason(kind, "");
  }

  public static EndReason failed(String detail) {
    return new EndReason(Kind.FAILED, detail);
  }

  /// One sentence for the user.
  public String text() {
    String text = detail.isEmpty() ? kind.text() : kind.text() + ": " + detail;
    return switch (kind) {
      case NODE, FAILED -> text + "; " + ADVICE;
      case USER, CANCELLED, WALLTIME, GUEST_SHUTDOWN -> text;
    };
  }
}
