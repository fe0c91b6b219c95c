package org.casement.isolation;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// Gives up, in the calling *thread*, everything that exec would hand on: capabilities of all five
/// sets, blocked signals, descriptors. The thread that calls execve(2) is the one that counts.
final class Privileges {
  private static final long PR_SET_PDEATHSIG = 1;
  private static final long PR_CAPBSET_READ = 23;
  private static final long PR_CAPBSET_DROP = 24;
  private static final long PR_SET_NO_NEW_PRIVS = 38;
  private static final long PR_CAP_AMBIENT = 47;
  private static final long PR_CAP_AMBIENT_CLEAR_ALL = 4;
  private static final int CAPABILITY_VERSION_3 = 0x20080522;
  private static final long SIG_SETMASK = 2;
  private static final int F_SETFD = 2;
  private static final int FD_CLOEXEC = 1;

  private Privileges() {}

  /// @param bounding whether the bounding set is ours to drop, too: in a user namespace of our own.
  ///   Elsewhere no_new_privs makes it void: nothing that is executed gains a capability.
  static void dropAll(boolean bounding) throws IsolationException {
    Linux.must(
        "clear ambient capabilities", Linux.Call.PRCTL, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
    for (int c = 0; bounding && Linux.call(Linux.Call.PRCTL, PR_CAPBSET_READ, c) >= 0; c++) {
      Linux.must("drop capability " + c, Linux.Call.PRCTL, PR_CAPBSET_DROP, c);
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment header = arena.allocate(8, 8);
      header.set(JAVA_INT, 0, CAPABILITY_VERSION_3);
      MemorySegment none = arena.allocate(24, 8);
      Linux.must("drop capabilities", Linux.Call.CAPSET, header.address(), none.address());
    }
    Linux.must("set no_new_privs", Linux.Call.PRCTL, PR_SET_NO_NEW_PRIVS, 1);
    verify(bounding ? 5 : 4);
  }

  private static void verify(int sets) throws IsolationException {
    List<String> status;
    try {
      status = Files.readAllLines(Path.of("/proc/thread-self/status"));
    } catch (IOException e) {
      throw new IsolationException("cannot read /proc/thread-self/status", e);
    }
    boolean none =
        status.stream().filter(line -> line.matches("Cap\\w{3}:\\s+0+")).count() >= sets
            && status.stream().anyMatch(line -> line.matches("NoNewPrivs:\\s+1"));
    if (!none) {
      throw new IsolationException("capabilities are left after dropping all of them");
    }
  }

  /// SIGKILL when the parent (`unshare`) ends. A thread does not inherit it from the one that
  /// `unshare --kill-child` set it for, and it is this thread that survives exec.
  static void dieWithParent() throws IsolationException {
    Linux.must("follow the parent", Linux.Call.PRCTL, PR_SET_PDEATHSIG, Linux.SIGKILL);
  }

  /// The JVM keeps SIGQUIT blocked in its Java threads, and exec would hand that on.
  static void unblockSignals() throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment none = arena.allocate(8, 8);
      Linux.must("unblock signals", Linux.Call.RT_SIGPROCMASK, SIG_SETMASK, none.address(), 0, 8);
    }
  }

  /// Marks every descriptor from `first` on close-on-exec.
  static void closeOnExec(int first) throws IsolationException {
    try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path entry : descriptors) {
        int descriptor = Integer.parseInt(entry.getFileName().toString());
        if (descriptor >= first) {
          Linux.call(Linux.Call.FCNTL, descriptor, F_SETFD, FD_CLOEXEC);
        }
      }
    } catch (IOException e) {
      throw new IsolationException("cannot list /proc/self/fd", e);
    }
  }

  /// execve(2): returns only to say why not.
  static IsolationException exec(List<String> command, Map<String, String> environment) {
    try (Arena arena = Arena.ofConfined()) {
      long error =
          Linux.call(
              Linux.Call.EXECVE,
              arena.allocateFrom(command.getFirst()).address(),
              Linux.strings(arena, command).address(),
              Linux.strings(arena, Linux.assignments(environment)).address());
      return Linux.failure("execute " + command.getFirst(), (int) -error);
    }
  }
}
