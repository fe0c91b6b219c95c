package org.casement.protocol.rdp;

import org.casement.protocol.ProtocolException;

/// The client's MCS Connect-Initial ([MS-RDPBCGR] 2.2.1.3, T.125, T.124). The engine in the browser
/// asks for 16 bits a pixel, and servers then leave RemoteFX off; so the depth is raised on the
/// way.
public final class ConnectInitial {
  /// Longest accepted; the engine's has some 450 bytes.
  public static final int LIMIT_BYTES = 4096;

  private static final int CS_CORE = 0xc001;
  private static final int WANT_32BPP = 0x0002;
  private static final int SUPPORT_32BPP = 0x0008;

  // Offsets from the core block's start.
  private static final int KEYBOARD_LAYOUT = 16;
  private static final int HIGH_COLOR_DEPTH = 140;
  private static final int SUPPORTED_DEPTHS = 142;
  private static final int EARLY_CAPABILITIES = 144;
  private static final int CORE_LEAST_BYTES = 146;
  private static final int SELECTED_PROTOCOL = 212;
  private static final int DESKTOP_SCALE = 226;
  private static final int DEVICE_SCALE = 230;

  /// T.124 ConnectGCCPDU up to the user data's length: object key, the connectPDU's length (2
  /// bytes, skipped here), conferenceCreateRequest, h221 key "Duca".
  private static final byte[] GCC_KEY = {0, 5, 0, 0x14, 0x7c, 0, 1};

  private static final byte[] GCC_REQUEST = {
    0, 8, 0, 0x10, 0, 1, (byte) 0xc0, 0, 'D', 'u', 'c', 'a'
  };

  private final byte[] pdu;
  private int at;

  private ConnectInitial(byte[] pdu) {
    this.pdu = pdu;
  }

  /// A copy that asks for 32 bits a pixel; nothing else differs, the length neither.
  public static byte[] with32BitsPerPixel(byte[] pdu) throws ProtocolException {
    if (pdu.length > LIMIT_BYTES) {
      throw new ProtocolException("Connect-Initial of more than " + LIMIT_BYTES + " bytes");
    }
    byte[] patched = pdu.clone();
    int core = new ConnectInitial(patched).coreBlock();
    RdpPdu.putU16le(patched, core + HIGH_COLOR_DEPTH, 24);
    int depths = RdpPdu.u16le(patched, core + SUPPORTED_DEPTHS);
    RdpPdu.putU16le(patched, core + SUPPORTED_DEPTHS, depths | SUPPORT_32BPP);
    int flags = RdpPdu.u16le(patched, core + EARLY_CAPABILITIES);
    RdpPdu.putU16le(patched, core + EARLY_CAPABILITIES, flags | WANT_32BPP);
    return patched;
  }

  /// A copy whose client says that the server has selected `protocol` (see [X224]): a server checks
  /// that nobody in between has changed its choice.
  public static byte[] withSelectedProtocol(byte[] pdu, int protocol) throws ProtocolException {
    if (pdu.length > LIMIT_BYTES) {
      throw new ProtocolException("Connect-Initial of more than " + LIMIT_BYTES + " bytes");
    }
    byte[] patched = pdu.clone();
    int core = new ConnectInitial(patched).coreBlock();
    if (RdpPdu.u16le(patched, core + 2) < SELECTED_PROTOCOL + 4) {
      throw new ProtocolException("Connect-Initial without selected protocol");
    }
    RdpPdu.putU32le(patched, core + SELECTED_PROTOCOL, protocol);
    return patched;
  }

  /// A copy whose keyboard has the layout of this number (KLID); nothing else differs.
  public static byte[] withKeyboardLayout(byte[] pdu, int layout) throws ProtocolException {
    if (pdu.length > LIMIT_BYTES) {
      throw new ProtocolException("Connect-Initial of more than " + LIMIT_BYTES + " bytes");
    }
    byte[] patched = pdu.clone();
    int core = new ConnectInitial(patched).coreBlock();
    RdpPdu.putU32le(patched, core + KEYBOARD_LAYOUT, layout);
    return patched;
  }

  /// A copy whose screen wants everything drawn at `percent` of its usual size, as
  /// desktopScaleFactor; deviceScaleFactor is 100, without which a server ignores the other.
  public static byte[] withScale(byte[] pdu, int percent) throws ProtocolException {
    if (pdu.length > LIMIT_BYTES) {
      throw new ProtocolException("Connect-Initial of more than " + LIMIT_BYTES + " bytes");
    }
    byte[] patched = pdu.clone();
    int core = new ConnectInitial(patched).coreBlock();
    if (RdpPdu.u16le(patched, core + 2) < DEVICE_SCALE + 4) {
      throw new ProtocolException("Connect-Initial without scale");
    }
    RdpPdu.putU32le(patched, core + DESKTOP_SCALE, percent);
    RdpPdu.putU32le(patched, core + DEVICE_SCALE, 100);
    return patched;
  }

  private int coreBlock() throws ProtocolException {
    if (!RdpPdu.isData(pdu)) {
      throw malformed();
    }
    at = 7;
    expect((byte) 0x7f);
    int end = berEnd((byte) 0x65, pdu.length);
    skipBer((byte) 0x04, end); // callingDomainSelector
    skipBer((byte) 0x04, end); // calledDomainSelector
    skipBer((byte) 0x01, end); // upwardFlag
    skipBer((byte) 0x30, end); // target, minimum, maximum parameters
    skipBer((byte) 0x30, end);
    skipBer((byte) 0x30, end);
    int userEnd = berEnd((byte) 0x04, end);
    expect(GCC_KEY);
    perLength();
    expect(GCC_REQUEST);
    int blocksEnd = perLength() + at;
    if (blocksEnd > userEnd) {
      throw malformed();
    }
    while (blocksEnd - at >= 4) {
      int type = RdpPdu.u16le(pdu, at);
      int length = RdpPdu.u16le(pdu, at + 2);
      if (length < 4 || length > blocksEnd - at) {
        throw malformed();
      }
      if (type == CS_CORE) {
        if (length < CORE_LEAST_BYTES) {
          throw new ProtocolException("Connect-Initial without colour depth");
        }
        return at;
      }
      at += length;
    }
    throw new ProtocolException("Connect-Initial without core data");
  }

  private void skipBer(byte tag, int end) throws ProtocolException {
    at = berEnd(tag, end);
  }

  /// Reads a tag and a BER length; the end of the value, which lies within `limit`.
  private int berEnd(byte tag, int limit) throws ProtocolException {
    expect(tag);
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

  private int perLength() throws ProtocolException {
    int first = octet();
    return first < 0x80 ? first : (first & 0x7f) << 8 | octet();
  }

  private void expect(byte... wanted) throws ProtocolException {
    for (byte b : wanted) {
      if ((byte) octet() != b) {
        throw malformed();
      }
    }
  }

  private int octet() throws ProtocolException {
    if (at >= pdu.length) {
      throw malformed();
    }
    return pdu[at++] & 0xff;
  }

  private static ProtocolException malformed() {
    return new ProtocolException("malformed Connect-Initial");
  }
}
