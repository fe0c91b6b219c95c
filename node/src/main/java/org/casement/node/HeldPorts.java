package org.casement.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.casement.isolation.IsolationException;
import org.casement.isolation.SealedSocket;
import org.casement.isolation.SealedSocket.Protocol;

/// The node's range of ports for listeners, each of them bound by the agent from its start to its
/// end, so that nobody takes the port of a job that has ended and is spoken to by who still knows
/// it. A port is a job's for both protocols, and after the job unused for a while.
final class HeldPorts implements AutoCloseable {
  /// A socket that takes nothing in, by port. Over UDP a holder would take datagrams from the job's
  /// own socket: while there is that one, it holds the port itself.
  private final Map<Protocol, Map<Integer, SealedSocket>> holders = new EnumMap<>(Protocol.class);

  /// The longest unused first.
  private final Deque<Port> free = new ArrayDeque<>();

  private final NodeSettings.Listening settings;

  /// An empty file for each port that a job had, as old as the job's end: a later agent knows too.
  private final Path resting;

  /// @param usableAt of System.nanoTime()
  private record Port(int number, long usableAt) {}

  /// @param resting a directory of root's
  /// @param used ports that jobs have which were here before the agent
  HeldPorts(NodeSettings.Listening settings, Path resting, Set<Integer> used) throws IOException {
    this.settings = settings;
    this.resting = Files.createDirectories(resting);
    List<Port> unused = new ArrayList<>();
    for (Protocol protocol : Protocol.values()) {
      holders.put(protocol, new HashMap<>());
    }
    for (int port = settings.firstPort(); port <= settings.lastPort(); port++) {
      boolean theirs = used.contains(port);
      boolean held = hold(Protocol.TCP, port) && (theirs || hold(Protocol.UDP, port));
      if (held && !theirs) {
        unused.add(new Port(port, System.nanoTime() + rest(port).toNanos()));
      }
    }
    unused.sort(Comparator.comparingLong(Port::usableAt));
    free.addAll(unused);
  }

  /// What is left of it.
  private Duration rest(int port) throws IOException {
    Path file = resting.resolve(Integer.toString(port));
    if (Files.notExists(file)) {
      return Duration.ZERO;
    }
    Duration age = Duration.between(Files.getLastModifiedTime(file).toInstant(), Instant.now());
    if (age.isNegative()) {
      return settings.rest(); // the clock was set
    }
    Duration left = settings.rest().minus(age);
    return left.isNegative() ? Duration.ZERO : left;
  }

  private void beginRest(int port) {
    Path file = resting.resolve(Integer.toString(port));
    try {
      Files.deleteIfExists(file);
      Files.createFile(file);
    } catch (IOException e) {
      NodeAgent.log("port " + port + " may not rest over a restart: " + e.getMessage());
    }
  }

  /// How many are bound.
  int count() {
    return map(Protocol.TCP).size();
  }

  /// Ports for a job.
  ///
  /// @throws IsolationException where there are not enough
  synchronized List<Integer> take(int count) throws IOException {
    Set<Integer> busy = busy();
    List<Integer> taken = new ArrayList<>();
    List<Port> notNow = new ArrayList<>();
    while (taken.size() < count && !free.isEmpty()) {
      Port port = free.removeFirst();
      if (System.nanoTime() - port.usableAt() < 0 || busy.contains(port.number())) {
        notNow.add(port);
      } else {
        taken.add(port.number());
      }
    }
    notNow.reversed().forEach(free::addFirst);
    if (taken.size() < count) {
      long now = System.nanoTime();
      taken.forEach(port -> free.addFirst(new Port(port, now)));
      throw new IsolationException(
          "all listener ports of this node are in use or were until just now; try again in a"
              + " minute");
    }
    return taken;
  }

  /// A socket for the job whose port it is.
  synchronized SealedSocket open(Protocol protocol, int port) throws IsolationException {
    SealedSocket socket = SealedSocket.open(protocol, settings.address(), port, settings.backlog());
    if (protocol == Protocol.UDP) {
      SealedSocket holder = map(protocol).remove(port);
      if (holder != null) {
        holder.close();
      }
    }
    return socket;
  }

  /// The job has ended; the agent's copies of its sockets are still open.
  synchronized void giveBack(List<Integer> ports) {
    long usable = System.nanoTime() + settings.rest().toNanos();
    for (int port : ports) {
      if (port >= settings.firstPort() && port <= settings.lastPort()) {
        hold(Protocol.TCP, port);
        hold(Protocol.UDP, port);
        beginRest(port);
        free.add(new Port(port, usable));
      }
    }
  }

  /// False where somebody else has it.
  private boolean hold(Protocol protocol, int port) {
    if (map(protocol).containsKey(port)) {
      return true;
    }
    try {
      map(protocol).put(port, SealedSocket.hold(protocol, settings.address(), port));
      return true;
    } catch (IsolationException e) {
      NodeAgent.log("port " + port + " is not ours: " + e.getMessage());
      return false;
    }
  }

  private Map<Integer, SealedSocket> map(Protocol protocol) {
    return java.util.Objects.requireNonNull(holders.get(protocol));
  }

  /// Ports on which somebody listens, or that somebody beside us has bound over UDP: what a job
  /// that has ended gave to a process that has not. Our own TCP holders are not in these files.
  private Set<Integer> busy() throws IOException {
    Set<Integer> busy = new HashSet<>();
    for (String table : List.of("tcp", "tcp6")) {
      for (String line : lines(table)) {
        String[] fields = line.strip().split("\\s+", -1);
        if (fields[3].equals("0A")) { // TCP_LISTEN
          busy.add(port(fields[1]));
        }
      }
    }
    Map<Integer, Integer> sockets = new HashMap<>();
    for (String table : List.of("udp", "udp6")) {
      for (String line : lines(table)) {
        sockets.merge(port(line.strip().split("\\s+", -1)[1]), 1, Integer::sum);
      }
    }
    sockets.forEach(
        (port, number) -> {
          if (number > (map(Protocol.UDP).containsKey(port) ? 1 : 0)) {
            busy.add(port);
          }
        });
    return busy;
  }

  /// proc(5): after a head, a socket a line; the second field is address and port, in hexadecimal.
  private static List<String> lines(String table) throws IOException {
    Path file = Path.of("/proc/thread-self/net", table);
    return Files.exists(file) ? Files.readAllLines(file).stream().skip(1).toList() : List.of();
  }

  private static int port(String address) {
    return Integer.parseInt(address, address.lastIndexOf(':') + 1, address.length(), 16);
  }

  @Override
  public synchronized void close() {
    holders.values().forEach(map -> map.values().forEach(SealedSocket::close));
  }
}
