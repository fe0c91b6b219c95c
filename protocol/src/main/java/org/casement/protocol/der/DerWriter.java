package org.casement.protocol.der;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;

/// Writes DER: values are made inside out.
public final class DerWriter {
  private DerWriter() {}

  public static byte[] value(int tag, byte[]... contents) {
    int length = 0;
    for (byte[] content : contents) {
      length += content.length;
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream(length + 4);
    out.write(tag);
    if (length < 0x80) {
      out.write(length);
    } else if (length < 0x100) {
      out.write(0x81);
      out.write(length);
    } else if (length < 0x10000) {
      out.write(0x82);
      out.write(length >> 8);
      out.write(length);
    } else {
      throw new IllegalArgumentException("DER: more than 65535 bytes");
    }
    for (byte[] content : contents) {
      out.writeBytes(content);
    }
    return out.toByteArray();
  }

  /// `[n] EXPLICIT INTEGER`; `value` is not negative.
  public static byte[] integer(int n, int value) {
    int bytes = 1 + ((32 - Integer.numberOfLeadingZeros(value)) / 8);
    byte[] content = new byte[bytes];
    for (int i = 0; i < bytes; i++) {
      content[i] = (byte) (value >> (8 * (bytes - 1 - i)));
    }
    return explicit(n, value(DerReader.INTEGER, content));
  }

  public static byte[] text(int n, String text) {
    return explicit(n, value(DerReader.UTF8_STRING, text.getBytes(UTF_8)));
  }

  public static byte[] octets(int n, byte[] octets) {
    return explicit(n, value(DerReader.OCTET_STRING, octets));
  }

  public static byte[] explicit(int n, byte[] value) {
    return value(DerReader.explicit(n), value);
  }
}
