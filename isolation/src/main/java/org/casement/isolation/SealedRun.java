package org.casement.isolation;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;

/// A session in namespaces of its own, started by an ordinary user through util-linux (2.36 on),
/// because a JVM cannot unshare a user namespace itself. This process stays outside as the watcher:
/// it spawns `setpriv --pdeathsig KILL unshare … seal`, passes signals, and returns the status.
///
/// Whoever is killed, all is gone at once: this process → unshare (parent-death signal of the
/// spawning thread, which therefore lives as long) → PID 1 (`--kill-child`) → the pid namespace.
///
/// In a network that root made there is no `unshare`: the owner of a user namespace may trace
/// whatever lives in it, and there the same account outside is to be kept out. The supervisor is
/// this process's child, its helpers die with it (`--die-with-parent`), and the job's end, which is
/// Slurm's and the node agent's, is the end of all.
public final class SealedRun implements AutoCloseable {
  private static final Path SETPRIV = Path.of("/usr/bin/setpriv");
  private static final Path UNSHARE = Path.of("/usr/bin/unshare");

  /// A JVM starts in less than a second; a node that needs this long does not work.
  private static final long HANDLER_TIMEOUT_SECONDS = 20;

  private static final Duration TRIAL_LIMIT = Duration.ofSeconds(10);

  private static final long HANDLER_POLL_MS = 20;

  private final SealPlan.Network network;

  /// `unshare`, or the supervisor where there is none.
  private final int child;

  private final CompletableFuture<Integer> status;
  private final AtomicBoolean waited;

  private SealedRun(
      SealPlan.Network network,
      int child,
      CompletableFuture<Integer> status,
      AtomicBoolean waited) {
    this.network = network;
    this.child = child;
    this.status = status;
    this.waited = waited;
  }

  /// Links the system calls, beside whatever the caller does next: a tenth of a second in a JVM
  /// that has just started.
  public static void prepare() {
    Thread.ofPlatform().daemon().name("link").start(Linux::prepare);
  }

  /// Why this user cannot seal on this node, or empty: by making the namespaces and running `true`.
  public static Optional<String> problem() {
    try {
      List<String> line = namespaces();
      line.add("/usr/bin/true");
      ShortRun run = ShortRun.of(line, TRIAL_LIMIT);
      return run.succeeded()
          ? Optional.empty()
          : Optional.of("cannot seal a session: " + run.firstWords());
    } catch (IOException e) {
      return Optional.of("cannot seal a session: " + e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.of("cannot seal a session: interrupted while trying");
    }
  }

  /// Starts `seal` as the first process of fresh namespaces, with the listeners at descriptors 3,
  /// 4, … and nothing else open but the standard streams.
  ///
  /// @param network as in the plan that `seal` gets
  /// @param seal the command that calls [Seal#enter]: absolute path first
  /// @param environment for it; the listeners' variables are added
  public static SealedRun start(
      SealPlan.Network network,
      List<Listener> listeners,
      List<String> seal,
      Map<String, String> environment)
      throws IsolationException {
    return start(network, listeners, List.of(), seal, environment);
  }

  /// The same in a fresh network, with all that is said, by `unshare` as well, in `log` instead of
  /// this process's standard streams.
  public static SealedRun start(
      List<Listener> listeners, List<String> seal, Map<String, String> environment, Path log)
      throws IsolationException {
    List<String> shell = List.of("/bin/sh", "-c", "exec \"$@\" >\"$0\" 2>&1", log.toString());
    return start(SealPlan.Network.FRESH, listeners, shell, seal, environment);
  }

  private static SealedRun start(
      SealPlan.Network network,
      List<Listener> listeners,
      List<String> shell,
      List<String> seal,
      Map<String, String> environment)
      throws IsolationException {
    List<String> line = new ArrayList<>(shell);
    line.addAll(List.of(SETPRIV.toString(), "--pdeathsig", "KILL", "--"));
    if (network == SealPlan.Network.FRESH) {
      line.addAll(namespaces());
    }
    line.addAll(seal);
    Map<String, String> variables = new TreeMap<>(environment);
    variables.keySet().removeIf(name -> name.startsWith("SPANK_ISO_NETNS_"));
    variables.putAll(InheritedListeners.toEnvironment(listeners));
    variables.put(
        Seal.LAYERS_VARIABLE,
        listeners.stream().map(Listener::layers).distinct().collect(Collectors.joining(" ")));
    List<Integer> descriptors = listeners.stream().map(Listener::descriptor).toList();
    CompletableFuture<Integer> spawned = new CompletableFuture<>();
    CompletableFuture<Integer> status = new CompletableFuture<>();
    AtomicBoolean waited = new AtomicBoolean();
    Thread.ofPlatform()
        .daemon()
        .name("sealed run")
        .start(
            () -> {
              try {
                Privileges.closeOnExec(3);
                int pid = Linux.spawn(line, variables, descriptors);
                spawned.complete(pid);
                int ended = Linux.await(pid);
                waited.set(true);
                status.complete(ended);
              } catch (Throwable e) { // whoever waits for the one or the other must hear of it
                spawned.completeExceptionally(e);
                status.completeExceptionally(e);
              }
            });
    try {
      return new SealedRun(network, spawned.get(), status, waited);
    } catch (ExecutionException e) {
      throw new IsolationException("cannot seal a session: " + cause(e), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IsolationException("interrupted while sealing", e);
    }
  }

  private static String cause(ExecutionException e) {
    Throwable cause = e.getCause();
    return cause == null ? e.toString() : String.valueOf(cause.getMessage());
  }

  private static List<String> namespaces() throws IsolationException {
    for (Path tool : List.of(SETPRIV, UNSHARE)) {
      if (!Files.isExecutable(tool)) {
        throw new IsolationException("cannot seal a session: no " + tool + "; install util-linux");
      }
    }
    return new ArrayList<>(
        List.of(
            UNSHARE.toString(),
            "--user",
            "--net",
            "--pid",
            "--ipc",
            "--fork",
            "--kill-child=KILL",
            "--mount",
            "--mount-proc",
            "--map-user=" + Linux.call(Linux.Call.GETUID),
            "--map-group=" + Linux.call(Linux.Call.GETGID),
            "--keep-caps",
            "--"));
  }

  /// Waits for the session's end: its exit status, or 128 + the signal that ended it.
  public int waitFor() throws InterruptedException {
    try {
      return status.get();
    } catch (ExecutionException e) {
      throw new IllegalStateException("the session's end was missed", e);
    }
  }

  /// [#waitFor()], or empty if it still runs after `limit`.
  public OptionalInt waitFor(Duration limit) throws InterruptedException {
    try {
      return OptionalInt.of(status.get(limit.toMillis(), TimeUnit.MILLISECONDS));
    } catch (TimeoutException e) {
      return OptionalInt.empty();
    } catch (ExecutionException e) {
      throw new IllegalStateException("the session's end was missed", e);
    }
  }

  public boolean isAlive() {
    return !waited.get();
  }

  /// Passes a signal (SIGTERM 15, SIGINT 2, SIGHUP 1) to the supervisor; `unshare` ignores them.
  /// PID 1 of a namespace does not get a signal before it has a handler, so this waits for that,
  /// and kills a session that is not even sealed yet: nothing runs in it.
  public void signal(int signal) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(HANDLER_TIMEOUT_SECONDS);
    while (isAlive()) {
      Optional<ProcessHandle> inner = inner();
      boolean late = System.nanoTime() > deadline;
      if (inner.isEmpty() || !InnerStatus.of(inner.get()).sealed() || late) {
        kill();
        return;
      }
      if (InnerStatus.of(inner.get()).catches(signal)) {
        send(inner.get(), signal);
        return;
      }
      try {
        TimeUnit.MILLISECONDS.sleep(HANDLER_POLL_MS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  /// The supervisor: `unshare`'s only child, PID 1 inside. While ours is not waited for, nobody
  /// else gets its number.
  private Optional<ProcessHandle> inner() {
    Optional<ProcessHandle> ours = ProcessHandle.of(child);
    return network == SealPlan.Network.GIVEN
        ? ours
        : ours.flatMap(handle -> handle.children().findFirst());
  }

  /// By pidfd (Linux 5.3), checked after it is opened; else by the handle, which knows SIGTERM
  /// only.
  private static void send(ProcessHandle inner, int signal) {
    long pidfd = Linux.call(Linux.Call.PIDFD_OPEN, inner.pid(), 0);
    if (pidfd < 0) {
      inner.destroy();
      return;
    }
    if (inner.isAlive()) { // compares the start time: the pidfd is of this process
      Linux.call(Linux.Call.PIDFD_SEND_SIGNAL, pidfd, signal, 0, 0);
    }
    Linux.call(Linux.Call.CLOSE, pidfd);
  }

  /// SIGKILL to everything: PID 1 first, so that `unshare` reports it; `unshare` if there is none.
  public void kill() {
    if (isAlive()) {
      inner().or(() -> ProcessHandle.of(child)).ifPresent(ProcessHandle::destroyForcibly);
    }
  }

  /// Kills what still runs, and waits for it.
  @Override
  public void close() {
    kill();
    status.exceptionally(_ -> 0).join();
  }
}
