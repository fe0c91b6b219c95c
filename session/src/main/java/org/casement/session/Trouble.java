package org.casement.session;

import java.util.Locale;

/// Something that is wrong with a session now and may pass. At most one of each kind is told at a
/// time; what stays is a warning instead.
public enum Trouble {
  /// QEMU does not answer.
  MACHINE,
  /// The machine waits for room on the node's disk.
  DISK,
  /// smbd does not answer, or is being started again.
  SHARE,
  TPM,
  /// The agent in the guest is not heard.
  GUEST;

  public String code() {
    return name().toLowerCase(Locale.ROOT);
  }
}
