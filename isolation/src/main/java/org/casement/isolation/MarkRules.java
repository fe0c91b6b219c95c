package org.casement.isolation;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import org.casement.isolation.SealedSocket.Protocol;

/// nftables rules of the node's for sockets with [SealedSocket#MARK]: over TCP nothing is opened,
/// not even a SYN with data in it leaves; over UDP only answers go out. They are believed only
/// after they have been tried.
public final class MarkRules {
  private static final InetAddress HERE = InetAddress.ofLiteral("127.0.0.1");
  private static final int LIMIT_MS = 2000;
  private static final int AF_INET = 2;
  private static final int SOCK_STREAM = 1;
  private static final int SOCK_DGRAM = 2;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int SO_MARK = 36;
  private static final int SO_SNDTIMEO = 21;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final byte[] MARKED = "marked".getBytes(US_ASCII);
  private static final byte[] PLAIN = "plain".getBytes(US_ASCII);

  private final Path nft;
  private final Set<Protocol> laid = EnumSet.noneOf(Protocol.class);

  public MarkRules(Path nft) {
    this.nft = nft;
  }

  /// Tries the rules, and lays them where they do not hold: at first, and when somebody has flushed
  /// the node's rules. Those for UDP, which make the kernel track connections, not before somebody
  /// wants UDP.
  ///
  /// @throws IsolationException where they cannot be made to hold
  public synchronized void ensure(Protocol protocol) throws IsolationException {
    if (laid.contains(protocol) && hold(protocol)) {
      return;
    }
    String complaint = GuestFirewall.run(nft, rules(protocol));
    if (!complaint.isEmpty()) {
      throw new IsolationException(
          protocol + " listeners need firewall rules on this node: " + complaint);
    }
    if (!hold(protocol)) {
      throw new IsolationException(
          protocol
              + " listeners need firewall rules on this node, and those that nft has laid have no effect");
    }
    laid.add(protocol);
  }

  static String rules(Protocol protocol) {
    String rule =
        switch (protocol) {
          case TCP -> "tcp flags & (syn | ack) == syn reject with tcp reset";
          case UDP -> "meta l4proto udp ct state != { established, related } reject";
        };
    String table = "table inet casement_" + protocol.name().toLowerCase(java.util.Locale.ROOT);
    return """
        %s
        delete %s
        %s {
          chain jobs {
            type filter hook output priority 0; policy accept;
            meta mark %#x %s
          }
        }
        """
        .formatted(table, table, table, SealedSocket.MARK, rule);
  }

  private static boolean hold(Protocol protocol) throws IsolationException {
    try {
      return switch (protocol) {
        case TCP -> !connects();
        case UDP -> !speaksFirst() && answers();
      };
    } catch (IOException e) {
      throw new IsolationException("cannot try the firewall's rules: " + e.getMessage(), e);
    }
  }

  /// Whether a marked socket gets a connection to a server that an unmarked one reaches.
  private static boolean connects() throws IOException {
    try (ServerSocket canary = new ServerSocket(0, 4, HERE);
        Socket plain = new Socket();
        Marked marked = new Marked(SOCK_STREAM)) {
      plain.connect(canary.getLocalSocketAddress(), LIMIT_MS);
      return marked.connect(canary.getLocalPort());
    }
  }

  /// Whether what a marked socket sends of its own accord arrives before what an unmarked one sends
  /// after it.
  private static boolean speaksFirst() throws IOException {
    try (DatagramSocket canary = new DatagramSocket(0, HERE);
        DatagramSocket plain = new DatagramSocket(0, HERE);
        Marked marked = new Marked(SOCK_DGRAM)) {
      canary.setSoTimeout(LIMIT_MS);
      boolean _ = marked.connect(canary.getLocalPort()) && marked.send();
      plain.send(new DatagramPacket(PLAIN, PLAIN.length, canary.getLocalSocketAddress()));
      return !Arrays.equals(received(canary), PLAIN);
    }
  }

  /// Whether a marked socket's answer arrives.
  private static boolean answers() throws IOException {
    try (DatagramSocket client = new DatagramSocket(0, HERE);
        Marked marked = new Marked(SOCK_DGRAM)) {
      client.setSoTimeout(LIMIT_MS);
      InetSocketAddress server = new InetSocketAddress(HERE, marked.port());
      client.send(new DatagramPacket(PLAIN, PLAIN.length, server));
      return marked.connect(client.getLocalPort())
          && marked.send()
          && Arrays.equals(received(client), MARKED);
    } catch (SocketTimeoutException e) {
      return false;
    }
  }

  private static byte[] received(DatagramSocket socket) throws IOException {
    DatagramPacket packet = new DatagramPacket(new byte[16], 16);
    socket.receive(packet);
    return Arrays.copyOf(packet.getData(), packet.getLength());
  }

  /// A socket such as a job has, on a port of the kernel's choice.
  private static final class Marked implements AutoCloseable {
    private static final String WHAT = "try the firewall's rules";

    private final long descriptor;

    Marked(int type) throws IsolationException {
      descriptor = Linux.must(WHAT, Linux.Call.SOCKET, AF_INET, type | SOCK_CLOEXEC, 0);
      try (Arena arena = Arena.ofConfined()) {
        Listener.set(WHAT, descriptor, SO_MARK, arena.allocateFrom(JAVA_INT, SealedSocket.MARK));
        MemorySegment time = arena.allocate(16, 8); // struct timeval
        time.set(JAVA_LONG, 0, LIMIT_MS / 1000);
        Listener.set(WHAT, descriptor, SO_SNDTIMEO, time);
        MemorySegment name = Listener.socketAddress(arena, HERE, 0);
        Linux.must(WHAT, Linux.Call.BIND, descriptor, name.address(), name.byteSize());
      } catch (IsolationException e) {
        close();
        throw e;
      }
    }

    int port() throws IsolationException {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment name = arena.allocate(16, 4);
        MemorySegment length = arena.allocateFrom(JAVA_INT, 16);
        Linux.must(WHAT, Linux.Call.GETSOCKNAME, descriptor, name.address(), length.address());
        return Short.toUnsignedInt(name.get(JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN), 2));
      }
    }

    boolean connect(int port) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment name = Listener.socketAddress(arena, HERE, port);
        return Linux.call(Linux.Call.CONNECT, descriptor, name.address(), name.byteSize()) == 0;
      }
    }

    boolean send() {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment message =
            PacketSocket.message(arena, arena.allocateFrom(JAVA_BYTE, MARKED), MemorySegment.NULL);
        return Linux.call(Linux.Call.SENDMSG, descriptor, message.address(), MSG_NOSIGNAL) > 0;
      }
    }

    @Override
    public void close() {
      Linux.call(Linux.Call.CLOSE, descriptor);
    }
  }
}
