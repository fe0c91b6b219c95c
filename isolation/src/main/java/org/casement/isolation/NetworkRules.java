package org.casement.isolation;

import java.util.Set;

/// The TCP ports a helper may connect to and bind: Landlock's network rules (Linux 6.7, ABI 4) know
/// ports only, no addresses. Data, because egress adds to it.
public record NetworkRules(Set<Integer> connectPorts, Set<Integer> bindPorts) {
  public NetworkRules {
    connectPorts = Set.copyOf(connectPorts);
    bindPorts = Set.copyOf(bindPorts);
  }
}
