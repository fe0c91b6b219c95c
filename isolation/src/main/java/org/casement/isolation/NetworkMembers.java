package org.casement.isolation;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntPredicate;

/// The processes of a network namespace, as /proc shows them. Whoever asks sees other accounts'
/// only with CAP_SYS_PTRACE.
public final class NetworkMembers {
  private static final Path PROCESSES = Path.of("/proc");

  /// A process that forks while it is looked for needs one more look.
  private static final int LOOKS = 20;

  private NetworkMembers() {}

  /// Whether there is a process.
  ///
  /// @param namespace as [NetworkHandle#identity()]
  /// @param accounts whose processes count: the uids that are taken
  public static boolean any(String namespace, IntPredicate accounts) throws IOException {
    return !find(namespace, accounts).isEmpty();
  }

  /// Kills them all.
  ///
  /// @return whether none is left
  public static boolean kill(String namespace) throws IOException {
    return kill(namespace, _ -> true);
  }

  /// Kills those of some accounts.
  ///
  /// @return whether none of them is left
  public static boolean kill(String namespace, IntPredicate accounts) throws IOException {
    for (int look = 0; look < LOOKS; look++) {
      List<Integer> found = find(namespace, accounts);
      if (found.isEmpty()) {
        return true;
      }
      for (int pid : found) {
        long process = Linux.call(Linux.Call.PIDFD_OPEN, pid, 0);
        if (process >= 0) {
          // The number may be another process's by now; the descriptor's cannot become one.
          if (isIn(namespace, accounts, pid)) {
            Linux.call(Linux.Call.PIDFD_SEND_SIGNAL, process, Linux.SIGKILL, 0, 0);
          }
          Linux.call(Linux.Call.CLOSE, process);
        }
      }
      pause();
    }
    return false;
  }

  /// Kills whoever else has a socket on one of these ports of the node's: a process of the job's in
  /// a namespace below the job's.
  public static void killHolders(List<Integer> ports) throws IOException {
    if (ports.isEmpty()) {
      return; // the tables are long
    }
    Set<String> sockets = new HashSet<>();
    for (String table : List.of("tcp", "tcp6", "udp", "udp6")) {
      Path file = Path.of("/proc/thread-self/net", table);
      for (String line : Files.exists(file) ? Files.readAllLines(file) : List.<String>of()) {
        String[] fields = line.strip().split("\\s+", -1); // proc(5)
        if (fields[1].contains(":")
            && ports.contains(
                Integer.parseInt(fields[1].substring(fields[1].lastIndexOf(':') + 1), 16))) {
          sockets.add("socket:[" + fields[9] + "]");
        }
      }
    }
    if (sockets.isEmpty()) {
      return;
    }
    long self = ProcessHandle.current().pid();
    try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROCESSES, "[1-9]*")) {
      for (Path process : processes) {
        int pid = Integer.parseInt(process.getFileName().toString());
        if (pid == self || !holds(process, sockets)) {
          continue;
        }
        long handle = Linux.call(Linux.Call.PIDFD_OPEN, pid, 0);
        if (handle >= 0) {
          if (holds(process, sockets)) {
            Linux.call(Linux.Call.PIDFD_SEND_SIGNAL, handle, Linux.SIGKILL, 0, 0);
          }
          Linux.call(Linux.Call.CLOSE, handle);
        }
      }
    }
  }

  private static boolean holds(Path process, Set<String> sockets) {
    try (DirectoryStream<Path> links = Files.newDirectoryStream(process.resolve("fd"))) {
      for (Path link : links) {
        if (sockets.contains(Files.readSymbolicLink(link).toString())) {
          return true;
        }
      }
    } catch (IOException e) {
      return false; // it has gone
    }
    return false;
  }

  private static List<Integer> find(String namespace, IntPredicate accounts) throws IOException {
    List<Integer> found = new ArrayList<>();
    try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROCESSES, "[1-9]*")) {
      for (Path process : processes) {
        int pid = Integer.parseInt(process.getFileName().toString());
        if (isIn(namespace, accounts, pid)) {
          found.add(pid);
        }
      }
    }
    return found;
  }

  private static boolean isIn(String namespace, IntPredicate accounts, int pid) {
    Path process = PROCESSES.resolve(Integer.toString(pid));
    try {
      return Files.readSymbolicLink(process.resolve("ns/net")).toString().equals(namespace)
          && accounts.test(uid(process));
    } catch (IOException e) {
      return false; // it has gone, or is a zombie
    }
  }

  /// The real uid (proc(5)): the directory is root's where the process has made itself
  /// non-dumpable.
  private static int uid(Path process) throws IOException {
    for (String line : Files.readAllLines(process.resolve("status"), ISO_8859_1)) {
      if (line.startsWith("Uid:")) {
        return Integer.parseUnsignedInt(line.split("\\s+", -1)[1]);
      }
    }
    throw new IOException(process + " has no uid");
  }

  private static void pause() {
    try {
      Thread.sleep(5);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
