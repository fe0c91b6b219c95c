package org.casement.supervisor;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.rdp.RdpSecurity;
import org.casement.protocol.rdp.X224;

/// Whether the guest's RDP server is there. QEMU's forward accepts a connection even while the
/// guest is stopped, so only an answer to an X.224 connection request (MS-RDPBCGR 2.2.1.1) counts.
final class Desktop {
  private static final Duration CONNECT_LIMIT = Duration.ofSeconds(2);
  private static final Duration ANSWER_LIMIT = Duration.ofSeconds(5);
  private static final int TPKT_HEADER_BYTES = 4;

  private Desktop() {}

  static boolean answers(InetSocketAddress rdp, RdpSecurity security) {
    try (Socket socket = new Socket()) {
      socket.connect(rdp, Math.toIntExact(CONNECT_LIMIT.toMillis()));
      socket.setSoTimeout(Math.toIntExact(ANSWER_LIMIT.toMillis()));
      socket.getOutputStream().write(X224.request(security.requestedProtocols()));
      byte[] header = socket.getInputStream().readNBytes(TPKT_HEADER_BYTES);
      if (header.length < TPKT_HEADER_BYTES) {
        return false;
      }
      int length = (header[2] & 0xff) << 8 | (header[3] & 0xff);
      if (length > X224.LIMIT_BYTES || length < TPKT_HEADER_BYTES) {
        return false;
      }
      byte[] pdu = java.util.Arrays.copyOf(header, length);
      int read =
          socket.getInputStream().readNBytes(pdu, TPKT_HEADER_BYTES, length - TPKT_HEADER_BYTES);
      if (read < length - TPKT_HEADER_BYTES) {
        return false;
      }
      X224.confirm(pdu); // another protocol or a refusal is an answer, too: the page says so
      return true;
    } catch (IOException | ProtocolException e) {
      return false;
    }
  }
}
