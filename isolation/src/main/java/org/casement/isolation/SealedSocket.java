package org.casement.isolation;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;

/// A socket of the node's that root makes for a job, or holds so that nobody else has its port.
/// Beside the explicit port and the sealed filter ([Listener] says what they are for) it has a
/// *mark*, which whoever gets the socket can neither change nor clear, and which every connection
/// accepted from it inherits: [MarkRules] tell by it what leaves the node of a job's own accord.
///
/// Several of them, all root's, have the same port at a time (SO_REUSEPORT, socket(7)): the one
/// that holds it from before the job until after it never listens, and so takes no connection.
/// Never SO_REUSEADDR: with it any account's socket could have the port too.
public final class SealedSocket implements AutoCloseable {
  /// Of every socket made here, and of nothing else on the node: "CASE".
  public static final int MARK = 0x43415345;

  public enum Protocol {
    TCP,
    UDP
  }

  /// Descriptors from here on: lower ones are standard input and such, should they be free.
  private static final int LOWEST_DESCRIPTOR = 64;

  private static final int SOCK_STREAM = 1;
  private static final int SOCK_DGRAM = 2;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int SO_REUSEPORT = 15;
  private static final int SO_MARK = 36;
  private static final int IPPROTO_TCP = 6;
  private static final int TCP_NODELAY = 1;

  private final Protocol protocol;
  private final int port;
  private final int descriptor;

  private SealedSocket(Protocol protocol, int port, int descriptor) {
    this.protocol = protocol;
    this.port = port;
    this.descriptor = descriptor;
  }

  /// Takes the port, and lets nothing in: a TCP socket that does not listen, or a UDP socket with a
  /// filter that drops everything.
  public static SealedSocket hold(Protocol protocol, InetAddress address, int port)
      throws IsolationException {
    return bind(protocol, address, port, true, true);
  }

  /// The same, but only where nobody has a socket on the port in whatever state: one that listens
  /// no more and may listen again is in no file below /proc. Others of ours may join it later.
  ///
  /// @throws IsolationException where somebody has
  public static SealedSocket holdAlone(Protocol protocol, InetAddress address, int port)
      throws IsolationException {
    return bind(protocol, address, port, true, false);
  }

  /// For a job: blocking, as spank_iso_netns gave them.
  ///
  /// @param backlog connections that wait for accept(2)
  public static SealedSocket open(Protocol protocol, InetAddress address, int port, int backlog)
      throws IsolationException {
    SealedSocket socket = bind(protocol, address, port, false, true);
    if (protocol == Protocol.TCP) {
      long result = Linux.call(Linux.Call.LISTEN, socket.descriptor, backlog);
      if (result < 0) {
        socket.close();
        throw Linux.failure("listen on port " + port, (int) -result);
      }
    }
    return socket;
  }

  private static SealedSocket bind(
      Protocol protocol, InetAddress address, int port, boolean deaf, boolean beside)
      throws IsolationException {
    String what = "bind %s port %d of %s".formatted(protocol, port, address.getHostAddress());
    boolean tcp = protocol == Protocol.TCP;
    int socket = make(what, tcp ? SOCK_STREAM : SOCK_DGRAM, Listener.family(address));
    boolean bound = false;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment yes = arena.allocateFrom(JAVA_INT, 1);
      if (beside) {
        Listener.set(what, socket, SO_REUSEPORT, yes);
      }
      if (tcp) {
        Linux.must(
            what,
            Linux.Call.SETSOCKOPT,
            socket,
            IPPROTO_TCP,
            TCP_NODELAY,
            yes.address(),
            yes.byteSize());
        Listener.seal(arena, socket, what, Layers.Use.REQUIRED);
      } else if (deaf) {
        Listener.attach(arena, socket, what, Listener.DROP_ALL);
      }
      Listener.set(what, socket, SO_MARK, arena.allocateFrom(JAVA_INT, MARK));
      MemorySegment name = Listener.socketAddress(arena, address, port);
      Linux.must(what, Linux.Call.BIND, socket, name.address(), name.byteSize());
      if (!beside) {
        Listener.set(what, socket, SO_REUSEPORT, yes);
      }
      bound = true;
      return new SealedSocket(protocol, port, socket);
    } finally {
      if (!bound) {
        Linux.call(Linux.Call.CLOSE, socket);
      }
    }
  }

  private static int make(String what, int type, int family) throws IsolationException {
    long low = Linux.must(what, Linux.Call.SOCKET, family, type | SOCK_CLOEXEC, 0);
    long socket = Linux.call(Linux.Call.FCNTL, low, Listener.F_DUPFD_CLOEXEC, LOWEST_DESCRIPTOR);
    Linux.call(Linux.Call.CLOSE, low);
    if (socket < 0) {
      throw Linux.failure(what, (int) -socket);
    }
    return (int) socket;
  }

  public Protocol protocol() {
    return protocol;
  }

  public int port() {
    return port;
  }

  /// Close-on-exec, in this process.
  public int descriptor() {
    return descriptor;
  }

  /// Gives up this process's copy.
  @Override
  public void close() {
    Linux.call(Linux.Call.CLOSE, descriptor);
  }
}
