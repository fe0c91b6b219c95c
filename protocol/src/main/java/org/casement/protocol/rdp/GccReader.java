package org.casement.protocol.rdp;

import java.util.HashMap;
import java.util.Map;
import org.casement.protocol.ProtocolException;

/// Reads the two PDUs that open MCS, Connect-Initial and Connect-Response: BER (T.125) around
/// aligned PER (T.124) around the blocks that are RDP's own ([MS-RDPBCGR] 2.2.1.3, 2.2.1.4).
final class GccReader {
  /// Longest PDU accepted; the engine's has some 450 bytes, servers' some 150.
  static final int LIMIT_BYTES = 4096;

  private static final int BLOCK_HEADER_BYTES = 4;

  final byte[] pdu;
  private final String name;
  private final Map<Integer, Integer> blocks = new HashMap<>();
  int at;

  /// @param name of the PDU, for messages
  GccReader(byte[] pdu, String name) throws ProtocolException {
    this.pdu = pdu;
    this.name = name;
    if (pdu.length > LIMIT_BYTES) {
      throw new ProtocolException(name + " of more than " + LIMIT_BYTES + " bytes");
    }
    if (!RdpPdu.isData(pdu)) {
      throw malformed();
    }
    at = 7;
  }

  /// Reads what stands from here to the PDU's end, where all of `ends` must lie: whole blocks, one
  /// of each type.
  ///
  /// SECURITY: engine and servers differ in which of two blocks counts and which of the lengths
  /// around them; where all say the same, nothing can be shown to one of them alone.
  void readBlocks(int... ends) throws ProtocolException {
    for (int end : ends) {
      if (end != pdu.length) {
        throw malformed();
      }
    }
    int block = at;
    while (block < pdu.length) {
      if (pdu.length - block < BLOCK_HEADER_BYTES) {
        throw malformed();
      }
      int length = RdpPdu.u16le(pdu, block + 2);
      if (length < BLOCK_HEADER_BYTES || length > pdu.length - block) {
        throw malformed();
      }
      if (blocks.putIfAbsent(RdpPdu.u16le(pdu, block), block) != null) {
        throw new ProtocolException(name + " with two blocks of a kind");
      }
      block += length;
    }
  }

  /// Where the block `type` starts, or -1; after [#readBlocks].
  int block(int type) {
    return blocks.getOrDefault(type, -1);
  }

  void skipBer(int tag, int limit) throws ProtocolException {
    at = berEnd(tag, limit);
  }

  /// Reads a tag and a BER length; the end of the value, which lies within `limit`.
  int berEnd(int tag, int limit) throws ProtocolException {
    expect((byte) tag);
    int length = octet();
    if (length >= 0x80) {
      int bytes = length & 0x7f;
      if (bytes == 0 || bytes > 2) {
        throw malformed();
      }
      length = bytes == 1 ? octet() : octet() << 8 | octet();
    }
    if (length > limit - at) {
      throw malformed();
    }
    return at + length;
  }

  int perLength() throws ProtocolException {
    int first = octet();
    return first < 0x80 ? first : (first & 0x7f) << 8 | octet();
  }

  void expect(byte... wanted) throws ProtocolException {
    for (byte b : wanted) {
      if ((byte) octet() != b) {
        throw malformed();
      }
    }
  }

  void skip(int bytes) throws ProtocolException {
    if (bytes > pdu.length - at) {
      throw malformed();
    }
    at += bytes;
  }

  int octet() throws ProtocolException {
    if (at >= pdu.length) {
      throw malformed();
    }
    return pdu[at++] & 0xff;
  }

  ProtocolException malformed() {
    return new ProtocolException("malformed " + name);
  }
}
