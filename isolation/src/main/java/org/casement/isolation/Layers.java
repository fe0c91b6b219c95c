package org.casement.isolation;

/// The layers that not every kernel has, and what to do about each. Namespaces are not among them:
/// without those nothing starts.
public record Layers(Use landlock, Use nftables) {
  /// `AUTO`: where the node has it. `OFF`: never (tests run with each layer off). `REQUIRED`: else
  /// nothing starts.
  public enum Use {
    AUTO,
    OFF,
    REQUIRED
  }

  public static final Layers DEFAULT = new Layers(Use.AUTO, Use.AUTO);

  public Layers withLandlock(Use use) {
    return new Layers(use, nftables);
  }

  public Layers withNftables(Use use) {
    return new Layers(landlock, use);
  }
}
