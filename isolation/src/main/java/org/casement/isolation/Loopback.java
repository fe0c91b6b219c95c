package org.casement.isolation;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;

/// The network of a sealed namespace: loopback and nothing else. IPv6 stays on: `::1` is ours.
final class Loopback {
  /// The second address. The guest reaches 127.0.0.1 through its user network; what binds here is
  /// told apart from that.
  static final InetAddress SECOND_ADDRESS = InetAddress.ofLiteral("10.255.0.1");

  /// What the kernel itself puts, down, into every new namespace where a tunnel module is loaded
  /// (net.core.fb_tunnels_only_for_init_net=0). Nobody in here can raise one without capabilities.
  private static final Set<String> FALLBACK_TUNNELS =
      Set.of(
          "tunl0",
          "sit0",
          "ip6tnl0",
          "gre0",
          "gretap0",
          "erspan0",
          "ip6gre0",
          "ip_vti0",
          "ip6_vti0");

  private static final Path LOW_PORTS = Path.of("/proc/sys/net/ipv4/ip_unprivileged_port_start");
  private static final int SIOCGIFFLAGS = 0x8913;
  private static final int SIOCSIFFLAGS = 0x8914;
  private static final int SIOCSIFADDR = 0x8916;
  private static final int SIOCSIFNETMASK = 0x891c;
  private static final int IFF_UP = 1;
  private static final int IFA_F_TENTATIVE = 0x40; // linux/if_addr.h
  private static final Duration USABLE_LIMIT = Duration.ofSeconds(2);
  private static final int AF_INET = 2;
  private static final int AF_INET6 = 10;
  private static final int SOCK_DGRAM_CLOEXEC = 2 | 0x80000;

  private Loopback() {}

  /// Raises it, adds the second address, and lets an ordinary user bind port 445.
  static void configure() throws IsolationException {
    int flags = flags("lo");
    request("lo", SIOCSIFFLAGS, (short) (flags | IFF_UP), null);
    // "lo:1" is the label of a second address; it comes with its class's mask, hence the third.
    request("lo:1", SIOCSIFADDR, (short) 0, SECOND_ADDRESS);
    request("lo:1", SIOCSIFNETMASK, (short) 0, InetAddress.ofLiteral("255.255.255.255"));
    try {
      Files.writeString(LOW_PORTS, "0");
    } catch (IOException e) {
      throw new IsolationException("cannot write " + LOW_PORTS + ": " + e.getMessage(), e);
    }
  }

  /// Adds one of the node's addresses, so that what is spoken to by it is spoken to by it in here.
  /// An address that stands for all, and one that is there, change nothing.
  static void add(InetAddress address) throws IsolationException {
    if (address.isAnyLocalAddress() || address.isLoopbackAddress()) {
      return;
    }
    if (address.isLinkLocalAddress()) {
      throw new IsolationException(
          "cannot give a job's loopback the link-local " + address.getHostAddress());
    }
    if (address instanceof Inet6Address ipv6) {
      addIpv6(ipv6);
    } else {
      request("lo:2", SIOCSIFADDR, (short) 0, address);
      request("lo:2", SIOCSIFNETMASK, (short) 0, InetAddress.ofLiteral("255.255.255.255"));
    }
  }

  /// struct in6_ifreq (linux/ipv6.h): the address, the prefix's length, the interface. Loopback is
  /// the first one of every namespace (LOOPBACK_IFINDEX, include/net/flow.h).
  private static void addIpv6(Inet6Address address) throws IsolationException {
    String task = "give a job's loopback " + address.getHostAddress();
    long socket = Linux.must(task, Linux.Call.SOCKET, AF_INET6, SOCK_DGRAM_CLOEXEC, 0);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment request = arena.allocate(24, 8);
      MemorySegment.copy(address.getAddress(), 0, request, JAVA_BYTE, 0, 16);
      request.set(JAVA_INT, 16, 128);
      request.set(JAVA_INT, 20, 1);
      long result = Linux.call(Linux.Call.IOCTL, socket, SIOCSIFADDR, request.address());
      if (result < 0 && result != -Linux.EEXIST) {
        throw Linux.failure(task, (int) -result);
      }
    } finally {
      Linux.call(Linux.Call.CLOSE, socket);
    }
    awaitUsable(address);
  }

  /// Nobody can bind an address before the search for duplicates (RFC 4862 section 5.4) is over: on
  /// loopback there is none, but the kernel finds that out a little later, when it has the time.
  private static void awaitUsable(Inet6Address address) throws IsolationException {
    String digits = HexFormat.of().formatHex(address.getAddress());
    long deadline = System.nanoTime() + USABLE_LIMIT.toNanos();
    while (lines("/proc/thread-self/net/if_inet6").stream()
        .filter(line -> line.startsWith(digits))
        .anyMatch(line -> (Integer.parseInt(line.split(" +", -1)[4], 16) & IFA_F_TENTATIVE) != 0)) {
      if (System.nanoTime() > deadline) {
        throw new IsolationException(
            "loopback's " + address.getHostAddress() + " is not usable within " + USABLE_LIMIT);
      }
      try {
        Thread.sleep(1);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IsolationException("interrupted", e);
      }
    }
  }

  /// What [#configure()] does has been done.
  static void verifyConfigured() throws IsolationException {
    boolean up = (flags("lo") & IFF_UP) != 0;
    int first;
    try {
      first = Integer.parseInt(Files.readString(LOW_PORTS).strip());
    } catch (IOException | NumberFormatException e) {
      throw new IsolationException("cannot read " + LOW_PORTS + ": " + e.getMessage(), e);
    }
    try (ServerSocket second = new ServerSocket()) {
      second.bind(new InetSocketAddress(SECOND_ADDRESS, 0));
    } catch (IOException e) {
      throw new IsolationException(
          "the job's network lacks " + SECOND_ADDRESS.getHostAddress() + ": " + e.getMessage(), e);
    }
    if (!up || first > 445) { // the share's
      throw new IsolationException(
          "the job's network was not made by Casement's node agent: loopback is "
              + (up ? "up" : "down")
              + ", an ordinary user's ports begin at "
              + first);
    }
  }

  /// No interface but loopback, no route that leaves it.
  static void verifyNothingElse() throws IsolationException {
    for (String line : lines("/proc/thread-self/net/dev").stream().skip(2).toList()) {
      String name = line.substring(0, line.indexOf(':')).strip();
      boolean harmless =
          name.equals("lo") || (FALLBACK_TUNNELS.contains(name) && (flags(name) & IFF_UP) == 0);
      if (!harmless) {
        throw new IsolationException("the network namespace is not fresh: it has " + name);
      }
    }
    List<String> routes = lines("/proc/thread-self/net/route").stream().skip(1).toList();
    for (String route : routes) {
      if (!route.startsWith("lo\t")) {
        throw new IsolationException("the network namespace has a route: " + route.strip());
      }
    }
    for (String route : lines("/proc/thread-self/net/ipv6_route")) {
      if (!route.strip().endsWith(" lo")) {
        throw new IsolationException("the network namespace has a route: " + route.strip());
      }
    }
  }

  /// Empty for a file that this kernel does not have (IPv6 switched off at boot).
  private static List<String> lines(String file) throws IsolationException {
    try {
      Path path = Path.of(file);
      return Files.exists(path) ? Files.readAllLines(path, StandardCharsets.US_ASCII) : List.of();
    } catch (IOException e) {
      throw new IsolationException("cannot read " + file, e);
    }
  }

  private static int flags(String name) throws IsolationException {
    return request(name, SIOCGIFFLAGS, (short) 0, null);
  }

  /// One ioctl on struct ifreq (netdevice(7)): the name, then flags or a socket address.
  private static int request(
      String name, int what, short flags, @org.jspecify.annotations.Nullable InetAddress address)
      throws IsolationException {
    String task = "configure " + name;
    long socket = Linux.must(task, Linux.Call.SOCKET, AF_INET, SOCK_DGRAM_CLOEXEC, 0);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment request = arena.allocate(40, 8);
      byte[] ascii = name.getBytes(StandardCharsets.US_ASCII);
      MemorySegment.copy(ascii, 0, request, JAVA_BYTE, 0, Math.min(ascii.length, 15));
      if (address == null) {
        request.set(JAVA_SHORT, 16, flags);
      } else {
        request.asSlice(16).copyFrom(Listener.socketAddress(arena, address, 0));
      }
      Linux.must(task, Linux.Call.IOCTL, socket, what, request.address());
      return Short.toUnsignedInt(request.get(JAVA_SHORT, 16));
    } finally {
      Linux.call(Linux.Call.CLOSE, socket);
    }
  }
}
