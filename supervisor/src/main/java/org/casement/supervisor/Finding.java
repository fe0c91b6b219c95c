package org.casement.supervisor;

import java.util.Locale;

/// What a check of the node found about one subject.
///
/// @param found a phrase: what is there, or what is wrong
/// @param remedy one command or sentence; empty where nothing is to be done
public record Finding(Subject subject, Level level, String found, String remedy) {
  public enum Level {
    OK,
    /// Sessions run, in some way worse than they could.
    WARNING,
    /// Sessions do not run, or not safely.
    ERROR;

    public String code() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /// What can be wrong with a node, in the order in which it is told (contracts/doctor.json).
  public enum Subject {
    CONFIGURATION("Configuration", "configuration"),
    SHARES("Configuration", "shares"),
    USER("Node", "user"),
    ACCELERATION("Node", "acceleration"),
    MEMORY("Node", "memory"),
    DISK_SPACE("Node", "disk space"),
    RUNTIME_DIRECTORY("Node", "runtime directory"),
    LISTENERS("Node", "listeners"),
    USER_NAMESPACES("Isolation", "user namespaces"),
    SEAL("Isolation", "seal"),
    NFTABLES("Isolation", "nftables"),
    CONFINEMENT("Isolation", "confinement"),
    LANDLOCK("Isolation", "Landlock"),
    SLURM("Sealed jobs", "Slurm"),
    NODE_AGENT("Sealed jobs", "node agent"),
    TRACING("Sealed jobs", "tracing"),
    PROC_NET("Sealed jobs", "/proc/PID/net"),
    VSOCK("Sealed jobs", "AF_VSOCK"),
    LOCAL_SOCKETS("Sealed jobs", "local sockets"),
    QEMU("Programs", "QEMU"),
    SAMBA("Programs", "Samba"),
    SWTPM("Programs", "swtpm"),
    IMAGE("Golden image", "manifest"),
    DIGEST("Golden image", "digest"),
    FIRMWARE("Golden image", "firmware"),
    MACHINE("Trial", "machine"),
    FILE_SHARE("Trial", "file share");

    private final String group;
    private final String label;

    Subject(String group, String label) {
      this.group = group;
      this.label = label;
    }

    public String group() {
      return group;
    }

    public String label() {
      return label;
    }

    /// What contracts say: `user-namespaces`, …
    public String code() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  public static Finding ok(Subject subject, String found) {
    return new Finding(subject, Level.OK, found, "");
  }

  public static Finding warning(Subject subject, String found, String remedy) {
    return new Finding(subject, Level.WARNING, found, remedy);
  }

  public static Finding error(Subject subject, String found, String remedy) {
    return new Finding(subject, Level.ERROR, found, remedy);
  }

  /// Both in one sentence, for a session's user and its log.
  public String text() {
    return remedy.isEmpty() ? found : found + "; " + remedy;
  }
}
