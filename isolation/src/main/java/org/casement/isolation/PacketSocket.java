package org.casement.isolation;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/// A unix socket of type SOCK_SEQPACKET (unix(7)): packets of text, each with descriptors. What
/// arrives is close-on-exec. Not thread-safe.
public final class PacketSocket implements AutoCloseable {
  /// Of a packet's text.
  public static final int PACKET_LIMIT_BYTES = 4096;

  /// Descriptors taken with one packet; the kernel closes further ones.
  private static final int RECEIVED_LIMIT = 1;

  private static final int BACKLOG = 128;
  private static final int AF_UNIX = 1;
  private static final int PATH_LIMIT_BYTES = 107;
  private static final int SOCK_SEQPACKET = 5;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int SOL_SOCKET = 1;
  private static final int SO_PEERCRED = 17;
  private static final int SO_RCVTIMEO = 20;
  private static final int SO_SNDTIMEO = 21;
  private static final int SCM_RIGHTS = 1;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_CMSG_CLOEXEC = 0x40000000;
  private static final int MSG_TRUNC = 0x20;

  /// struct msghdr and struct cmsghdr (socket.h, 64 bit).
  private static final int MESSAGE_BYTES = 56;

  private static final int HEADER_BYTES = 16;

  /// What came: text, and a descriptor, the receiver's to close, or -1.
  public record Packet(String text, int descriptor) {
    /// Its text, for who expects no descriptor.
    public String textAlone() {
      PacketSocket.close(descriptor);
      return text;
    }
  }

  /// Who is at the other end, as the kernel saw it when it connected (SO_PEERCRED).
  public record Peer(int pid, int uid, int gid) {}

  private final int descriptor;

  private PacketSocket(long descriptor) {
    this.descriptor = (int) descriptor;
  }

  /// Listens on `path`, which must not be there. Its mode is the umask's.
  public static PacketSocket listen(Path path) throws IsolationException {
    String what = "listen on " + path;
    long socket = Linux.must(what, Linux.Call.SOCKET, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    boolean listening = false;
    try (Arena arena = Arena.ofConfined()) {
      byte[] bytes = path.toString().getBytes(StandardCharsets.UTF_8);
      if (bytes.length > PATH_LIMIT_BYTES) {
        throw new IsolationException("cannot " + what + ": the path is too long for a socket");
      }
      MemorySegment name = arena.allocate(2L + PATH_LIMIT_BYTES + 1, 8);
      name.set(JAVA_SHORT, 0, (short) AF_UNIX);
      MemorySegment.copy(bytes, 0, name, JAVA_BYTE, 2, bytes.length);
      Linux.must(what, Linux.Call.BIND, socket, name.address(), name.byteSize());
      Linux.must(what, Linux.Call.LISTEN, socket, BACKLOG);
      listening = true;
      return new PacketSocket(socket);
    } finally {
      if (!listening) {
        Linux.call(Linux.Call.CLOSE, socket);
      }
    }
  }

  /// Waits for the next connection.
  ///
  /// @param limit for each packet that is received or sent over it
  public PacketSocket accept(Duration limit) throws IsolationException {
    return new PacketSocket(
        limited(Linux.must("accept", Linux.Call.ACCEPT4, descriptor, 0, 0, SOCK_CLOEXEC), limit));
  }

  /// Two that are connected, the second one to be handed to another process.
  ///
  /// @param limit for each packet that is received or sent over the first one
  public static List<PacketSocket> pair(Duration limit) throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment both = arena.allocate(JAVA_INT, 2);
      Linux.must(
          "make a pair of sockets",
          Linux.Call.SOCKETPAIR,
          AF_UNIX,
          SOCK_SEQPACKET | SOCK_CLOEXEC,
          0,
          both.address());
      PacketSocket second = new PacketSocket(both.getAtIndex(JAVA_INT, 1));
      try {
        return List.of(new PacketSocket(limited(both.get(JAVA_INT, 0), limit)), second);
      } catch (IsolationException e) {
        second.close();
        throw e;
      }
    }
  }

  /// One that another process has handed us.
  public static PacketSocket adopt(int descriptor) {
    return new PacketSocket(descriptor);
  }

  /// The socket, which is closed where it cannot be limited.
  private static long limited(long socket, Duration limit) throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment time = arena.allocate(16, 8); // struct timeval
      time.set(JAVA_LONG, 0, limit.toSeconds());
      time.set(JAVA_LONG, 8, limit.toNanosPart() / 1000);
      for (int option : new int[] {SO_RCVTIMEO, SO_SNDTIMEO}) {
        Linux.must(
            "limit a connection's time",
            Linux.Call.SETSOCKOPT,
            socket,
            SOL_SOCKET,
            option,
            time.address(),
            time.byteSize());
      }
    } catch (IsolationException e) {
      Linux.call(Linux.Call.CLOSE, socket);
      throw e;
    }
    return socket;
  }

  /// Close-on-exec, in this process.
  public int descriptor() {
    return descriptor;
  }

  public Peer peer() throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment credentials = arena.allocate(12, 4); // struct ucred
      MemorySegment length = arena.allocateFrom(JAVA_INT, 12);
      Linux.must(
          "ask who is connected",
          Linux.Call.GETSOCKOPT,
          descriptor,
          SOL_SOCKET,
          SO_PEERCRED,
          credentials.address(),
          length.address());
      return new Peer(
          credentials.get(JAVA_INT, 0), credentials.get(JAVA_INT, 4), credentials.get(JAVA_INT, 8));
    }
  }

  /// The next packet.
  ///
  /// @throws IsolationException where none comes in time, the other end has gone, or it is too long
  public Packet receive() throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = arena.allocate(PACKET_LIMIT_BYTES);
      // CMSG_LEN, not CMSG_SPACE: in the padding there is room for another descriptor.
      MemorySegment control = arena.allocate(HEADER_BYTES + 4L * RECEIVED_LIMIT, 8);
      MemorySegment message = message(arena, text, control);
      long length =
          Linux.must(
              "receive", Linux.Call.RECVMSG, descriptor, message.address(), MSG_CMSG_CLOEXEC);
      boolean came = message.get(JAVA_LONG, 40) >= HEADER_BYTES + Integer.BYTES;
      int received = came ? control.get(JAVA_INT, HEADER_BYTES) : -1;
      if (length == 0 || (message.get(JAVA_INT, 48) & MSG_TRUNC) != 0) {
        close(received);
        throw new IsolationException(
            length == 0 ? "the other end has gone" : "a packet is too long");
      }
      byte[] bytes = text.asSlice(0, length).toArray(JAVA_BYTE);
      return new Packet(new String(bytes, StandardCharsets.UTF_8), received);
    }
  }

  /// Sends a packet; the descriptors stay the caller's.
  public void send(String text, List<Integer> descriptors) throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      MemorySegment part = arena.allocate(bytes.length);
      MemorySegment.copy(bytes, 0, part, JAVA_BYTE, 0, bytes.length);
      int count = descriptors.size();
      long room = count == 0 ? 0 : HEADER_BYTES + (4L * count + 7) / 8 * 8; // CMSG_SPACE
      MemorySegment control = arena.allocate(Math.max(1, room), 8);
      if (count > 0) {
        control.set(JAVA_LONG, 0, HEADER_BYTES + 4L * count); // CMSG_LEN
        control.set(JAVA_INT, 8, SOL_SOCKET);
        control.set(JAVA_INT, 12, SCM_RIGHTS);
        for (int i = 0; i < count; i++) {
          control.set(JAVA_INT, HEADER_BYTES + 4L * i, descriptors.get(i));
        }
      }
      MemorySegment message = message(arena, part, control.asSlice(0, room));
      Linux.must("send", Linux.Call.SENDMSG, descriptor, message.address(), MSG_NOSIGNAL);
    }
  }

  /// struct msghdr with one struct iovec.
  static MemorySegment message(Arena arena, MemorySegment part, MemorySegment control) {
    MemorySegment vector = arena.allocate(16, 8);
    vector.set(ADDRESS, 0, part);
    vector.set(JAVA_LONG, 8, part.byteSize());
    MemorySegment message = arena.allocate(MESSAGE_BYTES, 8);
    message.set(ADDRESS, 16, vector);
    message.set(JAVA_LONG, 24, 1);
    if (control.byteSize() > 0) {
      message.set(ADDRESS, 32, control);
      message.set(JAVA_LONG, 40, control.byteSize());
    }
    return message;
  }

  private static void close(int descriptor) {
    if (descriptor >= 0) {
      Linux.call(Linux.Call.CLOSE, descriptor);
    }
  }

  @Override
  public void close() {
    close(descriptor);
  }
}
