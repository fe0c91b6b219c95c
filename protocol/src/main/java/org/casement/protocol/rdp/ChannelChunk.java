package org.casement.protocol.rdp;

import java.util.Arrays;
import org.casement.protocol.ProtocolException;

/// One chunk of a message on a static virtual channel: an MCS Send-Data PDU (T.125) with a Channel
/// PDU Header ([MS-RDPBCGR] 2.2.6.1). Under TLS there is no security header between the two.
///
/// @param fromClient whether the client sends it (Send-Data-Request) or the server (-Indication)
/// @param initiator number of the MCS user that sends, less 1001
/// @param channel number of the MCS channel
/// @param total bytes of the whole message, as it says; unsigned
/// @param flags of the Channel PDU Header
@SuppressWarnings("ArrayRecordComponent") // bytes on their way through, compared by nobody
record ChannelChunk(
    boolean fromClient, int initiator, int channel, long total, int flags, byte[] data) {
  static final int FIRST = 0x01;
  static final int LAST = 0x02;
  static final int SHOW_PROTOCOL = 0x10;
  static final int COMPRESSED = 0x0020_0000;

  /// CHANNEL_CHUNK_LENGTH ([MS-RDPBCGR] 2.2.7.1.10): the most that any end takes.
  static final int LIMIT_BYTES = 1600;

  private static final int REQUEST = 0x64;
  private static final int INDICATION = 0x68;

  // Offsets in the PDU.
  private static final int KIND = 7;
  private static final int INITIATOR = 8;
  private static final int CHANNEL = 10;
  private static final int SEGMENTATION = 12;
  private static final int LENGTH = 13;

  /// High priority; begin and end of the data.
  private static final int WHOLE = 0x70;

  private static final int BEGIN_AND_END = 0x30;
  private static final int HEADER_BYTES = 8;

  /// Reads a PDU strictly: what the other end might read in another way is refused.
  static ChannelChunk of(byte[] pdu) throws ProtocolException {
    if (!RdpPdu.isData(pdu) || pdu.length < LENGTH + 1) {
      throw malformed();
    }
    int kind = pdu[KIND] & 0xff;
    int first = pdu[LENGTH] & 0xff;
    int at = LENGTH + (first < 0x80 ? 1 : 2);
    if ((kind != REQUEST && kind != INDICATION)
        || (pdu[SEGMENTATION] & BEGIN_AND_END) != BEGIN_AND_END
        || pdu.length - at < HEADER_BYTES) {
      throw malformed();
    }
    int length = first < 0x80 ? first : (first & 0x3f) << 8 | (pdu[LENGTH + 1] & 0xff);
    if (first >= 0xc0 || length != pdu.length - at) {
      throw malformed();
    }
    return new ChannelChunk(
        kind == REQUEST,
        RdpPdu.u16(pdu, INITIATOR),
        RdpPdu.u16(pdu, CHANNEL),
        RdpPdu.u32le(pdu, at) & 0xffff_ffffL,
        RdpPdu.u32le(pdu, at + 4),
        Arrays.copyOfRange(pdu, at + HEADER_BYTES, pdu.length));
  }

  byte[] pdu() {
    int length = HEADER_BYTES + data.length;
    byte[] pdu = new byte[LENGTH + 2 + length];
    pdu[0] = 3;
    RdpPdu.putU16(pdu, 2, pdu.length);
    pdu[4] = 2;
    pdu[5] = (byte) 0xf0;
    pdu[6] = (byte) 0x80;
    pdu[KIND] = (byte) (fromClient ? REQUEST : INDICATION);
    RdpPdu.putU16(pdu, INITIATOR, initiator);
    RdpPdu.putU16(pdu, CHANNEL, channel);
    pdu[SEGMENTATION] = WHOLE;
    RdpPdu.putU16(pdu, LENGTH, 0x8000 | length);
    RdpPdu.putU32le(pdu, LENGTH + 2, (int) total);
    RdpPdu.putU32le(pdu, LENGTH + 6, flags);
    System.arraycopy(data, 0, pdu, LENGTH + 2 + HEADER_BYTES, data.length);
    return pdu;
  }

  private static ProtocolException malformed() {
    return new ProtocolException("malformed channel data");
  }
}
