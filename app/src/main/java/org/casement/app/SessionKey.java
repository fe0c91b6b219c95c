package org.casement.app;

import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Base64;

/// The Ed25519 key (RFC 8032) of a session that is a job: its public half stands in the job's
/// comment, its private half in the session home. Who holds it may sign tickets into the session.
///
/// @param comment `casement:1:` and the 32 bytes of the public key in base64url
/// @param privateKey PKCS #8 in PEM (RFC 7468)
record SessionKey(String comment, String privateKey) {
  private static final int PUBLIC_BYTES = 32;
  private static final int PEM_LINE = 64;

  static SessionKey generate() {
    try {
      KeyPair pair = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
      // SubjectPublicKeyInfo (RFC 8410): twelve bytes that are always the same, then the key.
      byte[] encoded = pair.getPublic().getEncoded();
      byte[] raw = Arrays.copyOfRange(encoded, encoded.length - PUBLIC_BYTES, encoded.length);
      String pem =
          Base64.getMimeEncoder(PEM_LINE, new byte[] {'\n'})
              .encodeToString(pair.getPrivate().getEncoded());
      return new SessionKey(
          "casement:1:" + Base64.getUrlEncoder().withoutPadding().encodeToString(raw),
          "-----BEGIN PRIVATE KEY-----\n" + pem + "\n-----END PRIVATE KEY-----\n");
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every JDK since 15 has Ed25519", impossible);
    }
  }
}
