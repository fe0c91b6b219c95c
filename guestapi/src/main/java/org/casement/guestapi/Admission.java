package org.casement.guestapi;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.security.SecureRandom;
import java.util.Optional;
import org.casement.session.Secret;

/// Who may speak: the boot token opens one trade, and one more after a reset; a trade makes the
/// credential that every other call carries, and voids the one before. Thread-safe.
///
/// INVARIANT: at most two trades in a session's life.
final class Admission {
  /// What the supervisor puts before the token in the machine's SMBIOS.
  static final String TOKEN_PREFIX = "casement:1:";

  private static final String SCHEME = "Bearer ";

  sealed interface Outcome {
    record Traded(Secret credential) implements Outcome {}

    record WrongToken() implements Outcome {}

    /// The token is right but is not armed.
    record TradedBefore() implements Outcome {}
  }

  /// The boot token moves `ARMED → USED → ARMED_AGAIN → USED_UP`, never backwards.
  private enum BootToken {
    ARMED,
    USED,
    ARMED_AGAIN,
    USED_UP
  }

  private final Secret presentedToken;
  private final SecureRandom random;
  private BootToken bootToken = BootToken.ARMED;
  private Optional<Secret> bearer = Optional.empty();

  Admission(Secret bootToken, SecureRandom random) {
    this.presentedToken = new Secret((TOKEN_PREFIX + bootToken.base64url()).getBytes(US_ASCII));
    this.random = random;
  }

  synchronized Outcome trade(Secret presented) {
    if (!presentedToken.matches(presented)) {
      return new Outcome.WrongToken();
    }
    return switch (bootToken) {
      case ARMED -> admit(BootToken.USED);
      case ARMED_AGAIN -> admit(BootToken.USED_UP);
      case USED, USED_UP -> new Outcome.TradedBefore();
    };
  }

  private Outcome admit(BootToken next) {
    bootToken = next;
    Secret credential = Secret.random(random);
    bearer = Optional.of(new Secret(credential.base64url().getBytes(US_ASCII)));
    return new Outcome.Traded(credential);
  }

  /// The guest was reset. Whether a trade is open now: not after a second one. A guest that is
  /// reset before it has traded (firmware does that) still has its second trade.
  synchronized boolean rearm() {
    return switch (bootToken) {
      case USED -> {
        bootToken = BootToken.ARMED_AGAIN;
        yield true;
      }
      case ARMED, ARMED_AGAIN -> true;
      case USED_UP -> false;
    };
  }

  /// Whether `headers` carry the credential.
  boolean admits(HttpHeaders headers) {
    String authorization = headers.get(HttpHeaderNames.AUTHORIZATION, "");
    if (!authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
      return false;
    }
    byte[] presented = authorization.substring(SCHEME.length()).getBytes(US_ASCII);
    synchronized (this) {
      return bearer.map(expected -> expected.matches(presented)).orElse(false);
    }
  }
}
