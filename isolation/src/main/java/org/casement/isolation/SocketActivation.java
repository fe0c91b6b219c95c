package org.casement.isolation;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Becomes a program that takes its sockets from descriptor 3 on, as sd_listen_fds(3) says.
public final class SocketActivation {
  /// Above what a program is given: 3 and at most 40 more.
  private static final int ASIDE = 100;

  private static final int F_DUPFD_CLOEXEC = 1030;
  private static final int FIRST = 3;

  private SocketActivation() {}

  /// Returns only where it cannot, to say why.
  ///
  /// @param descriptors of this process, which get the numbers 3, 4, …
  /// @param command with an absolute path
  public static IsolationException become(
      List<Integer> descriptors, List<String> command, Map<String, String> environment)
      throws IsolationException {
    Map<String, String> told = new HashMap<>(environment);
    told.put("LISTEN_FDS", Integer.toString(descriptors.size()));
    told.put("LISTEN_PID", Long.toString(Linux.call(Linux.Call.GETPID)));
    List<Long> aside = new ArrayList<>();
    for (int descriptor : descriptors) {
      aside.add(
          Linux.must(
              "use descriptor " + descriptor,
              Linux.Call.FCNTL,
              descriptor,
              F_DUPFD_CLOEXEC,
              ASIDE));
    }
    Privileges.unblockSignals();
    Privileges.closeOnExec(FIRST);
    // From 3 on there are this JVM's own files, its classes among them. What comes after the first
    // dup3(2) must need none: it has all run once before.
    IsolationException _ = Privileges.exec(List.of("/nonexistent"), told);
    Linux.call(Linux.Call.DUP3, -1, -1, 0);
    for (int i = 0; i < aside.size(); i++) {
      Linux.call(Linux.Call.DUP3, aside.get(i), FIRST + i, 0);
    }
    return Privileges.exec(command, told);
  }
}
