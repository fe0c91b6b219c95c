package org.casement.isolation;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;

/// Carries what arrives at listeners of the node's into a sealed job, where the job may not have
/// the listeners themselves ([MarkRules] do not hold). It runs within the job's namespace, as an
/// account that is not the job's: it accepts on the sockets from outside that it was handed, and
/// connects to the same address and port in here. Bytes are passed on as they are.
///
/// A connection has two blocking threads; that is the shortest program, and there are few.
public final class ListenerRelay {
  /// Connections at a time; more wait in the listeners' backlogs.
  private static final int CONNECTIONS_LIMIT = 512;

  private static final int CHUNK_BYTES = 64 * 1024;
  private static final int STACK_BYTES = 256 * 1024;

  /// How long a client may be silent whom the job has said its last word: else strangers who never
  /// hang up would hold all connections there are.
  private static final Duration SILENCE_LIMIT = Duration.ofSeconds(10);

  /// How long a client may take for a chunk while others wait for a connection. That the job gave
  /// up on it may not arrive here, behind what it does not take.
  private static final Duration CHUNK_LIMIT = Duration.ofSeconds(20);

  private static final Duration ACCEPT_PAUSE = Duration.ofMillis(200);

  private static final int SOCK_STREAM = 1;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int SOL_SOCKET = 1;
  private static final int SO_KEEPALIVE = 9;
  private static final int SO_LINGER = 13;
  private static final int SO_RCVTIMEO = 20;
  private static final int SO_SNDTIMEO = 21;
  private static final int IPPROTO_TCP = 6;
  private static final int TCP_NODELAY = 1;
  private static final int SHUT_RD = 0;
  private static final int SHUT_WR = 1;

  private final Semaphore connections = new Semaphore(CONNECTIONS_LIMIT);

  /// Begins to serve, in threads of its own.
  ///
  /// @param first the descriptor of the first listener; the others follow
  /// @throws IsolationException where this is no sealed namespace, or a descriptor is no socket
  public void serve(int first, int count) throws IsolationException {
    Loopback.verifyNothingElse();
    for (int listener = first; listener < first + count; listener++) {
      byte[] name = name(listener);
      int descriptor = listener;
      Thread.ofPlatform().name("accept").start(() -> accept(descriptor, name));
    }
  }

  /// Its sockaddr (getsockname(2)).
  private static byte[] name(int listener) throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocate(128, 8);
      MemorySegment length = arena.allocateFrom(JAVA_INT, 128);
      Linux.must(
          "use descriptor " + listener,
          Linux.Call.GETSOCKNAME,
          listener,
          name.address(),
          length.address());
      return name.asSlice(0, length.get(JAVA_INT, 0)).toArray(JAVA_BYTE);
    }
  }

  private void accept(int listener, byte[] name) {
    while (true) {
      connections.acquireUninterruptibly();
      long outside = Linux.call(Linux.Call.ACCEPT4, listener, 0, 0, SOCK_CLOEXEC);
      boolean started = false;
      if (outside >= 0) {
        started = start(() -> carry((int) outside, name));
        if (!started) {
          reset((int) outside);
          Linux.call(Linux.Call.CLOSE, outside);
        }
      }
      if (!started) {
        connections.release();
        if (outside != -Linux.ECONNABORTED) { // no descriptors, no memory: some later
          pause();
        }
      }
    }
  }

  private static boolean start(Runnable task) {
    try {
      Thread.ofPlatform().stackSize(STACK_BYTES).start(task);
      return true;
    } catch (OutOfMemoryError e) { // the account may have no more threads
      return false;
    }
  }

  private static void pause() {
    try {
      Thread.sleep(ACCEPT_PAUSE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// One connection. Whichever direction ends last closes it.
  private void carry(int outside, byte[] name) {
    long inside = connect(name);
    Connection connection = new Connection(outside, (int) inside);
    if (inside < 0) { // nobody listens in there
      connection.breakOff();
      connection.end();
      connection.end();
      return;
    }
    set(outside, SOL_SOCKET, SO_KEEPALIVE);
    limit(outside, SO_RCVTIMEO, SILENCE_LIMIT);
    limit(outside, SO_SNDTIMEO, CHUNK_LIMIT);
    if (!start(() -> connection.copy(connection.inside, connection.outside))) {
      connection.breakOff();
      connection.end();
    }
    connection.copy(connection.outside, connection.inside);
  }

  /// The descriptor, or minus errno.
  private static long connect(byte[] name) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = arena.allocate(name.length, 8);
      MemorySegment.copy(name, 0, address, JAVA_BYTE, 0, name.length);
      int family = address.get(JAVA_SHORT, 0);
      long socket = Linux.call(Linux.Call.SOCKET, family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (socket < 0) {
        return socket;
      }
      set((int) socket, IPPROTO_TCP, TCP_NODELAY);
      long result = Linux.call(Linux.Call.CONNECT, socket, address.address(), address.byteSize());
      if (result < 0) {
        Linux.call(Linux.Call.CLOSE, socket);
        return result;
      }
      return socket;
    }
  }

  private static void set(int socket, int level, int option) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment yes = arena.allocateFrom(JAVA_INT, 1);
      Linux.call(Linux.Call.SETSOCKOPT, socket, level, option, yes.address(), yes.byteSize());
    }
  }

  /// Reading or writing comes back after the limit, with EAGAIN or a part (socket(7)).
  private static void limit(int socket, int option, Duration limit) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment time = arena.allocateFrom(JAVA_LONG, limit.toSeconds(), 0);
      Linux.call(
          Linux.Call.SETSOCKOPT, socket, SOL_SOCKET, option, time.address(), time.byteSize());
    }
  }

  /// Its end will be a reset: the peer shall not take for complete what is not.
  private static void reset(int socket) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment linger = arena.allocateFrom(JAVA_INT, 1, 0); // struct linger: on, 0 s
      Linux.call(
          Linux.Call.SETSOCKOPT,
          socket,
          SOL_SOCKET,
          SO_LINGER,
          linger.address(),
          linger.byteSize());
    }
  }

  private final class Connection {
    final int outside;
    final int inside;
    private final AtomicInteger directions = new AtomicInteger(2);
    private volatile boolean broken;

    /// The job has said its last word.
    private volatile boolean answered;

    Connection(int outside, int inside) {
      this.outside = outside;
      this.inside = inside;
    }

    /// One direction, to the sender's end of it, which is passed on.
    void copy(int from, int to) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment chunk = arena.allocate(CHUNK_BYTES);
        long length;
        do {
          length = Linux.call(Linux.Call.READ, from, chunk.address(), CHUNK_BYTES);
        } while (length == -Linux.EINTR
            || (length == -Linux.EAGAIN && !answered)
            || (length > 0 && write(to, chunk, length)));
        boolean ended = length == 0 || length == -Linux.EAGAIN; // what is on its way still arrives
        if (ended && !broken) {
          Linux.call(Linux.Call.SHUTDOWN, to, SHUT_WR);
          if (from == inside) {
            answered = true;
          }
        } else {
          breakOff();
        }
      } finally {
        end();
      }
    }

    private boolean write(int to, MemorySegment chunk, long length) {
      long written = 0;
      while (written < length) {
        long result = Linux.call(Linux.Call.WRITE, to, chunk.address() + written, length - written);
        boolean late = result == -Linux.EAGAIN || (result >= 0 && result < length - written);
        boolean failed = result < 0 && result != -Linux.EAGAIN && result != -Linux.EINTR;
        if (failed || (late && connections.hasQueuedThreads())) {
          return false;
        }
        written += Math.max(0, result);
      }
      return true;
    }

    /// A direction has ended.
    void end() {
      if (directions.decrementAndGet() == 0) {
        Linux.call(Linux.Call.CLOSE, outside);
        Linux.call(Linux.Call.CLOSE, inside);
        connections.release();
      }
    }

    /// Wakes the other direction, should it wait to read.
    void breakOff() {
      broken = true;
      for (int socket : new int[] {outside, inside}) {
        reset(socket);
        Linux.call(Linux.Call.SHUTDOWN, socket, SHUT_RD);
      }
    }
  }
}
