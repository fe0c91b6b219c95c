package org.casement.protocol.credssp;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_16LE;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.random.RandomGenerator;
import org.casement.protocol.Md4;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.credssp.NtlmChallenge.AvPair;
import org.casement.session.Secret;

/// NTLMv2 as its client ([MS-NLMP] 3.1.5.1, 3.3.2), for one log-in: NEGOTIATE, the server's
/// CHALLENGE, AUTHENTICATE. Nothing weaker than 128 bits, extended session security and key
/// exchange, and always with a message integrity code.
final class NtlmClient {
  static final int UNICODE = 0x0000_0001;
  private static final int REQUEST_TARGET = 0x0000_0004;
  private static final int SIGN = 0x0000_0010;
  private static final int SEAL = 0x0000_0020;
  private static final int NTLM = 0x0000_0200;
  private static final int ALWAYS_SIGN = 0x0000_8000;
  private static final int EXTENDED_SESSION_SECURITY = 0x0008_0000;
  private static final int TARGET_INFO = 0x0080_0000;
  private static final int VERSION = 0x0200_0000;
  private static final int BITS_128 = 0x2000_0000;
  static final int KEY_EXCHANGE = 0x4000_0000;

  private static final int REQUIRED =
      UNICODE | SIGN | SEAL | NTLM | EXTENDED_SESSION_SECURITY | BITS_128 | KEY_EXCHANGE;
  private static final int OFFERED =
      REQUIRED | REQUEST_TARGET | ALWAYS_SIGN | TARGET_INFO | VERSION;

  private static final byte[] SIGNATURE = "NTLMSSP\0".getBytes(US_ASCII);

  /// [MS-NLMP] 2.2.2.10: Windows 10, NTLMSSP revision 15; "for debugging only".
  private static final byte[] OWN_VERSION = {10, 0, 0, 0, 0, 0, 0, 15};

  private static final int NEGOTIATE_BYTES = 40;

  /// Of the AUTHENTICATE_MESSAGE, with version and integrity code.
  private static final int AUTHENTICATE_HEADER_BYTES = 88;

  private static final int MIC_AT = 72;
  private static final int MIC_BYTES = 16;

  /// [MS-NLMP] 2.2.2.1, MsvAvFlags: this message carries an integrity code.
  private static final int HAS_MIC = 2;

  private final String domain;
  private final String user;
  private final Secret password;
  private final RandomGenerator random;
  private final byte[] negotiate = negotiate();

  /// What one log-in leaves: the message to send, and the key that the session is sealed with.
  @SuppressWarnings("ArrayRecordComponent") // compared by nobody
  record Authenticated(byte[] message, byte[] exportedSessionKey) {}

  /// @param domain empty for an account of the server's own
  NtlmClient(String domain, String user, Secret password, RandomGenerator random) {
    this.domain = domain;
    this.user = user;
    this.password = password;
    this.random = random;
  }

  byte[] negotiateMessage() {
    return negotiate.clone();
  }

  private static byte[] negotiate() {
    return littleEndian(NEGOTIATE_BYTES)
        .put(SIGNATURE)
        .putInt(1)
        .putInt(OFFERED)
        .putLong(0) // no domain, no workstation
        .putLong(0)
        .put(OWN_VERSION)
        .array();
  }

  Authenticated authenticate(byte[] challengeMessage) throws ProtocolException {
    NtlmChallenge challenge = NtlmChallenge.decode(challengeMessage);
    if ((challenge.flags() & REQUIRED) != REQUIRED) {
      throw new ProtocolException(
          String.format("NTLM: the server lacks strength, flags %08x", challenge.flags()));
    }
    byte[] key = responseKey(user, domain, password);
    byte[] temp = temp(time(challenge), random(8), ownTargetInfo(challenge));
    byte[] proof = proof(key, challenge.serverChallenge(), temp);
    byte[] exported = random(16);
    byte[] encryptedKey = Digests.rc4(sessionBaseKey(key, proof)).update(exported);

    byte[] lmResponse = new byte[24]; // nobody needs it beside an NTLMv2 response
    byte[] ntResponse = concat(proof, temp);
    byte[] domainName = domain.getBytes(UTF_16LE);
    byte[] userName = user.getBytes(UTF_16LE);
    byte[][] payload = {lmResponse, ntResponse, domainName, userName, new byte[0], encryptedKey};
    int length = AUTHENTICATE_HEADER_BYTES;
    for (byte[] field : payload) {
      length += field.length;
    }
    ByteBuffer out = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    out.put(SIGNATURE).putInt(3);
    int offset = AUTHENTICATE_HEADER_BYTES;
    for (byte[] field : payload) {
      out.putShort((short) field.length).putShort((short) field.length).putInt(offset);
      offset += field.length;
    }
    out.putInt(challenge.flags() & OFFERED).put(OWN_VERSION).put(new byte[MIC_BYTES]);
    for (byte[] field : payload) {
      out.put(field);
    }
    byte[] message = out.array();
    byte[] mic = Digests.hmacMd5(exported, negotiate, challengeMessage, message);
    System.arraycopy(mic, 0, message, MIC_AT, MIC_BYTES);
    return new Authenticated(message, exported);
  }

  /// NTOWFv2.
  static byte[] responseKey(String user, String domain, Secret password) {
    byte[] hash = Md4.digest(password.text().getBytes(UTF_16LE));
    return Digests.hmacMd5(hash, (user.toUpperCase(Locale.ROOT) + domain).getBytes(UTF_16LE));
  }

  /// NTLMv2_CLIENT_CHALLENGE, which the protocol's description calls temp.
  static byte[] temp(long time, byte[] clientChallenge, byte[] targetInfo) {
    return littleEndian(28 + targetInfo.length + 4)
        .putLong(0x0101) // versions, six reserved bytes
        .putLong(time)
        .put(clientChallenge)
        .putInt(0)
        .put(targetInfo)
        .putInt(0)
        .array();
  }

  /// NTProofStr.
  static byte[] proof(byte[] responseKey, byte[] serverChallenge, byte[] temp) {
    return Digests.hmacMd5(responseKey, serverChallenge, temp);
  }

  static byte[] sessionBaseKey(byte[] responseKey, byte[] proof) {
    return Digests.hmacMd5(responseKey, proof);
  }

  /// The server's own time: clocks of guests may be wrong, and every server that speaks a safe
  /// CredSSP tells it.
  private static long time(NtlmChallenge challenge) throws ProtocolException {
    byte[] told =
        challenge
            .value(AvPair.TIMESTAMP)
            .filter(value -> value.length == Long.BYTES)
            .orElseThrow(() -> new ProtocolException("NTLM: the server does not tell its time"));
    return ByteBuffer.wrap(told).order(ByteOrder.LITTLE_ENDIAN).getLong();
  }

  /// The server's target info as it comes back: with our flags, no channel bindings and no target
  /// name of our own; CredSSP binds to the channel itself.
  private static byte[] ownTargetInfo(NtlmChallenge challenge) throws ProtocolException {
    byte[] told = challenge.value(AvPair.FLAGS).orElse(new byte[4]);
    if (told.length != 4) {
      throw new ProtocolException("NTLM: flags of " + told.length + " bytes");
    }
    int flags = ByteBuffer.wrap(told).order(ByteOrder.LITTLE_ENDIAN).getInt() | HAS_MIC;
    List<Integer> ours = List.of(AvPair.FLAGS, AvPair.CHANNEL_BINDINGS, AvPair.TARGET_NAME);
    ByteBuffer out =
        ByteBuffer.allocate(NtlmChallenge.LIMIT_BYTES + 64).order(ByteOrder.LITTLE_ENDIAN);
    for (AvPair pair : challenge.targetInfo()) {
      if (!ours.contains(pair.id())) {
        put(out, pair.id(), pair.value());
      }
    }
    put(out, AvPair.FLAGS, littleEndian(4).putInt(flags).array());
    put(out, AvPair.CHANNEL_BINDINGS, new byte[16]);
    put(out, AvPair.TARGET_NAME, new byte[0]);
    put(out, AvPair.END, new byte[0]);
    return Arrays.copyOf(out.array(), out.position());
  }

  private static void put(ByteBuffer out, int id, byte[] value) {
    out.putShort((short) id).putShort((short) value.length).put(value);
  }

  private byte[] random(int bytes) {
    byte[] made = new byte[bytes];
    random.nextBytes(made);
    return made;
  }

  private static byte[] concat(byte[] first, byte[] second) {
    byte[] both = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    return both;
  }

  private static ByteBuffer littleEndian(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
