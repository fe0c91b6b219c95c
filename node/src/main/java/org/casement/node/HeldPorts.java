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
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.casement.isolation.IsolationException;
import org.casement.isolation.NetworkHandle;
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
    holdWhatJobsHaveClosed();
    unused.sort(Comparator.comparingLong(Port::usableAt));
    free.addAll(unused);
  }

  /// Over UDP a port of a job's is held by the job's own socket. Where there is none any more,
  /// since the job has closed it and the agent that had a copy is gone, we hold it.
  synchronized void holdWhatJobsHaveClosed() {
    Map<Integer, SealedSocket> held = map(Protocol.UDP);
    for (int port = settings.firstPort(); port <= settings.lastPort(); port++) {
      if (!held.containsKey(port)) {
        try {
          held.put(port, SealedSocket.holdAlone(Protocol.UDP, settings.address(), port));
        } catch (IsolationException e) { // somebody has it: the job, in most cases
        }
      }
    }
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
  synchronized List<Integer> take(int count) throws IsolationException {
    List<Integer> taken = new ArrayList<>();
    List<Port> notNow = new ArrayList<>();
    while (taken.size() < count && !free.isEmpty()) {
      Port port = free.removeFirst();
      if (System.nanoTime() - port.usableAt() >= 0 && isNobodys(port.number())) {
        taken.add(port.number());
      } else {
        notNow.add(port);
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

  /// A listener of the job's own namespace on its port, for a relay to connect to.
  SealedSocket listenIn(NetworkHandle handle, int port) throws IsolationException {
    return handle.listen(settings.address(), port, settings.backlog());
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

  /// Whether the port is ours alone: a process that outlived the job that had it may have kept a
  /// socket, and would take connections from the next job. Connections that have not quite ended
  /// count too, for a minute.
  private boolean isNobodys(int port) {
    for (Protocol protocol : Protocol.values()) {
      SealedSocket holder = map(protocol).remove(port);
      if (holder != null) {
        holder.close();
      }
      try {
        map(protocol).put(port, SealedSocket.holdAlone(protocol, settings.address(), port));
      } catch (IsolationException e) {
        hold(protocol, port);
        return false;
      }
    }
    return true;
  }

  @Override
  public synchronized void close() {
    holders.values().forEach(map -> map.values().forEach(SealedSocket::close));
  }
}
