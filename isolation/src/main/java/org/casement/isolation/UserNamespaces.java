package org.casement.isolation;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// Why an ordinary user may not make a user namespace here: the switches that kernels have for it,
/// in words for the administrator.
public final class UserNamespaces {
  /// The file, and the value that forbids.
  private static final Map<String, String> SWITCHES =
      new TreeMap<>(
          Map.of(
              "user.max_user_namespaces", "0",
              "user.max_net_namespaces", "0",
              "user.max_pid_namespaces", "0",
              "user.max_mnt_namespaces", "0",
              "kernel.unprivileged_userns_clone", "0",
              "kernel.apparmor_restrict_unprivileged_userns", "1"));

  private UserNamespaces() {}

  /// `ask an administrator: kernel.unprivileged_userns_clone=0 forbids user namespaces`, or empty.
  public static Optional<String> hint() {
    String forbidding =
        SWITCHES.entrySet().stream()
            .filter(entry -> value(entry.getKey()).equals(entry.getValue()))
            .map(entry -> entry.getKey() + "=" + entry.getValue())
            .reduce((a, b) -> a + ", " + b)
            .orElse("");
    if (forbidding.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        "ask an administrator: sysctl "
            + forbidding
            + " stands against it"
            + (forbidding.contains("apparmor")
                ? "; an AppArmor profile with \"userns,\" for /usr/bin/unshare and for bwrap lifts"
                    + " it for these two"
                : ""));
  }

  private static String value(String name) {
    try {
      return Files.readString(Path.of("/proc/sys", name.split("\\."))).strip();
    } catch (IOException e) {
      return ""; // this kernel does not have the switch
    }
  }
}
