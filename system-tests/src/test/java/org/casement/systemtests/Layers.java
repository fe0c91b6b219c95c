package org.casement.systemtests;

/// The optional layers around the guest's network, each switched off once.
enum Layers {
  ALL("auto", "auto"),
  WITHOUT_NFTABLES("off", "auto"),
  WITHOUT_LANDLOCK("auto", "off"),
  /// The deliberately weakened run: what holds even here holds by the seal and the ::1 rule alone.
  NONE("off", "off");

  private final String nftables;
  private final String landlock;

  Layers(String nftables, String landlock) {
    this.nftables = nftables;
    this.landlock = landlock;
  }

  boolean nftables() {
    return nftables.equals("auto");
  }

  boolean landlock() {
    return landlock.equals("auto");
  }

  Settings in(Settings settings) {
    return settings.with("isolation", "nftables", nftables).with("isolation", "landlock", landlock);
  }
}
