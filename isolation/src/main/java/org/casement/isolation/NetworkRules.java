package org.casement.isolation;

import java.util.Set;

/// The TCP ports a helper may connect to and bind: Landlock's network rules (Linux 6.7, ABI 4) know
/// ports only, no addresses, and no UDP. Data, because egress adds to it.
public record NetworkRules(Set<Integer> connectPorts, Set<Integer> bindPorts) {
  /// Neither connects nor binds.
  public static final NetworkRules NONE = new NetworkRules(Set.of(), Set.of());

  public NetworkRules {
    connectPorts = Set.copyOf(connectPorts);
    bindPorts = Set.copyOf(bindPorts);
    for (Set<Integer> ports : java.util.List.of(connectPorts, bindPorts)) {
      for (int port : ports) {
        if (port < 1 || port > 65_535) {
          throw new IllegalArgumentException("not a TCP port: " + port);
        }
      }
    }
  }
}
