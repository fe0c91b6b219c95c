package org.casement.node;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.casement.node.TaskRequest.Listeners;

/// What is kept of a job that is sealed, or must be, on this node. Its file is what the plugin
/// looks for where the agent does not answer.
///
/// @param namespace of the kind `net:[4026532177]`; empty until the job has one
/// @param step the one that made it
/// @param listeners what the first step that wanted any was given
/// @param ports theirs, TCP first
/// @param relayed whether the listeners are the namespace's own, with a relay ([Relays]) between
/// @param kind what the controller said when it was asked first; its owner can change the comment
///   that this is told by
record JobRecord(
    Optional<String> namespace,
    long step,
    Listeners listeners,
    List<Integer> ports,
    boolean relayed,
    Kind kind) {
  private static final String RELAYED = "RELAYED";

  /// Whether nobody may join it.
  enum Kind {
    UNKNOWN,
    JOB,
    SESSION
  }

  static final JobRecord UNMADE =
      new JobRecord(Optional.empty(), 0, Listeners.NONE, List.of(), false, Kind.UNKNOWN);

  JobRecord {
    ports = List.copyOf(ports);
  }

  static JobRecord made(String namespace, long step) {
    return new JobRecord(
        Optional.of(namespace), step, Listeners.NONE, List.of(), false, Kind.UNKNOWN);
  }

  JobRecord with(Listeners given, List<Integer> theirPorts, boolean throughRelay) {
    return new JobRecord(namespace, step, given, theirPorts, throughRelay, kind);
  }

  JobRecord with(Kind told) {
    return new JobRecord(namespace, step, listeners, ports, relayed, told);
  }

  List<Integer> tcpPorts() {
    return ports.subList(0, listeners.tcp());
  }

  List<Integer> udpPorts() {
    return ports.subList(listeners.tcp(), ports.size());
  }

  String text() {
    if (namespace.isEmpty()) {
      return "";
    }
    return "%s %s %d,%d %s %s%s\n"
        .formatted(
            namespace.get(),
            step,
            listeners.tcp(),
            listeners.udp(),
            ports.stream().map(String::valueOf).collect(Collectors.joining(",", "[", "]")),
            kind,
            relayed ? " " + RELAYED : "");
  }

  /// Empty where the file was not written to its end.
  static Optional<JobRecord> parse(String text) {
    if (text.isEmpty()) {
      return Optional.of(UNMADE);
    }
    String[] fields = text.strip().split(" ", -1);
    boolean relayed = fields.length == 6 && fields[5].equals(RELAYED);
    if ((fields.length != 5 && !relayed)
        || !fields[3].matches("\\[[0-9,]*\\]")
        || !text.endsWith("\n")) {
      return Optional.empty();
    }
    try {
      List<Integer> ports = new ArrayList<>();
      String inner = fields[3].substring(1, fields[3].length() - 1);
      Arrays.stream(inner.split(","))
          .filter(port -> !port.isEmpty())
          .forEach(port -> ports.add(Integer.parseInt(port)));
      return Listeners.parse(fields[2])
          .filter(listeners -> listeners.tcp() + listeners.udp() == ports.size())
          .map(
              listeners ->
                  new JobRecord(
                      Optional.of(fields[0]),
                      Long.parseLong(fields[1]),
                      listeners,
                      ports,
                      relayed,
                      Kind.valueOf(fields[4])));
    } catch (IllegalArgumentException e) { // a number or a kind
      return Optional.empty();
    }
  }
}
