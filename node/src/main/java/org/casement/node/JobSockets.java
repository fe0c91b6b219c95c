package org.casement.node;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
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
  List<SealedSocket> forTask(TaskRequest request, JobRecord job) throws IOException {
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
      sockets.add(copy(copies.tcp, Protocol.TCP, port));
    }
    for (int port : job.udpPorts()) {
      sockets.add(copy(copies.udp, Protocol.UDP, port));
    }
    return sockets;
  }

  private SealedSocket copy(Map<Integer, SealedSocket> copies, Protocol protocol, int port)
      throws IOException {
    SealedSocket known = copies.get(port);
    if (known == null) {
      known = ports.open(protocol, port);
      copies.put(port, known);
    }
    return known;
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
