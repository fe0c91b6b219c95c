package org.casement.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.casement.isolation.IsolationException;
import org.casement.isolation.NetworkHandle;
import org.casement.isolation.PacketSocket;

/// Answers the plugin: one connection a task, the tasks of a job one after the other.
final class NodeAgent {
  private static final Duration PACKET_LIMIT = Duration.ofSeconds(5);
  private static final int LOCKS = 64;

  private final Path directory;

  /// A job's is chosen by its number: one that were removed with its job would be two for a moment.
  private final List<ReentrantLock> locks =
      Stream.generate(ReentrantLock::new).limit(LOCKS).toList();

  /// @param directory root's own: the socket, `sealed/` with a marker for each job, `ns/` with its
  ///   pinned namespace
  NodeAgent(Path directory) {
    this.directory = directory;
  }

  /// Serves until the process ends.
  void serve() throws IOException {
    for (String name : List.of("sealed", "ns")) {
      Files.createDirectories(directory.resolve(name));
      Files.setPosixFilePermissions(
          directory.resolve(name), PosixFilePermissions.fromString("rwx------"));
    }
    Path path = directory.resolve("node.sock");
    Files.deleteIfExists(path);
    try (PacketSocket socket = PacketSocket.listen(path)) {
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
      while (true) {
        PacketSocket connection = socket.accept(PACKET_LIMIT);
        Thread.ofPlatform().start(() -> answer(connection));
      }
    }
  }

  private void answer(PacketSocket connection) {
    try (connection) {
      if (connection.peer().uid() != 0) {
        connection.send("refuse only slurmstepd is answered\n", List.of());
        return;
      }
      PacketSocket.Packet packet = connection.receive();
      Optional<TaskRequest> request = TaskRequest.parse(packet.text());
      if (request.isEmpty()) {
        connection.send("refuse the request is not understood\n", List.of());
        return;
      }
      ReentrantLock lock = locks.get((int) (request.get().job() % LOCKS));
      lock.lock();
      try {
        switch (request.get().event()) {
          case TASK -> task(connection, request.get());
          case BEGIN -> connection.send("noted\n", List.of());
          case END -> {
            end(request.get().job());
            connection.send("noted\n", List.of());
          }
        }
      } finally {
        lock.unlock();
      }
    } catch (IOException e) {
      System.err.println("casement node: " + e.getMessage());
    }
  }

  private void task(PacketSocket connection, TaskRequest request) throws IOException {
    Path pin = directory.resolve("ns").resolve(Long.toString(request.job()));
    if (Files.exists(pin)) {
      try (NetworkHandle handle = NetworkHandle.pinned(pin)) {
        connection.send("join\nSPANK_ISO_NETNS_SEALED=1\n", List.of(handle.descriptor()));
      }
      return;
    }
    if (!request.asked()) {
      connection.send("open\n", List.of());
      return;
    }
    connection.send("create\n", List.of());
    PacketSocket.Packet made = connection.receive();
    if (!made.text().equals("made\n") || made.descriptor() < 0) {
      throw new IsolationException("job " + request.job() + ": no namespace came");
    }
    try (NetworkHandle handle = NetworkHandle.of(made.descriptor())) {
      handle.configure();
      Files.createFile(directory.resolve("sealed").resolve(Long.toString(request.job())));
      handle.pin(pin);
      connection.send("joined\nSPANK_ISO_NETNS_SEALED=1\n", List.of());
    } catch (IOException e) {
      connection.send("refuse " + e.getMessage() + "\n", List.of());
      throw e;
    }
  }

  private void end(long job) throws IOException {
    NetworkHandle.unpin(directory.resolve("ns").resolve(Long.toString(job)));
    Files.deleteIfExists(directory.resolve("sealed").resolve(Long.toString(job)));
  }

  public static void main(String[] arguments) throws IOException {
    new NodeAgent(Path.of("/run/casement")).serve();
  }
}
