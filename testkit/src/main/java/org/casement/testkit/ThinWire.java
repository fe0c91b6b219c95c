package org.casement.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;

/// A slow, lossy wire between a client and a server on 127.0.0.1, where the kernel has no netem: a
/// rate for all connections together, a delay, and now and then a lost packet, which over TCP is a
/// round trip's pause of everything behind it. [#silence] takes it down without closing anything.
public final class ThinWire implements AutoCloseable {
  /// An Ethernet's TCP segment.
  private static final int PACKET_BYTES = 1448;

  /// Packets that are on the wire or wait before it, per connection and direction.
  private static final int QUEUE_PACKETS = 64;

  private static final ByteBuffer END = ByteBuffer.allocate(0);

  private static final Duration LOOK = Duration.ofMillis(5);

  /// What the wire is worth.
  ///
  /// @param bitsPerSecond in each direction
  /// @param roundTrip half of it each way
  /// @param loss share of the packets
  public record Quality(long bitsPerSecond, Duration roundTrip, double loss) {}

  private record Packet(ByteBuffer bytes, long dueNanos) {}

  /// One direction; when its last packet has left.
  private final class Lane {
    private final Random random = new Random(1);
    private long freeNanos = System.nanoTime();

    synchronized long due(int bytes) {
      long start = Math.max(freeNanos, System.nanoTime());
      freeNanos = start + bytes * 8L * 1_000_000_000L / quality.bitsPerSecond;
      long lost = random.nextDouble() < quality.loss ? quality.roundTrip.toNanos() : 0;
      return freeNanos + quality.roundTrip.toNanos() / 2 + lost;
    }
  }

  private final Quality quality;
  private final ServerSocket server;
  private final int target;
  private final Lane up = new Lane();
  private final Lane down = new Lane();
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private volatile boolean silent;

  private ThinWire(Quality quality, ServerSocket server, int target) {
    this.quality = quality;
    this.server = server;
    this.target = target;
  }

  public static ThinWire to(int port, Quality quality) {
    try {
      ThinWire wire =
          new ThinWire(quality, new ServerSocket(0, 50, InetAddress.getLoopbackAddress()), port);
      Thread.ofVirtual().start(wire::accept);
      return wire;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public int port() {
    return server.getLocalPort();
  }

  /// Nothing arrives any more, and nobody is told: a link that is down.
  public void silence() {
    silent = true;
  }

  /// What was sent meanwhile arrives now, as TCP would repeat it.
  public void restore() {
    silent = false;
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket client = server.accept();
        Socket toServer = new Socket();
        toServer.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), target));
        for (Socket socket : Set.of(client, toServer)) {
          socket.setTcpNoDelay(true);
          socket.setReceiveBufferSize(QUEUE_PACKETS * PACKET_BYTES);
          open.add(socket);
        }
        carry(client, toServer, up);
        carry(toServer, client, down);
      } catch (IOException e) {
        if (!server.isClosed()) {
          throw new UncheckedIOException(e);
        }
      }
    }
  }

  private void carry(Socket from, Socket to, Lane lane) {
    BlockingQueue<Packet> wire = new ArrayBlockingQueue<>(QUEUE_PACKETS);
    Thread.ofVirtual().start(() -> take(from, lane, wire));
    Thread.ofVirtual().start(() -> deliver(wire, from, to));
  }

  private void take(Socket from, Lane lane, BlockingQueue<Packet> wire) {
    byte[] buffer = new byte[PACKET_BYTES];
    try {
      InputStream in = from.getInputStream();
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        put(wire, ByteBuffer.wrap(Arrays.copyOf(buffer, n)), lane);
      }
      put(wire, END, lane);
    } catch (IOException e) {
      put(wire, END, lane); // a broken connection ends like any other
    }
  }

  private static void put(BlockingQueue<Packet> wire, ByteBuffer bytes, Lane lane) {
    try {
      wire.put(new Packet(bytes, lane.due(bytes.remaining())));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// An empty packet is the end of the connection, in its turn.
  private void deliver(BlockingQueue<Packet> wire, Socket from, Socket to) {
    try {
      WritableByteChannel out = Channels.newChannel(to.getOutputStream());
      for (Packet next = wire.take(); !next.bytes.equals(END); next = wire.take()) {
        LockSupport.parkNanos(next.dueNanos - System.nanoTime());
        while (silent) {
          Thread.sleep(LOOK);
        }
        out.write(next.bytes);
      }
    } catch (IOException e) {
      shut(from); // one side has gone
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    shut(to);
  }

  private void shut(Socket socket) {
    open.remove(socket);
    try {
      socket.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    restore();
    try {
      server.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Set.copyOf(open).forEach(this::shut);
  }
}
