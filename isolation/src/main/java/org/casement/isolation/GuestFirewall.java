package org.casement.isolation;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/// nftables rules on loopback: over IPv4 nothing in the namespace is reached but the guest's ports
/// on 127.0.0.1. They bind the supervisor as well; whatever else it serves is a unix socket, ::1,
/// or a listener from outside.
final class GuestFirewall {
  private static final int CANARY_TIMEOUT_MS = 2000;

  /// It takes a tenth of a second.
  private static final long NFT_LIMIT_SECONDS = 10;

  private final Layers.Use use;

  /// What nft complains about; empty where it is not asked.
  private final Optional<CompletableFuture<String>> complaint;

  private GuestFirewall(Layers.Use use, Optional<CompletableFuture<String>> complaint) {
    this.use = use;
    this.complaint = complaint;
  }

  /// Starts to lay the rules, if `use` says so, beside what the caller does until [#finish()]: nft
  /// takes a tenth of a second. The rules do not need loopback to be up.
  static GuestFirewall begin(Layers.Use use, Path nft, Set<Integer> guestPorts) {
    return new GuestFirewall(
        use,
        use == Layers.Use.OFF
            ? Optional.empty()
            : Optional.of(
                CompletableFuture.supplyAsync(
                    () -> run(nft, rules(guestPorts)),
                    Thread.ofPlatform().daemon().name("nft")::start)));
  }

  /// What holds, for a log line. Loopback is up by now: a server of ours tries the rules.
  String finish() throws IsolationException {
    if (complaint.isEmpty()) {
      return "nftables=off";
    }
    String said = complaint.get().join();
    if (!said.isEmpty()) {
      return absent(use, said);
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
  static String run(Path nft, String rules) {
    if (!Files.isExecutable(nft)) {
      return nft + " is not there";
    }
    try {
      Process process =
          new ProcessBuilder(nft.toString(), "-f", "-").redirectErrorStream(true).start();
      var _ =
          process
              .onExit()
              .orTimeout(NFT_LIMIT_SECONDS, TimeUnit.SECONDS)
              .exceptionally(
                  _ -> {
                    process.destroyForcibly();
                    return process;
                  });
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
      return "interrupted while laying the rules";
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
