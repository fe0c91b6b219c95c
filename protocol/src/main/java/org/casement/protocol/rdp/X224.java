package org.casement.protocol.rdp;

import org.casement.protocol.ProtocolException;

/// The first exchange of an RDP connection ([MS-RDPBCGR] 2.2.1.1 and 2.2.1.2): which security
/// layer.
public final class X224 {
  /// TLS alone: the credentials travel in the Client Info PDU.
  public static final int PROTOCOL_TLS = 1;

  /// CredSSP inside TLS: network level authentication.
  public static final int PROTOCOL_HYBRID = 2;

  /// Longest negotiation PDU accepted. A server's has 19 bytes, a client's has a cookie or routing
  /// token before that.
  public static final int LIMIT_BYTES = 512;

  private static final int CONNECTION_REQUEST = 0xe0;
  private static final int CONNECTION_CONFIRM = 0xd0;
  private static final int NEGOTIATION_BYTES = 8;

  /// TPKT and the fixed part of X.224.
  private static final int HEADER_BYTES = 11;

  /// What the server answered.
  public sealed interface Confirm {
    record Selected(int protocol) implements Confirm {}

    /// [MS-RDPBCGR] 2.2.1.2.2.
    record Failed(int code) implements Confirm {
      public static final int TLS_REQUIRED = 1;
      public static final int TLS_NOT_ALLOWED = 2;
      public static final int NO_CERTIFICATE = 3;
      public static final int HYBRID_REQUIRED = 5;

      /// TLS with a client's certificate, or with network level authentication.
      public static final int USER_AUTH_REQUIRED = 6;
    }

    /// A server that knows no negotiation, hence no TLS.
    record None() implements Confirm {}
  }

  private X224() {}

  /// A connection request of ours, without cookie.
  public static byte[] request(int protocols) {
    byte[] request = new byte[HEADER_BYTES + NEGOTIATION_BYTES];
    request[0] = 3;
    RdpPdu.putU16(request, 2, request.length);
    request[4] = (byte) (request.length - 5);
    request[5] = (byte) CONNECTION_REQUEST;
    request[HEADER_BYTES] = 1; // RDP_NEG_REQ
    RdpPdu.putU16le(request, HEADER_BYTES + 2, NEGOTIATION_BYTES);
    RdpPdu.putU32le(request, HEADER_BYTES + 4, protocols);
    return request;
  }

  /// The protocols a client asks for; 0 where it does not negotiate.
  public static int requestedProtocols(byte[] pdu) throws ProtocolException {
    checkFrame(pdu, CONNECTION_REQUEST);
    // A cookie or routing token may come first; it ends with CR LF.
    int at = HEADER_BYTES;
    if (pdu.length > at && pdu[at] != 1) {
      while (at + 1 < pdu.length && !(pdu[at] == '\r' && pdu[at + 1] == '\n')) {
        at++;
      }
      if (at + 1 >= pdu.length) {
        throw new ProtocolException("X.224: a cookie without end");
      }
      at += 2;
    }
    if (at == pdu.length) {
      return 0;
    }
    if (pdu.length - at < NEGOTIATION_BYTES
        || pdu[at] != 1
        || RdpPdu.u16le(pdu, at + 2) != NEGOTIATION_BYTES) {
      throw new ProtocolException("X.224: malformed negotiation request");
    }
    return RdpPdu.u32le(pdu, at + 4);
  }

  public static Confirm confirm(byte[] pdu) throws ProtocolException {
    checkFrame(pdu, CONNECTION_CONFIRM);
    if (pdu.length == HEADER_BYTES) {
      return new Confirm.None();
    }
    if (pdu.length != HEADER_BYTES + NEGOTIATION_BYTES
        || RdpPdu.u16le(pdu, HEADER_BYTES + 2) != NEGOTIATION_BYTES) {
      throw new ProtocolException("X.224: malformed negotiation answer");
    }
    int value = RdpPdu.u32le(pdu, HEADER_BYTES + 4);
    return switch (pdu[HEADER_BYTES]) {
      case 2 -> new Confirm.Selected(value);
      case 3 -> new Confirm.Failed(value);
      default -> throw new ProtocolException("X.224: unknown negotiation answer");
    };
  }

  /// The confirm `pdu`, which has selected a protocol, with another one in its place.
  public static byte[] withProtocol(byte[] pdu, int protocol) throws ProtocolException {
    if (!(confirm(pdu) instanceof Confirm.Selected)) {
      throw new ProtocolException("X.224: no protocol was selected");
    }
    byte[] changed = pdu.clone();
    RdpPdu.putU32le(changed, HEADER_BYTES + 4, protocol);
    return changed;
  }

  private static void checkFrame(byte[] pdu, int kind) throws ProtocolException {
    if (pdu.length > LIMIT_BYTES) {
      throw new ProtocolException("X.224: more than " + LIMIT_BYTES + " bytes");
    }
    if (pdu.length < HEADER_BYTES
        || pdu[0] != 3
        || RdpPdu.u16(pdu, 2) != pdu.length
        || (pdu[4] & 0xff) != pdu.length - 5
        || (pdu[5] & 0xf0) != kind) {
      throw new ProtocolException(String.format("X.224: not a TPKT with a %02x", kind));
    }
  }
}
