package org.casement.node;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.casement.isolation.IsolationException;
import org.casement.isolation.NetworkHandle;
import org.casement.isolation.NetworkMembers;
import org.casement.isolation.PacketSocket;
import org.casement.isolation.SealedSocket;
import org.casement.isolation.ShortRun;

/// The jobs' relays ([RelayProgram]), for nodes whose firewall does not stop what a job could do
/// with a socket of the node's. Each job has one of its own, which lives in the job's namespace and
/// has nothing else of the node's than the job's listeners; it outlives the agent and goes with the
/// namespace's other processes.
final class Relays {
  static final String READY = "ready\n";

  /// The plugin waits ten seconds for everything; a JVM starts in a fraction of one.
  private static final Duration START_LIMIT = Duration.ofSeconds(6);

  private static final Duration LOOKUP_LIMIT = Duration.ofSeconds(2);

  private final String account;
  private final Path launcher;
  private OptionalInt known = OptionalInt.empty();

  /// @param account as whom they run: nobody else may
  /// @param launcher of this program
  Relays(String account, Path launcher) {
    this.account = account;
    this.launcher = launcher;
  }

  /// Whether there can be one.
  ///
  /// @param complaint why there must be, to be said beside why there cannot
  void check(String complaint) throws IOException {
    try {
      int _ = uid();
    } catch (IsolationException e) {
      throw new IsolationException(complaint + "; and " + e.getMessage(), e);
    }
  }

  /// Starts a job's, and waits until it serves.
  ///
  /// @param handle of the job's namespace, where something listens with the same addresses
  /// @param outside the listeners; the caller closes its copies
  void start(NetworkHandle handle, List<SealedSocket> outside) throws IOException {
    int uid = uid();
    List<PacketSocket> pair = PacketSocket.pair(START_LIMIT);
    try (PacketSocket here = pair.getFirst()) {
      try (PacketSocket there = pair.getLast()) {
        List<Integer> descriptors = new ArrayList<>(List.of(there.descriptor()));
        outside.forEach(socket -> descriptors.add(socket.descriptor()));
        handle.run(command(uid, outside.size()), environment(), descriptors);
      }
      if (!here.receive().textAlone().equals(READY)) {
        throw new IsolationException("the relay says something else");
      }
    } catch (IsolationException e) {
      stop(handle.identity());
      throw new IsolationException("the relay does not start: " + e.getMessage(), e);
    }
  }

  /// `setsid --fork` ends at once: its child is no child of the agent's, whom it outlives.
  private List<String> command(int uid, int listeners) {
    return List.of(
        "/usr/bin/setsid",
        "--fork",
        "/usr/bin/setpriv",
        "--reuid=" + uid,
        "--regid=" + account,
        "--clear-groups",
        "--inh-caps=-all",
        "--no-new-privs",
        "--",
        launcher.toString(),
        "relay",
        Integer.toString(listeners));
  }

  private static Map<String, String> environment() {
    return Map.of(
        "PATH",
        "/usr/bin:/bin",
        "LANG",
        "C.UTF-8",
        "CASEMENT_JAVA",
        System.getProperty("casement.java", ""));
  }

  boolean isRunning(String namespace) throws IOException {
    int ours = uid();
    return NetworkMembers.any(namespace, uid -> uid == ours);
  }

  /// Whether the job has a process.
  boolean hasOthers(String namespace) throws IOException {
    int ours = uid();
    return NetworkMembers.any(namespace, uid -> uid != ours);
  }

  /// Ends the job's relay alone.
  void stop(String namespace) throws IOException {
    int ours = uid();
    boolean _ = NetworkMembers.kill(namespace, uid -> uid == ours);
  }

  /// The account's, which some directory on the network may have to be asked for.
  private synchronized int uid() throws IOException {
    if (known.isEmpty()) {
      String output;
      try {
        output = ShortRun.of(List.of("/usr/bin/id", "-u", "--", account), LOOKUP_LIMIT).output();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IsolationException("interrupted", e);
      }
      if (!output.matches("[1-9][0-9]{0,9}\n")) { // nor root's
        throw new IsolationException(
            "there is no ordinary account %s to relay as".formatted(account));
      }
      known = OptionalInt.of(Integer.parseUnsignedInt(output.strip()));
    }
    return known.getAsInt();
  }
}
