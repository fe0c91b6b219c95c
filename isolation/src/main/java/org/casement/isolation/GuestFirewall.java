package org.casement.isolation;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/// nftables rules on loopback: over IPv4 nothing in the namespace is reached but the guest's ports
/// on 127.0.0.1. They bind the supervisor as well; whatever else it serves is a unix socket, ::1,
/// or a listener from outside.
final class GuestFirewall {
  private static final int CANARY_TIMEOUT_MS = 2000;

  private GuestFirewall() {}

  /// Lays the rules if `use` says so, and returns what holds, for a log line.
  static String lay(Layers.Use use, Path nft, Set<Integer> guestPorts) throws IsolationException {
    if (use == Layers.Use.OFF) {
      return "nftables=off";
    }
    if (!Files.isExecutable(nft)) {
      return absent(use, nft + " is not there");
    }
    String complaint = run(nft, rules(guestPorts));
    if (!complaint.isEmpty()) {
      return absent(use, complaint);
    }
    return canaryIsReached() ? absent(use, "the rules have no effect") : "nftables=on";
  }

  private static String absent(Layers.Use use, String why) throws IsolationException {
    if (use == Layers.Use.REQUIRED) {
      throw new IsolationException("the configuration requires nftables: " + why);
    }
    return "nftables=absent";
  }

  static String rules(Set<Integer> guestPorts) {
    String open =
        guestPorts.isEmpty()
            ? ""
            : "oifname \"lo\" ip daddr 127.0.0.1 tcp dport { %s } accept"
                .formatted(
                    new TreeSet<>(guestPorts)
                        .stream().map(String::valueOf).collect(Collectors.joining(", ")));
    return """
        table inet casement {
          chain out {
            type filter hook output priority 0; policy accept;
            oifname "lo" ct state established,related accept
            %s
            oifname "lo" meta nfproto ipv6 accept
            oifname "lo" reject with icmpx port-unreachable
          }
        }
        """
        .formatted(open);
  }

  /// The first line of what nft complains about, or empty. nft has our ambient capabilities.
  private static String run(Path nft, String rules) throws IsolationException {
    try {
      Process process =
          new ProcessBuilder(nft.toString(), "-f", "-").redirectErrorStream(true).start();
      try (var input = process.getOutputStream()) {
        input.write(rules.getBytes(StandardCharsets.US_ASCII));
      } catch (IOException e) {
        // nft ended before it read them; its exit status says so
      }
      String output = new String(process.getInputStream().readNBytes(4096), StandardCharsets.UTF_8);
      int status = process.waitFor();
      return status == 0 ? "" : "nft: " + output.lines().findFirst().orElse("status " + status);
    } catch (IOException e) {
      return String.valueOf(e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IsolationException("interrupted while laying the nftables rules", e);
    }
  }

  /// Whether a server of ours on the second address, which the rules close, can be reached.
  private static boolean canaryIsReached() throws IsolationException {
    try (ServerSocket canary = new ServerSocket()) {
      canary.bind(new InetSocketAddress(Loopback.SECOND_ADDRESS, 0));
      try (Socket probe = new Socket()) {
        probe.connect(canary.getLocalSocketAddress(), CANARY_TIMEOUT_MS);
        return true;
      } catch (ConnectException | java.net.SocketTimeoutException e) {
        return false;
      }
    } catch (IOException e) {
      throw new IsolationException("cannot try the nftables rules: " + e.getMessage(), e);
    }
  }
}
