package org.casement.protocol.rdp;

import java.io.ByteArrayOutputStream;

/// The formats in a Format List ([MS-RDPECLIP] 2.2.3.1): numbers, each with a name unless it is a
/// standard one.
final class ClipboardFormats {
  // [MS-RDPECLIP] 1.3.1.2: the standard formats of the Windows clipboard.
  private static final int CF_TEXT = 1;
  private static final int CF_OEMTEXT = 7;
  private static final int CF_UNICODETEXT = 13;

  private static final int ID_BYTES = 4;
  private static final int SHORT_NAME_BYTES = 32;
  private static final int KINDS = 3;

  private ClipboardFormats() {}

  static boolean isText(int format) {
    return format == CF_TEXT || format == CF_OEMTEXT || format == CF_UNICODETEXT;
  }

  /// The list less all that is no text, without names; what is cut off at the end is left out.
  ///
  /// @param longNames whether names end with a NUL, or have 32 bytes
  static byte[] texts(byte[] list, boolean longNames) {
    ByteArrayOutputStream texts = new ByteArrayOutputStream();
    int nameBytes = longNames ? 2 : SHORT_NAME_BYTES;
    int at = 0;
    while (list.length - at >= ID_BYTES && texts.size() < KINDS * (ID_BYTES + nameBytes)) {
      int format = RdpPdu.u32le(list, at);
      if (isText(format)) {
        texts.write(list, at, ID_BYTES);
        texts.writeBytes(new byte[nameBytes]);
      }
      at += ID_BYTES;
      if (longNames) {
        while (list.length - at >= 2 && RdpPdu.u16le(list, at) != 0) {
          at += 2;
        }
      }
      at += nameBytes;
    }
    return texts.toByteArray();
  }
}
