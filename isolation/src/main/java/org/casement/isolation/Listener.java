package org.casement.isolation;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/// A listening TCP socket, opened outside the namespace to be handed inside. It stays in the
/// network it was made in: the only way in, and, if it is turned round, a way out. Two things stand
/// against that:
///
/// - The port is always explicit. A port that the kernel chose is given up by `connect(AF_UNSPEC)`,
///   and the socket could be bound to another one; an explicit one is locked to it (EINVAL).
/// - The *sealed filter*, attached before listen(2) and locked (SO_LOCK_FILTER), inherited by every
///   accepted socket: it drops arriving segments that have SYN and ACK both set, the answer to a
///   connect. Who listens never needs one. So neither this socket nor an accepted one, disconnected
///   and connected again, gets a connection to an ordinary server; it waits until it times out.
///
/// What the filter does *not* stop: the SYN itself leaves, with TCP Fast Open with data in it; and
/// a peer that answers with a bare SYN (simultaneous open: a cooperating one) gets a two-way
/// connection. Only firewall rules on the socket's mark stop that, and they need root: the node
/// agent's part.
public final class Listener implements AutoCloseable {
  /// Connections that wait for accept(2), while the supervisor is not up yet.
  public static final int BACKLOG = 128;

  /// Descriptors from here on, so that a child can have them at 3, 4, … without a collision.
  private static final int LOWEST_DESCRIPTOR = 64;

  private static final int AF_INET = 2;
  private static final int AF_INET6 = 10;
  private static final int SOCK_STREAM = 1;
  private static final int SOCK_NONBLOCK = 0x800;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int SOL_SOCKET = 1;
  private static final int SO_REUSEADDR = 2;
  private static final int SO_ATTACH_FILTER = 26;
  private static final int SO_LOCK_FILTER = 44;
  static final int F_DUPFD_CLOEXEC = 1030;

  /// Classic BPF over the TCP header: code, jump if true, jump if false, constant (linux/filter.h).
  private static final int[][] SEALED_FILTER = {
    {0x30, 0, 0, 13}, // A = the flags
    {0x54, 0, 0, 0x12}, // A &= SYN | ACK
    {0x15, 0, 1, 0x12}, // both?
    {0x06, 0, 0, 0}, // drop
    {0x06, 0, 0, -1}, // keep
  };

  static final int[][] DROP_ALL = {{0x06, 0, 0, 0}};

  private final InetAddress address;
  private final int port;
  private final int descriptor;
  private final String layers;
  private boolean closed;

  private Listener(InetAddress address, int port, int descriptor, String layers) {
    this.address = address;
    this.port = port;
    this.descriptor = descriptor;
    this.layers = layers;
  }

  /// [#open(InetAddress, PortRange, Layers.Use)] with the filter where the kernel allows it.
  public static Listener open(InetAddress address, PortRange ports) throws IsolationException {
    return open(address, ports, Layers.Use.AUTO);
  }

  /// Listens on the first port of `ports` that is free. IPv4 or IPv6, as the address is.
  ///
  /// @param filter whether to attach the sealed filter
  public static Listener open(InetAddress address, PortRange ports, Layers.Use filter)
      throws IsolationException {
    for (int port = ports.first(); port <= ports.last(); port++) {
      Listener listener = tryOpen(address, port, filter);
      if (listener != null) {
        return listener;
      }
    }
    boolean one = ports.first() == ports.last();
    throw new IsolationException(
        "cannot listen on %s: %s on %s %s taken; choose another in the configuration"
            .formatted(
                address.getHostAddress(),
                one ? ports : "all " + ports,
                address.getHostAddress(),
                one ? "is" : "are"));
  }

  /// One that whoever sealed this namespace has left open, to be handed further in. It is ours from
  /// now on.
  public static Listener adopt(InheritedListener inherited) throws IsolationException {
    long high =
        Linux.must(
            "use descriptor " + inherited.descriptor(),
            Linux.Call.FCNTL,
            inherited.descriptor(),
            F_DUPFD_CLOEXEC,
            LOWEST_DESCRIPTOR);
    Linux.call(Linux.Call.CLOSE, inherited.descriptor());
    return new Listener(inherited.address(), inherited.port(), (int) high, "listener-filter=job");
  }

  /// Null if the port is taken.
  private static @Nullable Listener tryOpen(InetAddress address, int port, Layers.Use filter)
      throws IsolationException {
    String what = "listen on " + address.getHostAddress() + " port " + port;
    int family = family(address);
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    long low = Linux.must(what, Linux.Call.SOCKET, family, type, 0);
    long socket = Linux.call(Linux.Call.FCNTL, low, F_DUPFD_CLOEXEC, LOWEST_DESCRIPTOR);
    Linux.call(Linux.Call.CLOSE, low);
    if (socket < 0) {
      throw refused(what, (int) -socket);
    }
    boolean open = false;
    try (Arena arena = Arena.ofConfined()) {
      // A session that has just ended leaves connections in TIME_WAIT; they do not hold the port.
      set(what, socket, SO_REUSEADDR, arena.allocateFrom(JAVA_INT, 1));
      String layers = "listener-filter=" + seal(arena, socket, what, filter);
      MemorySegment name = socketAddress(arena, address, port);
      long result = Linux.call(Linux.Call.BIND, socket, name.address(), name.byteSize());
      if (result == 0) {
        result = Linux.call(Linux.Call.LISTEN, socket, BACKLOG);
      }
      if (result < 0 && result != -Linux.EADDRINUSE) {
        throw refused(what, (int) -result);
      }
      open = result == 0;
      return open ? new Listener(address, port, (int) socket, layers) : null;
    } finally {
      if (!open) {
        Linux.call(Linux.Call.CLOSE, socket);
      }
    }
  }

  private static IsolationException refused(String what, int errno) {
    return switch (errno) {
      case Linux.EADDRNOTAVAIL ->
          new IsolationException("cannot " + what + ": this node does not have the address");
      case Linux.EACCES ->
          new IsolationException("cannot " + what + ": an ordinary user may not use this port");
      default -> Linux.failure(what, errno);
    };
  }

  /// SECURITY: without it a turned socket reaches every service of the node. Says what holds.
  static String seal(Arena arena, long socket, String what, Layers.Use use)
      throws IsolationException {
    if (use == Layers.Use.OFF) {
      return "off";
    }
    long attached = tryAttach(arena, socket, SEALED_FILTER);
    if (attached == -Linux.EPERM && use == Layers.Use.AUTO) {
      return "absent";
    }
    if (attached < 0) {
      throw Linux.failure(what + ": the sealed filter is refused", (int) -attached);
    }
    set(what, socket, SO_LOCK_FILTER, arena.allocateFrom(JAVA_INT, 1));
    return "on";
  }

  static void attach(Arena arena, long socket, String what, int[][] instructions)
      throws IsolationException {
    long attached = tryAttach(arena, socket, instructions);
    if (attached < 0) {
      throw Linux.failure(what + ": its filter is refused", (int) -attached);
    }
  }

  private static long tryAttach(Arena arena, long socket, int[][] instructions) {
    MemorySegment filter = arena.allocate(8L * instructions.length, 8);
    for (int i = 0; i < instructions.length; i++) {
      int[] instruction = instructions[i];
      filter.set(JAVA_SHORT, 8L * i, (short) instruction[0]);
      filter.set(JAVA_BYTE, 8L * i + 2, (byte) instruction[1]);
      filter.set(JAVA_BYTE, 8L * i + 3, (byte) instruction[2]);
      filter.set(JAVA_INT, 8L * i + 4, instruction[3]);
    }
    MemorySegment program = arena.allocate(16, 8);
    program.set(JAVA_SHORT, 0, (short) instructions.length);
    program.set(ADDRESS, 8, filter);
    return Linux.call(
        Linux.Call.SETSOCKOPT, socket, SOL_SOCKET, SO_ATTACH_FILTER, program.address(), 16);
  }

  static int family(InetAddress address) {
    return address.getAddress().length == 4 ? AF_INET : AF_INET6;
  }

  static void set(String what, long socket, int option, MemorySegment value)
      throws IsolationException {
    Linux.must(
        what, Linux.Call.SETSOCKOPT, socket, SOL_SOCKET, option, value.address(), value.byteSize());
  }

  /// struct sockaddr_in or sockaddr_in6, the scope of a link-local address included.
  static MemorySegment socketAddress(Arena arena, InetAddress address, int port) {
    byte[] bytes = address.getAddress();
    boolean ipv4 = bytes.length == 4;
    MemorySegment name = arena.allocate(ipv4 ? 16 : 28, 4);
    name.set(JAVA_SHORT, 0, (short) (ipv4 ? AF_INET : AF_INET6));
    ValueLayout.OfShort network = JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);
    name.set(network, 2, (short) port);
    MemorySegment.copy(bytes, 0, name, JAVA_BYTE, ipv4 ? 4 : 8, bytes.length);
    if (address instanceof java.net.Inet6Address scoped) {
      name.set(JAVA_INT, 24, scoped.getScopeId());
    }
    return name;
  }

  public InetAddress address() {
    return address;
  }

  public int port() {
    return port;
  }

  /// What holds, as a field of a log line: `listener-filter=on`, `absent` (refused) or `off`.
  public String layers() {
    return layers;
  }

  /// Close-on-exec and non-blocking, in this process.
  int descriptor() {
    return descriptor;
  }

  /// Hands the socket over to a server in this very process, unsealed: for rehearsals and
  /// benchmarks. It is the server's from now on.
  public synchronized InheritedListener handOver() {
    if (closed) {
      throw new IllegalStateException("the listener is closed or handed over already");
    }
    closed = true;
    return new InheritedListener(descriptor, address, port);
  }

  /// Gives up this process's copy. The port stays taken while the session has its own.
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      Linux.call(Linux.Call.CLOSE, descriptor);
    }
  }
}
