package org.casement.protocol.rdp;

import static java.nio.charset.StandardCharsets.UTF_16LE;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import org.casement.protocol.ProtocolException;
import org.casement.session.Secret;

/// The Client Info PDU ([MS-RDPBCGR] 2.2.1.11), which carries user and password inside TLS. The
/// browser knows neither: they are put in on the way, with the flag that asks the desktop to log in
/// with them at once.
public final class ClientInfo {
  /// Longest accepted, on either side of the change: five strings of at most 512 bytes and the
  /// extra info, of some 200, leave room.
  public static final int LIMIT_BYTES = 4096;

  private static final int SEND_DATA_REQUEST = 0x64;
  private static final int SEC_INFO_PKT = 0x0040;
  private static final int INFO_AUTOLOGON = 0x0008;
  private static final int INFO_UNICODE = 0x0010;
  private static final int INFO_REMOTE_CONSOLE_AUDIO = 0x2000;
  private static final int INFO_NO_AUDIO_PLAYBACK = 0x0008_0000;

  /// Of strings in the PDU, without terminator ([MS-RDPBCGR] 2.2.1.11.1.1).
  private static final int STRING_LIMIT_BYTES = 512;

  /// TPKT and X.224 (7), MCS request.
  private static final int INITIATOR_AT = 8;

  /// After initiator, channel, priority.
  private static final int PER_LENGTH_AT = 13;

  /// From the security header: its 4 bytes, code page, flags.
  private static final int LENGTHS_AT = 12;

  private static final int STRINGS = 5;
  private static final int STRINGS_AT = LENGTHS_AT + 2 * STRINGS;

  private ClientInfo() {}

  /// Whether `pdu` is one: the first data of a client that has the info flag.
  public static boolean is(byte[] pdu) {
    int security = securityHeader(pdu);
    return security >= 0
        && pdu.length - security >= STRINGS_AT
        && (RdpPdu.u16le(pdu, security) & SEC_INFO_PKT) != 0;
  }

  /// A copy that logs in as `user`, a local account of the desktop.
  public static byte[] withLogin(byte[] pdu, String user, Secret password)
      throws ProtocolException {
    if (pdu.length > LIMIT_BYTES || !is(pdu)) {
      throw malformed();
    }
    int security = securityHeader(pdu);
    int flags = RdpPdu.u32le(pdu, security + 8);
    if ((flags & INFO_UNICODE) == 0) {
      throw new ProtocolException("Client Info without Unicode");
    }
    byte[][] strings = new byte[STRINGS][];
    int at = security + STRINGS_AT;
    for (int i = 0; i < STRINGS; i++) {
      int length = RdpPdu.u16le(pdu, security + LENGTHS_AT + 2 * i);
      if (length > STRING_LIMIT_BYTES || length + 2 > pdu.length - at) {
        throw malformed();
      }
      strings[i] = Arrays.copyOfRange(pdu, at, at + length);
      at += length + 2;
    }
    strings[0] = new byte[0]; // domain
    strings[1] = user.getBytes(UTF_16LE);
    strings[2] = password.text().getBytes(UTF_16LE);

    ByteArrayOutputStream info = new ByteArrayOutputStream(pdu.length + 256);
    info.write(pdu, security, LENGTHS_AT);
    for (byte[] string : strings) {
      if (string.length > STRING_LIMIT_BYTES) {
        throw new IllegalArgumentException("user or password of more than 256 characters");
      }
      info.write(string.length);
      info.write(string.length >> 8);
    }
    for (byte[] string : strings) {
      info.writeBytes(string);
      info.write(0);
      info.write(0);
    }
    info.write(pdu, at, pdu.length - at);
    byte[] body = info.toByteArray();
    RdpPdu.putU32le(body, 8, flags | INFO_AUTOLOGON);

    byte[] patched = new byte[PER_LENGTH_AT + 2 + body.length];
    System.arraycopy(pdu, 0, patched, 0, PER_LENGTH_AT);
    RdpPdu.putU16(patched, PER_LENGTH_AT, 0x8000 | body.length);
    System.arraycopy(body, 0, patched, PER_LENGTH_AT + 2, body.length);
    RdpPdu.putU16(patched, 2, patched.length);
    return patched;
  }

  /// A copy whose client plays sound; nothing else differs, the length neither.
  public static byte[] withSound(byte[] pdu) throws ProtocolException {
    if (!is(pdu)) {
      throw malformed();
    }
    byte[] patched = pdu.clone();
    int at = securityHeader(pdu) + 8;
    int silent = INFO_REMOTE_CONSOLE_AUDIO | INFO_NO_AUDIO_PLAYBACK;
    RdpPdu.putU32le(patched, at, RdpPdu.u32le(pdu, at) & ~silent);
    return patched;
  }

  /// The MCS user that sends it, less 1001.
  public static int initiator(byte[] pdu) throws ProtocolException {
    if (!is(pdu)) {
      throw malformed();
    }
    return RdpPdu.u16(pdu, INITIATOR_AT);
  }

  /// Where the security header of a Send-Data-Request is, or -1 for any other PDU.
  private static int securityHeader(byte[] pdu) {
    if (!RdpPdu.isData(pdu)
        || pdu.length < PER_LENGTH_AT + 2
        || (pdu[7] & 0xff) != SEND_DATA_REQUEST) {
      return -1;
    }
    int first = pdu[PER_LENGTH_AT] & 0xff;
    int header = first < 0x80 ? 1 : 2;
    int length = first < 0x80 ? first : (first & 0x3f) << 8 | (pdu[PER_LENGTH_AT + 1] & 0xff);
    return PER_LENGTH_AT + header + length == pdu.length ? PER_LENGTH_AT + header : -1;
  }

  private static ProtocolException malformed() {
    return new ProtocolException("malformed Client Info");
  }
}
