package org.casement.protocol.door;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.casement.session.Secret;

/// The proofs of one exchange: both sides show that they know the tab secret, over both nonces and
/// the route, without showing it (contracts/door.md). The nonces enter as the text that went over
/// the wire. Test vector: contracts/door/proof.json.
public record DoorProof(Secret tabSecret, String route, String pageNonce, String connectorNonce) {
  private static final Pattern TEXT_OF_32_BYTES = Pattern.compile("[A-Za-z0-9_-]{43}");
  private static final Pattern TAB_NAME = Pattern.compile("[A-Za-z0-9_-]{16}");

  public String ofConnector() {
    return prove("connector");
  }

  public String ofPage() {
    return prove("page");
  }

  /// Whether `presented` is the proof of a page that knows the tab secret; takes the same time
  /// however much of it is right.
  public boolean isOfPage(String presented) {
    return MessageDigest.isEqual(ofPage().getBytes(UTF_8), presented.getBytes(UTF_8));
  }

  private String prove(String who) {
    String statement =
        "casement-door-1 " + who + "\n" + route + "\n" + pageNonce + "\n" + connectorNonce;
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(tabSecret.bytes(), "HmacSHA256"));
      return Base64.getUrlEncoder()
          .withoutPadding()
          .encodeToString(mac.doFinal(statement.getBytes(UTF_8)));
    } catch (GeneralSecurityException missing) {
      throw new IllegalStateException("every JDK has HMAC-SHA256", missing);
    }
  }

  /// 12 random bytes: tabs are few, and a name opens nothing without its secret.
  static boolean isTabName(String text) {
    return TAB_NAME.matcher(text).matches();
  }

  /// 43 characters of base64url: a nonce, a proof, a token.
  static boolean is32Bytes(String text) {
    return TEXT_OF_32_BYTES.matcher(text).matches();
  }
}
