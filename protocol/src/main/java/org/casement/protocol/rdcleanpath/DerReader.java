package org.casement.protocol.rdcleanpath;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.casement.protocol.ProtocolException;

/// Reads DER (X.690) strictly: definite lengths in their shortest form, one-byte tags, no value
/// reaches beyond what holds it.
final class DerReader {
  static final int INTEGER = 0x02;
  static final int OCTET_STRING = 0x04;
  static final int UTF8_STRING = 0x0c;
  static final int SEQUENCE = 0x30;

  private final ByteBuffer in;

  DerReader(ByteBuffer in) {
    this.in = in;
  }

  /// `[n] EXPLICIT`.
  static int explicit(int n) {
    return 0xa0 | n;
  }

  boolean hasMore() {
    return in.hasRemaining();
  }

  boolean nextIs(int tag) {
    return in.hasRemaining() && (in.get(in.position()) & 0xff) == tag;
  }

  /// The content of the next value, which must have this tag.
  DerReader enter(int tag) throws ProtocolException {
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
  int integer() throws ProtocolException {
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

  byte[] octets() throws ProtocolException {
    ByteBuffer content = enter(OCTET_STRING).in;
    byte[] bytes = new byte[content.remaining()];
    content.get(bytes);
    return bytes;
  }

  String text() throws ProtocolException {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(enter(UTF8_STRING).in).toString();
    } catch (CharacterCodingException malformed) {
      throw new ProtocolException("DER: string is not UTF-8", malformed);
    }
  }

  void end() throws ProtocolException {
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
