package org.casement.node;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.casement.isolation.NetworkHandle;
import org.casement.isolation.SealedSocket;
import org.casement.isolation.SealedSocket.Protocol;

/// The agent's copies of the sockets that jobs have. Of a listening socket it keeps one only until
/// all tasks of the step have theirs: else the port would go on taking connections that nobody
/// accepts after the job has closed it. A later step of the job gets another socket on the same
/// port.
///
/// What is called for one job is called by one thread at a time.
final class JobSockets {
  private final HeldPorts ports;
  private final Map<Long, Copies> jobs = new ConcurrentHashMap<>();

  private static final class Copies {
    long step;
    int served;
    final Map<Integer, SealedSocket> tcp = new HashMap<>();
    final Map<Integer, SealedSocket> udp = new HashMap<>();

    void closeListening() {
      tcp.values().forEach(SealedSocket::close);
      tcp.clear();
    }
  }

  JobSockets(HeldPorts ports) {
    this.ports = ports;
  }

  /// The sockets for one task, in the order of the job's ports. They stay open here until
  /// [#handed].
  ///
  /// @param handle of the job's namespace, which they belong to where a relay is between
  List<SealedSocket> forTask(TaskRequest request, JobRecord job, NetworkHandle handle)
      throws IOException {
    if (job.ports().isEmpty()) {
      return List.of();
    }
    Copies copies = jobs.computeIfAbsent(request.job(), _ -> new Copies());
    if (copies.step != request.step()) {
      copies.closeListening();
      copies.step = request.step();
      copies.served = 0;
    }
    List<SealedSocket> sockets = new ArrayList<>();
    for (int port : job.tcpPorts()) {
      SealedSocket known = copies.tcp.get(port);
      if (known == null) {
        known = job.relayed() ? ports.listenIn(handle, port) : ports.open(Protocol.TCP, port);
        copies.tcp.put(port, known);
      }
      sockets.add(known);
    }
    for (int port : job.udpPorts()) {
      SealedSocket known = copies.udp.get(port);
      if (known == null) {
        known = ports.open(Protocol.UDP, port);
        copies.udp.put(port, known);
      }
      sockets.add(known);
    }
    return sockets;
  }

  /// A task of the step has its sockets.
  void handed(TaskRequest request) {
    Copies copies = jobs.get(request.job());
    if (copies != null && ++copies.served >= request.tasks()) {
      copies.closeListening();
    }
  }

  /// The job has ended.
  void end(long job, List<Integer> theirPorts) {
    ports.giveBack(theirPorts);
    Copies copies = jobs.remove(job);
    if (copies != null) {
      copies.closeListening();
      copies.udp.values().forEach(SealedSocket::close);
    }
  }
}
