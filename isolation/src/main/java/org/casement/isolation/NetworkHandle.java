package org.casement.isolation;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/// A network namespace, held by a descriptor: whoever made it sends it, and it is looked at before
/// it is believed.
public final class NetworkHandle implements AutoCloseable {
  private static final Path OUR_NAMESPACE = Path.of("/proc/thread-self/ns/net");
  private static final int CLONE_NEWNET = 0x40000000;

  /// ioctl_ns(2)
  private static final int NS_GET_NSTYPE = 0xb703;

  private static final int NS_GET_USERNS = 0xb701;

  /// PROC_USER_INIT_INO (linux/proc_ns.h)
  private static final long FIRST_USER_NAMESPACE = 0xEFFFFFFDL;

  private static final int MS_BIND = 0x1000;
  private static final int MNT_DETACH = 2;
  private static final int AT_FDCWD = -100;
  private static final int O_CLOEXEC = 0x80000;

  private final int descriptor;
  private final String identity;

  private NetworkHandle(int descriptor, String identity) {
    this.descriptor = descriptor;
    this.identity = identity;
  }

  /// Takes the descriptor over: it is closed where it is not what it should be, a network namespace
  /// and not the node's.
  public static NetworkHandle of(int descriptor) throws IsolationException {
    boolean taken = false;
    try {
      if (Linux.call(Linux.Call.IOCTL, descriptor, NS_GET_NSTYPE) != CLONE_NEWNET) {
        throw new IsolationException("this is no handle of a network namespace");
      }
      String identity = identity(Path.of("/proc/self/fd/" + descriptor));
      if (identity.equals(identity(OUR_NAMESPACE))) {
        throw new IsolationException("this is the node's own network namespace");
      }
      taken = true;
      return new NetworkHandle(descriptor, identity);
    } finally {
      if (!taken) {
        Linux.call(Linux.Call.CLOSE, descriptor);
      }
    }
  }

  /// Its inode on the kernel's own file system for namespaces (nsfs), as the kernel writes it.
  private static String identity(Path handle) throws IsolationException {
    try {
      return "net:[" + Files.getAttribute(handle, "unix:ino") + "]";
    } catch (IOException e) {
      throw new IsolationException("cannot look at " + handle + ": " + e.getMessage(), e);
    }
  }

  /// Whether root of this node has made the network namespace that we are in: by the user namespace
  /// that it belongs to, the first one. Another's may not even be asked about from here.
  public static boolean oursIsRoots() throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      long network =
          Linux.must(
              "open " + OUR_NAMESPACE,
              Linux.Call.OPENAT,
              AT_FDCWD,
              arena.allocateFrom(OUR_NAMESPACE.toString()).address(),
              O_CLOEXEC);
      long owner = Linux.call(Linux.Call.IOCTL, network, NS_GET_USERNS);
      Linux.call(Linux.Call.CLOSE, network);
      if (owner < 0) {
        return false;
      }
      try {
        Object inode = Files.getAttribute(Path.of("/proc/self/fd/" + owner), "unix:ino");
        return inode.equals(FIRST_USER_NAMESPACE);
      } catch (IOException e) {
        return false;
      } finally {
        Linux.call(Linux.Call.CLOSE, owner);
      }
    }
  }

  /// What is pinned at `file`.
  public static NetworkHandle pinned(Path file) throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      long opened =
          Linux.must(
              "open " + file,
              Linux.Call.OPENAT,
              AT_FDCWD,
              arena.allocateFrom(file.toString()).address(),
              O_CLOEXEC);
      return of((int) opened);
    }
  }

  /// Binds it to `file`, which is made: it outlives every process.
  public void pin(Path file) throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      Files.createFile(file);
      Linux.must(
          "pin a namespace at " + file,
          Linux.Call.MOUNT,
          arena.allocateFrom("/proc/self/fd/" + descriptor).address(),
          arena.allocateFrom(file.toString()).address(),
          0,
          MS_BIND,
          0);
    } catch (IsolationException e) {
      throw e;
    } catch (IOException e) {
      throw new IsolationException("cannot make " + file + ": " + e.getMessage(), e);
    }
  }

  /// Undoes [#pin]; what is not there is no failure.
  public static void unpin(Path file) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      Linux.call(Linux.Call.UMOUNT2, arena.allocateFrom(file.toString()).address(), MNT_DETACH);
    }
    Files.deleteIfExists(file);
  }

  /// Loopback and nothing else, as a session has it.
  public void configure() throws IsolationException {
    inside(
        () -> {
          Loopback.verifyNothingElse();
          Loopback.configure();
          return true;
        });
  }

  /// A listener within: like one of the node's ([SealedSocket#open]), with the same address and
  /// port, which loopback has from then on, and no way out whatever is done with it.
  ///
  /// @param backlog connections that wait for accept(2)
  public SealedSocket listen(InetAddress address, int port, int backlog) throws IsolationException {
    return inside(
        () -> {
          Loopback.add(address);
          return SealedSocket.open(SealedSocket.Protocol.TCP, address, port, backlog);
        });
  }

  /// Runs a command that ends soon, within.
  ///
  /// @param command absolute path first
  /// @param descriptors it has these at 3, 4, …, and the standard streams of this process
  /// @throws IsolationException where it fails
  public void run(List<String> command, Map<String, String> environment, List<Integer> descriptors)
      throws IsolationException {
    int status =
        inside(
            () -> {
              Privileges.closeOnExec(3);
              return Linux.await(Linux.spawn(command, environment, descriptors));
            });
    if (status != 0) {
      throw new IsolationException(command.getFirst() + " ended with status " + status);
    }
  }

  private interface Task<T> {
    T run() throws IsolationException;
  }

  /// In a thread of its own, which ends in there: setns(2) moves one thread.
  private <T> T inside(Task<T> task) throws IsolationException {
    FutureTask<T> future =
        new FutureTask<>(
            () -> {
              Linux.must("enter a namespace", Linux.Call.SETNS, descriptor, CLONE_NEWNET);
              return task.run();
            });
    Thread _ = Thread.ofPlatform().start(future);
    try {
      return future.get();
    } catch (ExecutionException e) {
      throw e.getCause() instanceof IsolationException failure
          ? failure
          : new IsolationException("cannot work in a namespace: " + e.getCause(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IsolationException("interrupted", e);
    }
  }

  /// `net:[4026531840]`
  public String identity() {
    return identity;
  }

  public int descriptor() {
    return descriptor;
  }

  @Override
  public void close() {
    Linux.call(Linux.Call.CLOSE, descriptor);
  }
}
