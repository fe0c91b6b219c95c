package org.casement.isolation;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// One helper running in its [Confinement]. The platform thread that started it lives as long as it
/// does: `--die-with-parent` follows the thread (prctl(2), PR_SET_PDEATHSIG). That thread also
/// carries what the helper inherits: a session keyring of its own, no_new_privs, Landlock.
public final class ConfinedProcess implements AutoCloseable {
  /// What may be varied.
  ///
  /// @param layers which optional layers to lay
  /// @param fileSizeBytes the largest file the helper may write (RLIMIT_FSIZE): for QEMU's overlay
  /// @param heedsTermination false for a helper that SIGTERM must not reach, nor its bwrap. A batch
  ///   system that cancels a job sends it to every process of the job at once, and the guest can be
  ///   shut down in order only while its machine runs. Some helpers unblock it again.
  public record Options(Layers layers, OptionalLong fileSizeBytes, boolean heedsTermination) {
    public static final Options DEFAULT = new Options(Layers.DEFAULT, OptionalLong.empty());

    public Options(Layers layers, OptionalLong fileSizeBytes) {
      this(layers, fileSizeBytes, true);
    }

    public Options sparedFromTermination() {
      return new Options(layers, fileSizeBytes, false);
    }
  }

  private static final long KEYCTL_JOIN_SESSION_KEYRING = 1;
  private static final long PR_SET_NO_NEW_PRIVS = 38;

  /// From exec of bwrap to its child takes 1 to 3 ms; more than this is a broken node.
  private static final long CHILD_TIMEOUT_SECONDS = 10;

  private static final Duration TRIAL_LIMIT = Duration.ofSeconds(10);

  private static final long CLOSE_LIMIT_SECONDS = 2;

  private final Process bwrap;
  private final Optional<ProcessHandle> helper;
  private final String layers;

  private ConfinedProcess(Process bwrap, Optional<ProcessHandle> helper, String layers) {
    this.bwrap = bwrap;
    this.helper = helper;
    this.layers = layers;
  }

  /// [#start(String, Path, Confinement, NetworkRules, Path, Options)] with what the node has.
  public static ConfinedProcess start(
      String name, Path bwrap, Confinement confinement, NetworkRules rules, Path log)
      throws IOException {
    return start(name, bwrap, confinement, rules, log, Options.DEFAULT);
  }

  /// Starts the helper with an empty environment, a session keyring of its own, and `rules` laid on
  /// by Landlock where this kernel has it. Standard input is /dev/null; both outputs go to `log`.
  ///
  /// @param name for the thread and for messages: `qemu`, `smbd`
  public static ConfinedProcess start(
      String name,
      Path bwrap,
      Confinement confinement,
      NetworkRules rules,
      Path log,
      Options options)
      throws IOException {
    return start(name, bwrap, confinement, rules, Redirect.appendTo(log.toFile()), options);
  }

  /// What came of a try.
  ///
  /// @param problem why helpers cannot be confined; empty if they can
  /// @param layers what held, see [#layers()]
  public record Trial(Optional<String> problem, String layers) {}

  /// Runs `true` in a confinement.
  public static Trial tryOut(Path bwrap, Layers.Use landlock) {
    Confinement nothing = Confinement.of(Path.of("/usr/bin/true")).build();
    Options options = new Options(Layers.DEFAULT.withLandlock(landlock), OptionalLong.empty());
    try (ConfinedProcess process =
        start("confinement test", bwrap, nothing, NetworkRules.NONE, Redirect.PIPE, options)) {
      ShortRun run = ShortRun.of(process.bwrap, TRIAL_LIMIT);
      return new Trial(
          run.succeeded()
              ? Optional.empty()
              : Optional.of("helpers cannot be confined: " + run.firstWords()),
          process.layers());
    } catch (IOException e) {
      return new Trial(Optional.of("helpers cannot be confined: " + e.getMessage()), "");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Trial(Optional.of("helpers cannot be confined: interrupted while trying"), "");
    }
  }

  private static ConfinedProcess start(
      String name,
      Path bwrap,
      Confinement confinement,
      NetworkRules rules,
      Redirect output,
      Options options)
      throws IOException {
    CompletableFuture<ConfinedProcess> started = new CompletableFuture<>();
    Thread.ofPlatform()
        .daemon()
        .name("confined " + name)
        .start(() -> run(name, bwrap, confinement, rules, output, options, started));
    try {
      return started.get();
    } catch (ExecutionException e) {
      throw new IsolationException("cannot start " + name + ": " + reason(e), e);
    } catch (InterruptedException e) {
      var _ = started.thenAccept(ConfinedProcess::kill);
      Thread.currentThread().interrupt();
      throw new IsolationException("interrupted while starting " + name, e);
    }
  }

  private static String reason(ExecutionException e) {
    Throwable cause = e.getCause();
    return cause == null ? e.toString() : String.valueOf(cause.getMessage());
  }

  @SuppressWarnings(
      "CatchingUnchecked") // the root of a thread: whatever happens reaches the caller
  private static void run(
      String name,
      Path bwrap,
      Confinement confinement,
      NetworkRules rules,
      Redirect output,
      Options options,
      CompletableFuture<ConfinedProcess> started) {
    try {
      String layers = restrictThread(rules, options.layers().landlock());
      List<String> line =
          new ArrayList<>(options.heedsTermination() ? List.of() : Termination.blocked());
      options
          .fileSizeBytes()
          .ifPresent(bytes -> line.addAll(List.of("/usr/bin/prlimit", "--fsize=" + bytes, "--")));
      line.addAll(confinement.commandLine(bwrap));
      ProcessBuilder builder =
          new ProcessBuilder(line)
              .redirectInput(Redirect.from(new File("/dev/null")))
              .redirectErrorStream(true)
              .redirectOutput(output);
      builder.environment().clear(); // SECURITY: /proc/1/environ inside would show ours
      Process process = builder.start();
      started.complete(new ConfinedProcess(process, child(process, name), layers));
      process.waitFor();
    } catch (Exception e) {
      started.completeExceptionally(e);
    }
  }

  /// Lays on the calling thread what its children inherit; returns what held, for a log line.
  private static String restrictThread(NetworkRules rules, Layers.Use use)
      throws IsolationException {
    // SECURITY: the old session keyring would stay readable from inside (0 = a new, anonymous one).
    long keyring = Linux.call(Linux.Call.KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, 0);
    if (keyring < 0 && keyring != -Linux.ENOSYS && keyring != -Linux.EPERM) {
      // The two tolerated ones mean that a filter forbids keyctl, to the helper as well.
      throw Linux.failure("join a new session keyring", (int) -keyring);
    }
    Linux.must("set no_new_privs", Linux.Call.PRCTL, PR_SET_NO_NEW_PRIVS, 1);
    int abi = use == Layers.Use.OFF ? 0 : Landlock.abi();
    if (abi >= Landlock.ABI_NETWORK) {
      Landlock.restrictThread(rules);
      return "landlock=net" + (abi >= Landlock.ABI_SCOPES ? "+scopes" : "") + " abi=" + abi;
    }
    if (use == Layers.Use.REQUIRED) {
      throw new IsolationException(
          "the configuration requires Landlock network rules, which this kernel lacks (Linux 6.7)");
    }
    return use == Layers.Use.OFF ? "landlock=off" : "landlock=absent";
  }

  /// bwrap's only child is the helper (`--as-pid-1`). Known from here on, so that a kill never hits
  /// bwrap between its fork and the child's own parent-death signal.
  private static Optional<ProcessHandle> child(Process process, String name)
      throws IOException, InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(CHILD_TIMEOUT_SECONDS);
    Optional<ProcessHandle> child = process.children().findFirst();
    while (child.isEmpty() && !process.waitFor(1, TimeUnit.MILLISECONDS)) {
      if (System.nanoTime() > deadline) {
        process.destroyForcibly();
        throw new IsolationException("bwrap did not start " + name + " within 10 s");
      }
      child = process.children().findFirst();
    }
    return child;
  }

  /// What held, as fields of a log line: `bwrap=on landlock=net+scopes abi=7`.
  public String layers() {
    return "bwrap=on " + layers;
  }

  public boolean isAlive() {
    return bwrap.isAlive();
  }

  /// Whether a signal has stopped the helper or a process it has started (state T in proc(5)): it
  /// does nothing until it is continued.
  public boolean isStopped() {
    return helper.stream()
        .flatMap(main -> Stream.concat(Stream.of(main), main.descendants()))
        .anyMatch(ConfinedProcess::isStopped);
  }

  private static boolean isStopped(ProcessHandle process) {
    try {
      String stat = Files.readString(Path.of("/proc/" + process.pid() + "/stat"), ISO_8859_1);
      return stat.startsWith("T", stat.lastIndexOf(')') + 2);
    } catch (IOException e) {
      return false; // it has ended
    }
  }

  /// Waits for the end: the helper's exit status, or 128 + the signal that ended it.
  public int waitFor() throws InterruptedException {
    return bwrap.waitFor();
  }

  /// [#waitFor()], or empty if it still runs after `limit`.
  public OptionalInt waitFor(Duration limit) throws InterruptedException {
    return bwrap.waitFor(limit) ? OptionalInt.of(bwrap.exitValue()) : OptionalInt.empty();
  }

  /// SIGTERM to the helper itself, not to bwrap. It is PID 1 of its namespace, so a program without
  /// a handler for SIGTERM ignores it: [#kill()] after a deadline.
  public void terminate() {
    helper.ifPresent(ProcessHandle::destroy);
  }

  /// SIGKILL, at once, to everything in the confinement: the helper is PID 1, its end is the end of
  /// all, and only then does bwrap end.
  public void kill() {
    helper.ifPresentOrElse(ProcessHandle::destroyForcibly, bwrap::destroyForcibly);
  }

  /// Kills what still runs, and waits for it.
  @Override
  public void close() {
    kill();
    boolean interrupted = false;
    while (bwrap.isAlive()) {
      try {
        // Stopped by a signal, it does not see that its child has gone.
        if (!bwrap.waitFor(CLOSE_LIMIT_SECONDS, TimeUnit.SECONDS)) {
          bwrap.destroyForcibly();
        }
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
