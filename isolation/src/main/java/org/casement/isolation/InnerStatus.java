package org.casement.isolation;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// What /proc/PID/status says about the first process of a sealed namespace.
///
/// @param sealed whether it is the supervisor already: `casement seal` sets no_new_privs last
/// @param caught signals that have a handler, one bit each
record InnerStatus(boolean sealed, long caught) {
  static InnerStatus of(ProcessHandle process) {
    try {
      List<String> lines = Files.readAllLines(Path.of("/proc/" + process.pid() + "/status"));
      return new InnerStatus(
          field(lines, "NoNewPrivs:").equals("1"),
          Long.parseUnsignedLong(field(lines, "SigCgt:"), 16));
    } catch (IOException e) {
      return new InnerStatus(false, 0); // gone
    }
  }

  boolean catches(int signal) {
    return (caught & (1L << (signal - 1))) != 0;
  }

  private static String field(List<String> lines, String name) {
    return lines.stream()
        .filter(line -> line.startsWith(name))
        .map(line -> line.substring(name.length()).strip())
        .findFirst()
        .orElse("0");
  }
}
