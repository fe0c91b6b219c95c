package org.casement.protocol.rdp;

import java.io.ByteArrayOutputStream;
import java.util.Optional;
import org.casement.protocol.ProtocolException;

/// Messages on one static virtual channel ([MS-RDPBCGR] 2.2.6.1), which travel in chunks, each in
/// an MCS Send-Data PDU (T.125). Under TLS there is no security header between the two.
public final class ChannelData {
  /// CHANNEL_CHUNK_LENGTH ([MS-RDPBCGR] 3.1.5.2.1).
  public static final int CHUNK_LIMIT_BYTES = 1600;

  private static final int SEND_DATA_REQUEST = 0x64;
  private static final int SEND_DATA_INDICATION = 0x68;

  // Offsets in a PDU.
  private static final int KIND = 7;
  private static final int INITIATOR = 8;
  private static final int CHANNEL = 10;
  private static final int PRIORITY = 12;
  private static final int PER_LENGTH = 13;

  /// High priority, begin and end of the data (T.125).
  private static final int WHOLE = 0x70;

  // Channel PDU Header ([MS-RDPBCGR] 2.2.6.1.1): the message's length, flags.
  private static final int HEADER_BYTES = 8;
  private static final int FLAG_FIRST = 1;
  private static final int FLAG_LAST = 2;
  private static final int PACKET_COMPRESSED = 0x0020_0000;

  private final int limit;
  private final ByteArrayOutputStream message = new ByteArrayOutputStream();
  private int announced = -1;

  /// Puts the messages of one channel and direction together.
  ///
  /// @param limit longest message accepted, in bytes
  public ChannelData(int limit) {
    this.limit = limit;
  }

  /// Whether `pdu` carries data on `channel`, in either direction.
  public static boolean isOn(int channel, byte[] pdu) {
    return pdu.length > PER_LENGTH
        && RdpPdu.isData(pdu)
        && ((pdu[KIND] & 0xff) == SEND_DATA_REQUEST || (pdu[KIND] & 0xff) == SEND_DATA_INDICATION)
        && RdpPdu.u16(pdu, CHANNEL) == channel;
  }

  /// Who sends, of a PDU that carries data from the client: the number of the MCS user, less 1001.
  static int initiator(byte[] pdu) {
    return RdpPdu.u16(pdu, INITIATOR);
  }

  /// The client's PDU that carries `message`, as one chunk.
  public static byte[] request(int initiator, int channel, byte[] message) {
    if (message.length > CHUNK_LIMIT_BYTES) {
      throw new IllegalArgumentException("message of more than a chunk: " + message.length);
    }
    int length = HEADER_BYTES + message.length;
    byte[] pdu = new byte[PER_LENGTH + 2 + length];
    pdu[0] = 3;
    RdpPdu.putU16(pdu, 2, pdu.length);
    pdu[4] = 2;
    pdu[5] = (byte) 0xf0;
    pdu[6] = (byte) 0x80;
    pdu[KIND] = SEND_DATA_REQUEST;
    RdpPdu.putU16(pdu, INITIATOR, initiator);
    RdpPdu.putU16(pdu, CHANNEL, channel);
    pdu[PRIORITY] = WHOLE;
    RdpPdu.putU16(pdu, PER_LENGTH, 0x8000 | length);
    RdpPdu.putU32le(pdu, PER_LENGTH + 2, message.length);
    RdpPdu.putU32le(pdu, PER_LENGTH + 6, FLAG_FIRST | FLAG_LAST);
    System.arraycopy(message, 0, pdu, PER_LENGTH + 2 + HEADER_BYTES, message.length);
    return pdu;
  }

  /// Adds a PDU of this channel; the message, if it is whole now.
  public Optional<byte[]> add(byte[] pdu) throws ProtocolException {
    int first = pdu[PER_LENGTH] & 0xff;
    int at = PER_LENGTH + (first < 0x80 ? 1 : 2);
    if (pdu.length - at < HEADER_BYTES) {
      throw new ProtocolException("channel data without header");
    }
    int length = first < 0x80 ? first : (first & 0x3f) << 8 | (pdu[PER_LENGTH + 1] & 0xff);
    int total = RdpPdu.u32le(pdu, at);
    int flags = RdpPdu.u32le(pdu, at + 4);
    if (length != pdu.length - at || total < 0 || total > limit) {
      throw new ProtocolException("channel data of a wrong length");
    }
    if ((flags & PACKET_COMPRESSED) != 0) {
      throw new ProtocolException("compressed channel data, which was not asked for");
    }
    if ((flags & FLAG_FIRST) != 0) {
      message.reset();
      announced = total;
    }
    int chunk = length - HEADER_BYTES;
    if (total != announced || chunk > announced - message.size()) {
      throw new ProtocolException("channel data that does not fit together");
    }
    message.write(pdu, at + HEADER_BYTES, chunk);
    if ((flags & FLAG_LAST) == 0) {
      return Optional.empty();
    }
    if (message.size() != announced) {
      throw new ProtocolException("channel message cut short");
    }
    byte[] whole = message.toByteArray();
    message.reset();
    announced = -1;
    return Optional.of(whole);
  }
}
