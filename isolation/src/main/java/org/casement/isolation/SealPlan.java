package org.casement.isolation;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// What the outer process tells [Seal], as one argument of a command line.
///
/// @param network whose network namespace the session gets
/// @param outerNetwork the one that the outer process is in, `net:[4026531840]`: to be left, or
///   kept
/// @param listeners how many listeners wait at descriptors 3, 4, …
/// @param nftables whether to lay the rules on loopback
/// @param nft the program
/// @param guestPorts TCP ports on 127.0.0.1 that the rules leave open: share, guest API, QEMU's
///   forward to the guest's RDP
public record SealPlan(
    Network network,
    String outerNetwork,
    int listeners,
    Layers.Use nftables,
    Path nft,
    Set<Integer> guestPorts) {
  /// Where the session's network namespace comes from.
  public enum Network {
    /// Made with the user's own namespaces, and configured from inside.
    FRESH,
    /// A job's, which root's node agent has made and configured: nobody in here has rights over it.
    GIVEN
  }

  private static final Path NETWORK = Path.of("/proc/self/ns/net");

  public SealPlan {
    if (!outerNetwork.matches("net:\\[[0-9]+]")
        || listeners < 0
        || listeners > 60 // Listener's descriptors start at 64
        || !nft.isAbsolute()
        || nft.toString().contains(" ")
        || guestPorts.stream().anyMatch(port -> port < 1 || port > 65_535)) {
      throw new IllegalArgumentException("not a plan to seal: " + outerNetwork + " " + guestPorts);
    }
    guestPorts = Set.copyOf(guestPorts);
  }

  /// A plan for the network namespace that this process is in: to be left, or kept.
  public static SealPlan here(
      Network network, int listeners, Layers.Use nftables, Path nft, Set<Integer> guestPorts)
      throws IsolationException {
    return new SealPlan(network, currentNetwork(), listeners, nftables, nft, guestPorts);
  }

  static String currentNetwork() throws IsolationException {
    try {
      return Files.readSymbolicLink(NETWORK).toString();
    } catch (IOException e) {
      throw new IsolationException("cannot read " + NETWORK + "; is /proc mounted?", e);
    }
  }

  /// One argument without secrets, for [#parse(String)].
  public String argument() {
    String ports =
        new TreeSet<>(guestPorts).stream().map(String::valueOf).collect(Collectors.joining(","));
    return String.join(
        " ",
        network.name(),
        outerNetwork,
        Integer.toString(listeners),
        nftables.name(),
        nft.toString(),
        ports);
  }

  /// The inverse of [#argument()].
  public static SealPlan parse(String argument) {
    String[] parts = argument.split(" ", -1);
    if (parts.length != 6) {
      throw new IllegalArgumentException("not a plan to seal: " + argument);
    }
    Set<Integer> ports =
        Stream.of(parts[5].split(","))
            .filter(port -> !port.isEmpty())
            .map(Integer::valueOf)
            .collect(Collectors.toSet());
    return new SealPlan(
        Network.valueOf(parts[0]),
        parts[1],
        Integer.parseInt(parts[2]),
        Layers.Use.valueOf(parts[3]),
        Path.of(parts[4]),
        ports);
  }
}
