package org.casement.supervisor;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;

/// An SMB2 NEGOTIATE (MS-SMB2 2.2.3) to which smbd must answer itself: for a stopped one the kernel
/// still accepts. It offers the oldest dialect only; a server that demands a newer one answers with
/// an error, which is an answer, too.
final class SmbQuestion {
  private static final byte[] NEGOTIATE =
      HexFormat.of()
          .parseHex(
              "00000066" // direct TCP transport (2.1): length
                  + "fe534d42" // protocol
                  + "40000000" // header's size, credit charge
                  + "00000000" // status
                  + "00000100" // NEGOTIATE, one credit
                  + "00".repeat(48) // flags to signature
                  + "24000100" // body's size, one dialect
                  + "01000000" // signing enabled
                  + "00".repeat(28) // capabilities, client's GUID, start time
                  + "0202"); // SMB 2.0.2

  /// The answer's length and protocol.
  private static final int READ_BYTES = 8;

  private static final byte[] PROTOCOL = {(byte) 0xfe, 'S', 'M', 'B'};

  private SmbQuestion() {}

  static void ask(InetSocketAddress smbd, Duration limit) throws IOException {
    int millis = Math.toIntExact(limit.toMillis() / 2);
    try (Socket socket = new Socket()) {
      socket.connect(smbd, millis);
      socket.setSoTimeout(millis);
      socket.getOutputStream().write(NEGOTIATE);
      byte[] answer = socket.getInputStream().readNBytes(READ_BYTES);
      if (answer.length < READ_BYTES || !Arrays.equals(answer, 4, READ_BYTES, PROTOCOL, 0, 4)) {
        throw new IOException("what answers is not SMB 2");
      }
    }
  }
}
