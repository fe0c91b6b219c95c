package org.casement.protocol.rdp;

import java.io.ByteArrayOutputStream;
import java.util.Optional;
import org.casement.protocol.ProtocolException;

/// Puts the server's messages on one static virtual channel together from their chunks
/// ([MS-RDPBCGR] 2.2.6.1), and makes the PDUs of the client's.
public final class ChannelData {
  private final int channel;
  private final int limit;
  private final ByteArrayOutputStream message = new ByteArrayOutputStream();
  private long announced = -1;

  /// For one channel.
  ///
  /// @param channel number of the MCS channel
  /// @param limit longest message accepted, in bytes
  public ChannelData(int channel, int limit) {
    this.channel = channel;
    this.limit = limit;
  }

  /// The client's PDU that carries `message`, as one chunk.
  ///
  /// @param initiator number of the MCS user, less 1001
  public byte[] request(int initiator, byte[] message) {
    if (message.length > ChannelChunk.LIMIT_BYTES) {
      throw new IllegalArgumentException("message of more than a chunk: " + message.length);
    }
    int flags = ChannelChunk.FIRST | ChannelChunk.LAST;
    return new ChannelChunk(true, initiator, channel, message.length, flags, message).pdu();
  }

  /// Adds a PDU of this channel; the message, if it is whole now.
  public Optional<byte[]> add(byte[] pdu) throws ProtocolException {
    ChannelChunk chunk = ChannelChunk.of(pdu);
    if (chunk.channel() != channel || chunk.fromClient()) {
      throw new ProtocolException("data of another channel or direction");
    }
    if ((chunk.flags() & ChannelChunk.COMPRESSED) != 0) {
      throw new ProtocolException("compressed channel data, which was not asked for");
    }
    if ((chunk.flags() & ChannelChunk.FIRST) != 0) {
      message.reset();
      announced = chunk.total();
    }
    if (chunk.total() != announced
        || announced > limit
        || chunk.data().length > announced - message.size()) {
      throw new ProtocolException("channel data that does not fit together");
    }
    message.writeBytes(chunk.data());
    if ((chunk.flags() & ChannelChunk.LAST) == 0) {
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
