package org.casement.isolation;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/// What a network namespace does not separate, as far as the account that asks can use it on this
/// node.
public final class Loopholes {
  private static final Path PTRACE_SCOPE = Path.of("/proc/sys/kernel/yama/ptrace_scope");

  /// Of the first process: not ours, hence seen only where everybody's processes are.
  private static final Path OTHERS_NETWORK = Path.of("/proc/1/net/dev");

  private static final Path LOCAL_SOCKETS = Path.of("/proc/net/unix");

  /// proc(5): of a socket that listens.
  private static final String ACCEPTS = "00010000";

  /// Others choose these names, and we show them: those with control characters or none of our
  /// locale's are no well-known server's.
  private static final Pattern NAME = Pattern.compile("/[!-~]+");

  private static final int PATH_FIELD = 7;
  private static final int AF_VSOCK = 40;
  private static final int SOCK_STREAM_CLOEXEC = 1 | 0x80000;

  private Loopholes() {}

  /// Whether a process may trace another of its account that it did not start (Yama,
  /// kernel.yama.ptrace_scope).
  public static boolean tracing() {
    try {
      return Files.notExists(PTRACE_SCOPE) || Files.readString(PTRACE_SCOPE).strip().equals("0");
    } catch (IOException e) {
      return true;
    }
  }

  /// Whether the network of others' processes is shown.
  public static boolean othersNetwork() {
    return Files.isReadable(OTHERS_NETWORK);
  }

  /// Whether this machine's hypervisor and its other guests can be spoken to (vsock(7)).
  public static boolean vsock() {
    long socket = Linux.call(Linux.Call.SOCKET, AF_VSOCK, SOCK_STREAM_CLOEXEC, 0);
    if (socket >= 0) {
      Linux.call(Linux.Call.CLOSE, socket);
    }
    return socket >= 0;
  }

  /// Servers on unix sockets with a path that we may connect to.
  public static Set<Path> localServers() {
    Set<Path> servers = new TreeSet<>();
    for (String line : lines()) {
      String[] fields = line.strip().split(" +", PATH_FIELD + 1);
      if (fields.length > PATH_FIELD
          && fields[3].equals(ACCEPTS)
          && NAME.matcher(fields[PATH_FIELD]).matches()
          && Files.isWritable(Path.of(fields[PATH_FIELD]))) {
        servers.add(Path.of(fields[PATH_FIELD]));
      }
    }
    return servers;
  }

  private static List<String> lines() {
    try {
      return Files.readAllLines(LOCAL_SOCKETS, ISO_8859_1);
    } catch (IOException e) {
      return List.of();
    }
  }
}
