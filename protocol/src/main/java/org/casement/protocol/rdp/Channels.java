package org.casement.protocol.rdp;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.casement.protocol.ProtocolException;

/// The static virtual channels of a connection: the names of the client's network data, numbered by
/// the server's ([MS-RDPBCGR] 2.2.1.3.4, 2.2.1.4.4). A name that is asked for twice has the number
/// of its first.
public final class Channels {
  /// Server Network Data: header, MCSChannelId, channelCount, the numbers.
  private static final int SC_NET = 0x0c03;

  private static final int COUNT = 6;
  private static final int NUMBERS = 8;

  /// T.124 ConnectGCCPDU: object key; the connectPDU's length follows, which servers get wrong.
  private static final byte[] GCC_KEY = {0, 5, 0, 0x14, 0x7c, 0, 1};

  /// After result: one set of user data, h221 key "McDn".
  private static final byte[] GCC_RESPONSE = {1, (byte) 0xc0, 0, 'M', 'c', 'D', 'n'};

  private final Map<String, Integer> numbers;

  private Channels(Map<String, Integer> numbers) {
    this.numbers = numbers;
  }

  /// Of one connection.
  ///
  /// @param initial the Connect-Initial as the server got it
  /// @param response the server's MCS Connect-Response
  public static Channels of(byte[] initial, byte[] response) throws ProtocolException {
    List<String> names = ConnectInitial.channels(initial);
    GccReader reader = new GccReader(response, "Connect-Response");
    readBlocks(reader);
    int net = reader.block(SC_NET);
    if (net < 0 && !names.isEmpty()) {
      throw new ProtocolException("Connect-Response without channels");
    }
    Map<String, Integer> numbers = new HashMap<>();
    if (!names.isEmpty()) {
      int length = RdpPdu.u16le(response, net + 2);
      int count = length < NUMBERS ? -1 : RdpPdu.u16le(response, net + COUNT);
      if (count < names.size() || NUMBERS + 2 * count > length) {
        throw new ProtocolException("Connect-Response with malformed channels");
      }
      for (int i = 0; i < names.size(); i++) {
        numbers.putIfAbsent(names.get(i), RdpPdu.u16le(response, net + NUMBERS + 2 * i));
      }
    }
    return new Channels(numbers);
  }

  /// The MCS channel of that name; empty if the client did not ask for it.
  public OptionalInt number(String name) {
    Integer number = numbers.get(name);
    return number == null ? OptionalInt.empty() : OptionalInt.of(number);
  }

  private static void readBlocks(GccReader reader) throws ProtocolException {
    reader.expect((byte) 0x7f);
    int end = reader.berEnd(0x66, reader.pdu.length);
    reader.skipBer(0x0a, end); // result
    reader.skipBer(0x02, end); // calledConnectId
    reader.skipBer(0x30, end); // domainParameters
    int userEnd = reader.berEnd(0x04, end);
    reader.expect(GCC_KEY);
    reader.perLength();
    reader.skip(1 + 2); // conferenceCreateResponse, nodeID
    reader.skip(reader.octet()); // tag
    reader.skip(1); // result
    reader.expect(GCC_RESPONSE);
    int blocksEnd = reader.perLength() + reader.at;
    reader.readBlocks(blocksEnd, userEnd, end);
  }
}
