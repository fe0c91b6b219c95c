package org.casement.session;

/// What a session does before its desktop is there, in this order. The page shows one line a step.
public enum Step {
  /// Is everything this session needs on this node, and does it work?
  NODE("checking the node"),
  /// The runtime directory, the secrets and the overlay on the golden image.
  DISK("making the disk"),
  /// smbd, with the user's files.
  SHARE("starting the file share"),
  /// QEMU, until it answers on QMP.
  MACHINE("starting the virtual machine"),
  /// The guest's system, until its agent has traded the boot token.
  SYSTEM("booting the guest system"),
  /// The guest agent's own work: user, drives.
  AGENT("preparing your account"),
  /// Until the guest's RDP server answers.
  DESKTOP("waiting for the desktop");

  private final String text;

  Step(String text) {
    this.text = text;
  }

  /// What the user reads.
  public String text() {
    return text;
  }

  /// What contracts and logs say: `node`, `disk`, …
  public String code() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }
}
