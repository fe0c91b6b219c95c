package org.casement.protocol.rdp;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.casement.protocol.ProtocolException;

/// The client's MCS Connect-Initial ([MS-RDPBCGR] 2.2.1.3, T.125, T.124). The engine in the browser
/// asks for 16 bits a pixel, and servers then leave RemoteFX off; so the depth is raised on the
/// way.
public final class ConnectInitial {
  /// Longest accepted; the engine's has some 450 bytes.
  public static final int LIMIT_BYTES = GccReader.LIMIT_BYTES;

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

  /// Client Network Data ([MS-RDPBCGR] 2.2.1.3.4): header, channelCount, CHANNEL_DEFs.
  private static final int CS_NET = 0xc003;

  private static final int CHANNEL_DEFS = 8;
  private static final int CHANNEL_DEF_BYTES = 12;
  private static final int CHANNELS_LIMIT = 31;

  /// Seven characters and a NUL.
  private static final int CHANNEL_NAME_BYTES = 8;

  /// CHANNEL_OPTION_INITIALIZED and CHANNEL_OPTION_ENCRYPT_RDP, as all clients have them.
  private static final int CHANNEL_OPTIONS = 0xc0000000;

  /// T.124 ConnectGCCPDU up to the user data's length: object key, the connectPDU's length (2
  /// bytes, skipped here), conferenceCreateRequest, h221 key "Duca".
  private static final byte[] GCC_KEY = {0, 5, 0, 0x14, 0x7c, 0, 1};

  private static final byte[] GCC_REQUEST = {
    0, 8, 0, 0x10, 0, 1, (byte) 0xc0, 0, 'D', 'u', 'c', 'a'
  };

  private final byte[] pdu;

  /// The MCS part before the user data: selectors and domain parameters.
  private final int parametersAt;

  private final int userDataAt;
  private final int blocksAt;
  private final int blocksEnd;
  private final GccReader reader;

  private ConnectInitial(byte[] original) throws ProtocolException {
    pdu = original.clone();
    reader = new GccReader(pdu, "Connect-Initial");
    reader.expect((byte) 0x7f);
    int end = reader.berEnd(0x65, pdu.length);
    parametersAt = reader.at;
    reader.skipBer(0x04, end); // callingDomainSelector
    reader.skipBer(0x04, end); // calledDomainSelector
    reader.skipBer(0x01, end); // upwardFlag
    reader.skipBer(0x30, end); // target, minimum, maximum parameters
    reader.skipBer(0x30, end);
    reader.skipBer(0x30, end);
    userDataAt = reader.at;
    int userEnd = reader.berEnd(0x04, end);
    reader.expect(GCC_KEY);
    reader.perLength();
    reader.expect(GCC_REQUEST);
    int length = reader.perLength();
    blocksAt = reader.at;
    blocksEnd = blocksAt + length;
    reader.readBlocks(blocksEnd, userEnd, end);
  }

  /// A copy that asks for 32 bits a pixel; nothing else differs, the length neither.
  public static byte[] with32BitsPerPixel(byte[] pdu) throws ProtocolException {
    ConnectInitial initial = new ConnectInitial(pdu);
    byte[] patched = initial.pdu;
    int core = initial.coreBlock();
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
    ConnectInitial initial = new ConnectInitial(pdu);
    byte[] patched = initial.pdu;
    int core = initial.coreBlock();
    if (RdpPdu.u16le(patched, core + 2) < SELECTED_PROTOCOL + 4) {
      throw new ProtocolException("Connect-Initial without selected protocol");
    }
    RdpPdu.putU32le(patched, core + SELECTED_PROTOCOL, protocol);
    return patched;
  }

  /// A copy whose keyboard has the layout of this number (KLID); nothing else differs.
  public static byte[] withKeyboardLayout(byte[] pdu, int layout) throws ProtocolException {
    ConnectInitial initial = new ConnectInitial(pdu);
    byte[] patched = initial.pdu;
    int core = initial.coreBlock();
    RdpPdu.putU32le(patched, core + KEYBOARD_LAYOUT, layout);
    return patched;
  }

  /// A copy whose screen wants everything drawn at `percent` of its usual size, as
  /// desktopScaleFactor; deviceScaleFactor is 100, without which a server ignores the other.
  public static byte[] withScale(byte[] pdu, int percent) throws ProtocolException {
    ConnectInitial initial = new ConnectInitial(pdu);
    byte[] patched = initial.pdu;
    int core = initial.coreBlock();
    if (RdpPdu.u16le(patched, core + 2) < DEVICE_SCALE + 4) {
      throw new ProtocolException("Connect-Initial without scale");
    }
    RdpPdu.putU32le(patched, core + DESKTOP_SCALE, percent);
    RdpPdu.putU32le(patched, core + DEVICE_SCALE, 100);
    return patched;
  }

  /// The static virtual channels that the client asks for, in its order.
  public static List<String> channels(byte[] pdu) throws ProtocolException {
    return new ConnectInitial(pdu).channels();
  }

  /// A copy in which every channel but those of `kept`, once each, has a name that no server knows.
  /// Nothing else differs, the length neither.
  public static byte[] withChannelsOf(byte[] pdu, Set<String> kept) throws ProtocolException {
    ConnectInitial initial = new ConnectInitial(pdu);
    List<String> names = initial.channels();
    int definition = initial.reader.block(CS_NET) + CHANNEL_DEFS;
    for (int i = 0; i < names.size(); i++) {
      String name = names.get(i);
      if (!kept.contains(name) || names.indexOf(name) < i) {
        byte[] none = Arrays.copyOf(("none" + i).getBytes(ISO_8859_1), CHANNEL_NAME_BYTES);
        System.arraycopy(none, 0, initial.pdu, definition, CHANNEL_NAME_BYTES);
      }
      definition += CHANNEL_DEF_BYTES;
    }
    return initial.pdu;
  }

  /// A copy that asks for one channel more, after the client's own.
  ///
  /// @param name at most 7 characters of ASCII
  public static byte[] withChannel(byte[] pdu, String name) throws ProtocolException {
    ConnectInitial initial = new ConnectInitial(pdu);
    List<String> channels = initial.channels();
    int count = channels.size();
    if (channels.contains(name)) {
      throw new ProtocolException("Connect-Initial that asks for " + name + " itself");
    }
    if (count == CHANNELS_LIMIT) {
      throw new ProtocolException("Connect-Initial with no room for a channel");
    }
    byte[] definition = new byte[CHANNEL_DEF_BYTES];
    byte[] ascii = name.getBytes(ISO_8859_1);
    System.arraycopy(ascii, 0, definition, 0, ascii.length);
    RdpPdu.putU32le(definition, CHANNEL_NAME_BYTES, CHANNEL_OPTIONS);
    return initial.withDefinition(count, definition);
  }

  private byte[] withDefinition(int count, byte[] definition) throws ProtocolException {
    int net = reader.block(CS_NET);
    byte[] head = new byte[CHANNEL_DEFS];
    RdpPdu.putU16le(head, 0, CS_NET);
    RdpPdu.putU16le(head, 2, CHANNEL_DEFS + (count + 1) * CHANNEL_DEF_BYTES);
    RdpPdu.putU32le(head, 4, count + 1);
    int netAt = net < 0 ? blocksEnd : net;
    int defsAt = net < 0 ? blocksEnd : net + CHANNEL_DEFS;
    int defsEnd = defsAt + count * CHANNEL_DEF_BYTES;
    int rest = net < 0 ? blocksEnd : net + RdpPdu.u16le(pdu, net + 2);

    ByteArrayOutputStream blocks = new ByteArrayOutputStream(pdu.length + 32);
    blocks.write(pdu, blocksAt, netAt - blocksAt);
    blocks.writeBytes(head);
    blocks.write(pdu, defsAt, defsEnd - defsAt);
    blocks.writeBytes(definition);
    blocks.write(pdu, rest, blocksEnd - rest);
    return around(blocks.toByteArray());
  }

  /// The PDU with other blocks, every length around them in its two-byte form.
  private byte[] around(byte[] blocks) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(blocks.length + 128);
    int gccRest = GCC_REQUEST.length + 2 + blocks.length;
    int user = GCC_KEY.length + 2 + gccRest;
    int parameters = userDataAt - parametersAt;
    out.write(pdu, 0, 7);
    out.writeBytes(new byte[] {0x7f, 0x65, (byte) 0x82});
    u16(out, parameters + 4 + user);
    out.write(pdu, parametersAt, parameters);
    out.writeBytes(new byte[] {0x04, (byte) 0x82});
    u16(out, user);
    out.writeBytes(GCC_KEY);
    u16(out, 0x8000 | gccRest);
    out.writeBytes(GCC_REQUEST);
    u16(out, 0x8000 | blocks.length);
    out.writeBytes(blocks);
    byte[] whole = out.toByteArray();
    RdpPdu.putU16(whole, 2, whole.length);
    return whole;
  }

  private static void u16(ByteArrayOutputStream out, int value) {
    out.write(value >> 8);
    out.write(value);
  }

  private List<String> channels() throws ProtocolException {
    int net = reader.block(CS_NET);
    List<String> names = new ArrayList<>();
    if (net < 0) {
      return names;
    }
    int length = RdpPdu.u16le(pdu, net + 2);
    int count = length < CHANNEL_DEFS ? -1 : RdpPdu.u32le(pdu, net + 4);
    if (count < 0 || count > CHANNELS_LIMIT || CHANNEL_DEFS + count * CHANNEL_DEF_BYTES > length) {
      throw new ProtocolException("Connect-Initial with malformed channels");
    }
    for (int i = 0; i < count; i++) {
      int from = net + CHANNEL_DEFS + i * CHANNEL_DEF_BYTES;
      int to = from;
      while (to < from + CHANNEL_NAME_BYTES && pdu[to] != 0) {
        to++;
      }
      names.add(new String(pdu, from, to - from, ISO_8859_1));
    }
    return names;
  }

  private int coreBlock() throws ProtocolException {
    int core = reader.block(CS_CORE);
    if (core < 0) {
      throw new ProtocolException("Connect-Initial without core data");
    }
    if (RdpPdu.u16le(pdu, core + 2) < CORE_LEAST_BYTES) {
      throw new ProtocolException("Connect-Initial without colour depth");
    }
    return core;
  }
}
