package org.casement.protocol.der;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;
import org.casement.protocol.ProtocolException;

/// Reads DER (X.690) strictly: definite lengths in their shortest form, one-byte tags, no value
/// reaches beyond what holds it.
public final class DerReader {
  public static final int INTEGER = 0x02;
  public static final int BIT_STRING = 0x03;
  public static final int OCTET_STRING = 0x04;
  public static final int UTF8_STRING = 0x0c;
  public static final int SEQUENCE = 0x30;

  private final ByteBuffer in;

  private DerReader(ByteBuffer in) {
    this.in = in;
  }

  public static DerReader of(byte[] bytes) {
    return new DerReader(ByteBuffer.wrap(bytes));
  }

  /// The length of the SEQUENCE that `bytes` begins with, its header included, or empty while too
  /// little is there to tell.
  ///
  /// @param limitBytes of that length, at most 65535
  public static OptionalInt sequenceLength(byte[] bytes, int limitBytes) throws ProtocolException {
    if (bytes.length > 0 && (bytes[0] & 0xff) != SEQUENCE) {
      throw new ProtocolException("DER: not a sequence");
    }
    if (bytes.length < 2) {
      return OptionalInt.empty();
    }
    int first = bytes[1] & 0xff;
    int more = first < 0x80 ? 0 : first & 0x7f;
    if (first == 0x80 || more > 2) {
      throw new ProtocolException("DER: a sequence of more than " + limitBytes + " bytes");
    }
    if (bytes.length < 2 + more) {
      return OptionalInt.empty();
    }
    int length = more == 0 ? first : 0;
    for (int i = 0; i < more; i++) {
      length = length << 8 | (bytes[2 + i] & 0xff);
    }
    if (2 + more + length > limitBytes) {
      throw new ProtocolException("DER: a sequence of more than " + limitBytes + " bytes");
    }
    return OptionalInt.of(2 + more + length);
  }

  /// `[n] EXPLICIT`.
  public static int explicit(int n) {
    return 0xa0 | n;
  }

  public boolean hasMore() {
    return in.hasRemaining();
  }

  public boolean nextIs(int tag) {
    return in.hasRemaining() && (in.get(in.position()) & 0xff) == tag;
  }

  /// The content of the next value, which must have this tag.
  public DerReader enter(int tag) throws ProtocolException {
    if (!nextIs(tag)) {
      throw new ProtocolException(String.format("DER: expected tag %02x", tag));
    }
    in.get();
    int length = length();
    if (length > in.remaining()) {
      throw new ProtocolException("DER: value longer than what holds it");
    }
    ByteBuffer content = in.slice(in.position(), length);
    in.position(in.position() + length);
    return new DerReader(content);
  }

  /// A non-negative integer below 2^31.
  public int integer() throws ProtocolException {
    ByteBuffer content = enter(INTEGER).in;
    int bytes = content.remaining();
    if (bytes == 0 || bytes > 4 || content.get(0) < 0) {
      throw new ProtocolException("DER: integer out of range");
    }
    if (bytes > 1 && content.get(0) == 0 && content.get(1) >= 0) {
      throw new ProtocolException("DER: integer not in its shortest form");
    }
    int value = 0;
    while (content.hasRemaining()) {
      value = value << 8 | (content.get() & 0xff);
    }
    return value;
  }

  /// 32 bits that some write as a signed and some as an unsigned integer, such as an NTSTATUS.
  public int bits32() throws ProtocolException {
    ByteBuffer content = enter(INTEGER).in;
    int bytes = content.remaining();
    if (bytes == 0 || bytes > 5 || (bytes == 5 && content.get() != 0)) {
      throw new ProtocolException("DER: integer of more than 32 bits");
    }
    int value = content.get();
    while (content.hasRemaining()) {
      value = value << 8 | (content.get() & 0xff);
    }
    return value;
  }

  public byte[] octets() throws ProtocolException {
    return enter(OCTET_STRING).rest();
  }

  /// A BIT STRING of whole bytes.
  public byte[] bits() throws ProtocolException {
    DerReader content = enter(BIT_STRING);
    if (!content.hasMore() || content.in.get() != 0) {
      throw new ProtocolException("DER: bit string that is not of whole bytes");
    }
    return content.rest();
  }

  /// All that follows, unread.
  public byte[] rest() {
    byte[] bytes = new byte[in.remaining()];
    in.get(bytes);
    return bytes;
  }

  public String text() throws ProtocolException {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(enter(UTF8_STRING).in).toString();
    } catch (CharacterCodingException malformed) {
      throw new ProtocolException("DER: string is not UTF-8", malformed);
    }
  }

  public void end() throws ProtocolException {
    if (in.hasRemaining()) {
      throw new ProtocolException("DER: something follows the last field");
    }
  }

  private int length() throws ProtocolException {
    if (!in.hasRemaining()) {
      throw new ProtocolException("DER: no length");
    }
    int first = in.get() & 0xff;
    if (first < 0x80) {
      return first;
    }
    int bytes = first & 0x7f;
    if (bytes == 0 || bytes > 2 || bytes > in.remaining()) {
      throw new ProtocolException("DER: length not definite or too long");
    }
    int length = 0;
    for (int i = 0; i < bytes; i++) {
      length = length << 8 | (in.get() & 0xff);
    }
    if (length < 0x80 || (bytes == 2 && length < 0x100)) {
      throw new ProtocolException("DER: length not in its shortest form");
    }
    return length;
  }
}
