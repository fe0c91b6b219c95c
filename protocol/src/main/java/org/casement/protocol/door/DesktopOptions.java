package org.casement.protocol.door;

import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.casement.protocol.ProtocolException;

/// How a page wants the desktop opened: the destination of its RDCleanPath request
/// (contracts/door.md).
///
/// @param keyboardLayout Windows' number of it (KLID), 0 for the desktop's own
/// @param scalePercent how large the desktop draws text, 100 to 500
public record DesktopOptions(int keyboardLayout, int scalePercent) {
  public static final DesktopOptions NONE = new DesktopOptions(0, 100);

  private static final Pattern DESTINATION =
      Pattern.compile("desktop\\?keyboard=([0-9a-f]{8})&scale=([0-9]{3})");

  /// [MS-RDPBCGR] 2.2.1.3.2, desktopScaleFactor.
  private static final int SCALE_LEAST = 100;

  private static final int SCALE_MOST = 500;

  public static DesktopOptions of(String destination) throws ProtocolException {
    if (destination.equals("desktop")) {
      return NONE;
    }
    Matcher options = DESTINATION.matcher(destination);
    if (!options.matches()) {
      throw new ProtocolException("malformed destination");
    }
    int scale = Integer.parseInt(options.group(2));
    if (scale < SCALE_LEAST || scale > SCALE_MOST) {
      throw new ProtocolException("scale is not from 100 to 500");
    }
    return new DesktopOptions(HexFormat.fromHexDigits(options.group(1)), scale);
  }
}
