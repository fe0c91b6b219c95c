package org.casement.systemtests;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.util.ArrayList;
import java.util.List;
import org.casement.testkit.Command;

/// Where programs on this node can listen, and an extra loopback address for as long as a test
/// needs it. The extra one is the second address that the sealed namespace has on *its* loopback: a
/// packet that got out would find somebody there.
final class NodeAddresses implements AutoCloseable {
  /// docs/architecture.md: the sealed namespace's second address.
  static final String SECOND = "10.255.0.1";

  private final boolean added;

  private NodeAddresses(boolean added) {
    this.added = added;
  }

  static NodeAddresses withSecondLoopback() {
    boolean there =
        Command.run("ip", "-o", "address", "show", "dev", "lo").orFail().contains(SECOND);
    if (!there) {
      Command.run("ip", "address", "add", SECOND + "/32", "dev", "lo").orFail();
    }
    return new NodeAddresses(!there);
  }

  /// The node's own addresses, other than loopback and link-local: at least one.
  static List<String> real() {
    List<String> real = new ArrayList<>();
    try {
      for (NetworkInterface network : NetworkInterface.networkInterfaces().toList()) {
        for (InetAddress address : network.inetAddresses().toList()) {
          if (network.isUp() && !network.isLoopback() && !address.isLinkLocalAddress()) {
            String text = address.getHostAddress();
            real.add(address instanceof Inet6Address ? text.replaceFirst("%.*", "") : text);
          }
        }
      }
    } catch (SocketException e) {
      throw new AssertionError("cannot list this node's addresses", e);
    }
    if (real.isEmpty()) {
      throw new AssertionError("this node has no address but loopback: nothing to aim at");
    }
    return real;
  }

  static boolean isIpv6(String address) {
    return address.contains(":");
  }

  @Override
  public void close() {
    if (added) {
      Command.run("ip", "address", "del", SECOND + "/32", "dev", "lo").orFail();
    }
  }
}
