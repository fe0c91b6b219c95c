package org.casement.supervisor;

import java.security.SecureRandom;
import java.util.HexFormat;
import org.casement.session.Secret;

/// What one session makes up at its start and forgets at its end.
///
/// @param nonce no secret: the demo guest paints it on the desktop, which shows whose desktop it is
record SessionSecrets(
    Secret bootToken, Secret desktopPassword, Secret sharePassword, String nonce) {
  private static final int NONCE_BYTES = 8;

  static SessionSecrets make(SecureRandom random) {
    byte[] nonce = new byte[NONCE_BYTES];
    random.nextBytes(nonce);
    return new SessionSecrets(
        Secret.random(random),
        Secret.password(random),
        Secret.password(random),
        HexFormat.of().formatHex(nonce));
  }
}
