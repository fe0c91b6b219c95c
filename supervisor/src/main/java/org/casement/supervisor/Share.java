package org.casement.supervisor;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// A directory of the user's that the guest sees, under `name`.
public record Share(String name, Path path) {
  /// SMB allows 80 characters; a section of smb.conf and a directory's name in the guest allow
  /// these.
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,31}");

  /// Sections of smb.conf that mean something else.
  private static final Pattern RESERVED = Pattern.compile("(?i)global|homes|printers|ipc");

  public Share {
    if (!NAME.matcher(name).matches() || RESERVED.matcher(name).matches()) {
      throw new IllegalArgumentException(
          "a share's name is 1 to 32 of letters, digits, '-' and '_', and not global, homes,"
              + " printers or ipc: "
              + name);
    }
    if (!path.isAbsolute()
        || path.toString().chars().anyMatch(c -> c < ' ' || c == '%' || c == '"')) {
      // smb.conf expands %-variables in paths.
      throw new IllegalArgumentException(
          "a share's path is absolute, without control characters, quotes and '%': " + path);
    }
  }

  /// A drive letter for each, in order: its initial if that is free, else the last free one. A to D
  /// are the machine's own.
  static Map<Share, String> drives(List<Share> shares) {
    Map<Share, String> drives = new LinkedHashMap<>();
    for (Share share : shares) {
      IntStream.concat(
              IntStream.of(Character.toUpperCase(share.name().charAt(0))),
              IntStream.rangeClosed('E', 'Z').map(letter -> 'E' + 'Z' - letter))
          .filter(letter -> letter >= 'E' && letter <= 'Z')
          .mapToObj(letter -> (char) letter + ":")
          .filter(drive -> !drives.containsValue(drive))
          .findFirst()
          .ifPresent(drive -> drives.put(share, drive));
    }
    return drives;
  }
}
