package org.casement.protocol.rdp;

import java.util.OptionalInt;
import org.casement.protocol.ProtocolException;

/// Where one PDU ends and the next begins: TPKT ([MS-RDPBCGR] 2.2.1.1, RFC 1006) or fast-path
/// (2.2.9.1.2).
public final class RdpPdu {
  /// So many bytes always tell the length.
  public static final int HEADER_LIMIT_BYTES = 4;

  private static final int TPKT_VERSION = 3;

  private RdpPdu() {}

  /// The length of the PDU that `head` begins with (its first [#HEADER_LIMIT_BYTES], or fewer), or
  /// empty while too little is there to tell. At most 65535.
  public static OptionalInt length(byte[] head) throws ProtocolException {
    if (head.length < 2) {
      return OptionalInt.empty();
    }
    int length;
    int least;
    if (head[0] == TPKT_VERSION) {
      if (head.length < 4) {
        return OptionalInt.empty();
      }
      length = u16(head, 2);
      least = 7; // TPKT and the shortest X.224 header
    } else if ((head[1] & 0x80) != 0) {
      if (head.length < 3) {
        return OptionalInt.empty();
      }
      length = (head[1] & 0x7f) << 8 | (head[2] & 0xff);
      least = 3;
    } else {
      length = head[1] & 0x7f;
      least = 2;
    }
    if (length < least) {
      throw new ProtocolException("RDP: a PDU of " + length + " bytes");
    }
    return OptionalInt.of(length);
  }

  /// Big-endian, as in TPKT, X.224 and T.125.
  static int u16(byte[] bytes, int at) {
    return (bytes[at] & 0xff) << 8 | (bytes[at + 1] & 0xff);
  }

  static void putU16(byte[] bytes, int at, int value) {
    bytes[at] = (byte) (value >> 8);
    bytes[at + 1] = (byte) value;
  }

  /// Little-endian, as in everything that is RDP's own.
  static int u16le(byte[] bytes, int at) {
    return (bytes[at] & 0xff) | (bytes[at + 1] & 0xff) << 8;
  }

  static void putU16le(byte[] bytes, int at, int value) {
    bytes[at] = (byte) value;
    bytes[at + 1] = (byte) (value >> 8);
  }

  static int u32le(byte[] bytes, int at) {
    return u16le(bytes, at) | u16le(bytes, at + 2) << 16;
  }

  static void putU32le(byte[] bytes, int at, int value) {
    putU16le(bytes, at, value);
    putU16le(bytes, at + 2, value >> 16);
  }

  /// Whether `pdu` is a TPKT of exactly its own length that holds an X.224 data unit.
  static boolean isData(byte[] pdu) {
    return pdu.length >= 7
        && pdu[0] == TPKT_VERSION
        && u16(pdu, 2) == pdu.length
        && pdu[4] == 2
        && (pdu[5] & 0xff) == 0xf0
        && (pdu[6] & 0xff) == 0x80;
  }
}
