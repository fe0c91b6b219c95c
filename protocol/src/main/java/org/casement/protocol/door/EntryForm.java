package org.casement.protocol.door;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.util.Optional;
import org.casement.protocol.ProtocolException;

/// The body of `POST enter` as a portal's form sends it (`application/x-www-form-urlencoded`): one
/// field `token`, others are ignored (a portal adds its own). A token needs no percent-encoding;
/// what is encoded is no token.
public final class EntryForm {
  /// Longest body, in bytes: a token, and what a portal's form adds to it.
  public static final int LIMIT_BYTES = 4096;

  private EntryForm() {}

  public static String token(byte[] body) throws ProtocolException {
    if (body.length > LIMIT_BYTES) {
      throw new ProtocolException("form of more than " + LIMIT_BYTES + " bytes");
    }
    Optional<String> token = Optional.empty();
    for (String field : new String(body, ISO_8859_1).split("&", -1)) {
      if (!field.startsWith("token=")) {
        continue;
      }
      if (token.isPresent()) {
        throw new ProtocolException("form with two tokens");
      }
      token = Optional.of(field.substring("token=".length()));
    }
    return token
        .filter(DoorProof::is32Bytes)
        .orElseThrow(() -> new ProtocolException("form without a token of 43 characters"));
  }
}
