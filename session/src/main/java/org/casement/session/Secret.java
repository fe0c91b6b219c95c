package org.casement.session;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;

/// Bytes that only their owner may see: compared in constant time, redacted in `toString`, handed
/// over by descriptor or by a file of mode 0600, never by argument or environment.
public final class Secret {
  /// 62 characters that no shell, JSON document, smb.conf or Windows dialog treats specially.
  private static final String PASSWORD_ALPHABET =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

  /// log2(62^24) = 142 bits.
  private static final int PASSWORD_CHARS = 24;

  private final byte[] bytes;

  public Secret(byte[] bytes) {
    this.bytes = bytes.clone();
  }

  /// 32 random bytes.
  public static Secret random(SecureRandom random) {
    byte[] bytes = new byte[32];
    random.nextBytes(bytes);
    return new Secret(bytes);
  }

  /// A random password of 24 letters and digits. It always holds an upper-case letter, a lower-case
  /// letter and a digit, which Windows' complexity rule demands.
  public static Secret password(SecureRandom random) {
    while (true) {
      StringBuilder password = new StringBuilder(PASSWORD_CHARS);
      for (int i = 0; i < PASSWORD_CHARS; i++) {
        password.append(PASSWORD_ALPHABET.charAt(random.nextInt(PASSWORD_ALPHABET.length())));
      }
      if (password.chars().anyMatch(c -> c >= 'A' && c <= 'Z')
          && password.chars().anyMatch(c -> c >= 'a' && c <= 'z')
          && password.chars().anyMatch(c -> c >= '0' && c <= '9')) {
        return new Secret(password.toString().getBytes(UTF_8));
      }
    }
  }

  /// The secret that `text`, made by [#base64url()], stands for.
  ///
  /// @throws IllegalArgumentException if `text` is not base64url
  public static Secret ofBase64url(String text) {
    return new Secret(Base64.getUrlDecoder().decode(text));
  }

  public boolean matches(byte[] presented) {
    return MessageDigest.isEqual(bytes, presented);
  }

  public boolean matches(Secret presented) {
    return matches(presented.bytes);
  }

  public byte[] bytes() {
    return bytes.clone();
  }

  /// The bytes as UTF-8 text; meant for passwords.
  public String text() {
    return new String(bytes, UTF_8);
  }

  public String base64url() {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  @Override
  public String toString() {
    return "Secret[redacted]";
  }
}
