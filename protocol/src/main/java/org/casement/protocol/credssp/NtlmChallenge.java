package org.casement.protocol.credssp;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.casement.protocol.ProtocolException;

/// A server's CHALLENGE_MESSAGE ([MS-NLMP] 2.2.1.2).
///
/// @param targetInfo what the server says of itself, without the end mark
@SuppressWarnings("ArrayRecordComponent") // compared by nobody
record NtlmChallenge(int flags, byte[] serverChallenge, List<AvPair> targetInfo) {
  /// Longest taken; a Windows server's has some 300 bytes.
  static final int LIMIT_BYTES = 4096;

  /// [MS-NLMP] defines eleven.
  static final int PAIRS_LIMIT = 32;

  private static final byte[] SIGNATURE = "NTLMSSP\0".getBytes(US_ASCII);
  private static final int CHALLENGE = 2;

  // Offsets in the message.
  private static final int FLAGS = 20;
  private static final int SERVER_CHALLENGE = 24;
  private static final int TARGET_INFO = 40;
  private static final int LEAST_BYTES = 48;

  /// AV_PAIR ([MS-NLMP] 2.2.2.1).
  record AvPair(int id, byte[] value) {
    static final int END = 0;
    static final int FLAGS = 6;
    static final int TIMESTAMP = 7;
    static final int TARGET_NAME = 9;
    static final int CHANNEL_BINDINGS = 10;
  }

  static NtlmChallenge decode(byte[] message) throws ProtocolException {
    if (message.length > LIMIT_BYTES) {
      throw new ProtocolException("NTLM: challenge of more than " + LIMIT_BYTES + " bytes");
    }
    ByteBuffer in = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
    if (message.length < LEAST_BYTES
        || !Arrays.equals(message, 0, SIGNATURE.length, SIGNATURE, 0, SIGNATURE.length)
        || in.getInt(SIGNATURE.length) != CHALLENGE) {
      throw new ProtocolException("NTLM: not a challenge");
    }
    int length = Short.toUnsignedInt(in.getShort(TARGET_INFO));
    long offset = Integer.toUnsignedLong(in.getInt(TARGET_INFO + 4));
    if (offset + length > message.length) {
      throw new ProtocolException("NTLM: target info outside of the challenge");
    }
    return new NtlmChallenge(
        in.getInt(FLAGS),
        Arrays.copyOfRange(message, SERVER_CHALLENGE, SERVER_CHALLENGE + 8),
        pairs(in.slice((int) offset, length).order(ByteOrder.LITTLE_ENDIAN)));
  }

  private static List<AvPair> pairs(ByteBuffer in) throws ProtocolException {
    List<AvPair> pairs = new ArrayList<>();
    while (in.remaining() >= 4) {
      int id = Short.toUnsignedInt(in.getShort());
      int length = Short.toUnsignedInt(in.getShort());
      if (id == AvPair.END) {
        return List.copyOf(pairs);
      }
      if (length > in.remaining() || pairs.size() == PAIRS_LIMIT) {
        throw new ProtocolException("NTLM: target info too long");
      }
      byte[] value = new byte[length];
      in.get(value);
      pairs.add(new AvPair(id, value));
    }
    throw new ProtocolException("NTLM: target info without end");
  }

  Optional<byte[]> value(int id) {
    return targetInfo.stream().filter(pair -> pair.id() == id).map(AvPair::value).findFirst();
  }
}
