package org.casement.protocol.credssp;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.Arrays;
import javax.crypto.Cipher;
import org.casement.protocol.ProtocolException;

/// One direction of a session's signing and sealing, with extended session security, 128 bits and
/// key exchange ([MS-NLMP] 3.4.3, 3.4.4.2, 3.4.5). Messages are numbered: each is sealed, or
/// opened, once and in order.
final class NtlmSeal {
  /// Version, checksum, sequence number.
  static final int SIGNATURE_BYTES = 16;

  private static final int CHECKSUM_BYTES = 8;

  private final byte[] signingKey;
  private final Cipher cipher;
  private int sequence;

  private NtlmSeal(byte[] exportedSessionKey, String direction) {
    signingKey = key(exportedSessionKey, direction, "signing");
    cipher = Digests.rc4(key(exportedSessionKey, direction, "sealing"));
  }

  static NtlmSeal clientToServer(byte[] exportedSessionKey) {
    return new NtlmSeal(exportedSessionKey, "client-to-server");
  }

  static NtlmSeal serverToClient(byte[] exportedSessionKey) {
    return new NtlmSeal(exportedSessionKey, "server-to-client");
  }

  private static byte[] key(byte[] sessionKey, String direction, String use) {
    String constant = "session key to " + direction + " " + use + " key magic constant\0";
    return Digests.md5(sessionKey, constant.getBytes(US_ASCII));
  }

  /// The signature, then the encrypted message.
  byte[] seal(byte[] message) {
    byte[] encrypted = cipher.update(message);
    byte[] signature = signature(message);
    byte[] sealed = Arrays.copyOf(signature, SIGNATURE_BYTES + message.length);
    System.arraycopy(encrypted, 0, sealed, SIGNATURE_BYTES, message.length);
    return sealed;
  }

  byte[] open(byte[] sealed) throws ProtocolException {
    if (sealed.length <= SIGNATURE_BYTES) {
      throw new ProtocolException("NTLM: sealed message too short");
    }
    byte[] message = cipher.update(sealed, SIGNATURE_BYTES, sealed.length - SIGNATURE_BYTES);
    if (!MessageDigest.isEqual(signature(message), Arrays.copyOf(sealed, SIGNATURE_BYTES))) {
      throw new ProtocolException("NTLM: wrong signature");
    }
    return message;
  }

  private byte[] signature(byte[] message) {
    byte[] number =
        ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(sequence++).array();
    byte[] checksum =
        cipher.update(Digests.hmacMd5(signingKey, number, message), 0, CHECKSUM_BYTES);
    return ByteBuffer.allocate(SIGNATURE_BYTES)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(1)
        .put(checksum)
        .put(number)
        .array();
  }
}
