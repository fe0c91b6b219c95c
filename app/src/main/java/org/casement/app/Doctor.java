package org.casement.app;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.casement.isolation.IsolationException;
import org.casement.isolation.Listener;
import org.casement.isolation.RuntimeDirectory;
import org.casement.isolation.SealedRun;
import org.casement.settings.ConfigurationException;
import org.casement.settings.ConfigurationFiles;
import org.casement.settings.SettingsReading;
import org.casement.supervisor.Finding;
import org.casement.supervisor.Finding.Subject;
import org.casement.supervisor.ImageExamination;
import org.casement.supervisor.NodeExamination;
import org.casement.supervisor.Supervisor;
import org.casement.supervisor.SupervisorSettings;

/// Examines the node for the user who asks: all checks at once, each with a time limit, none
/// dependent on another. What needs the seal is tried in one, by [SealedTrial].
final class Doctor {
  /// What is tried by running answers within seconds; more than this is a broken node.
  private static final Duration LIMIT = Duration.ofSeconds(30);

  /// Two JVMs, smbd, and QEMU up to its control socket.
  private static final Duration SEALED_LIMIT = Duration.ofSeconds(60);

  /// More than sbatch is given, so that it is sbatch that is named where it hangs.
  private static final Duration SLURM_LIMIT = Duration.ofSeconds(60);

  /// The disk of a golden image may have many gigabytes.
  private static final Duration DIGEST_LIMIT = Duration.ofMinutes(5);

  private static final Path FALLBACK_PARENT = Path.of("/tmp");

  /// @param subject what is said to be slow
  private record Check(Subject subject, Duration limit, FutureTask<List<Finding>> task) {}

  private final List<Finding> findings = new ArrayList<>();
  private final List<Path> files;
  private final Map<String, String> environment;

  private Doctor(List<Path> files, Map<String, String> environment) {
    this.files = files;
    this.environment = environment;
  }

  /// What was found, in the order of [Subject]. Nothing is left behind.
  ///
  /// @param named the configuration of `--config`
  static List<Finding> examine(Optional<Path> named, Map<String, String> environment)
      throws IOException, InterruptedException {
    if (Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0)) {
      return List.of(
          Finding.error(
              Subject.USER,
              "you are root, who never runs a session: what is found would not hold for a user",
              "run it as a user: runuser -u USER -- casement doctor"));
    }
    List<Path> files;
    SettingsReading reading;
    Configuration configuration;
    try {
      files = ConfigurationFiles.find(named, environment);
      reading = Configuration.reading(files, environment);
      configuration = Configuration.read(reading, files);
    } catch (ConfigurationException e) {
      return List.of(unusable(e)); // nothing else is known without
    }
    Doctor doctor = new Doctor(files, environment);
    doctor.findings.addAll(reading.unknownKeys().stream().map(Doctor::unusable).toList());
    if (doctor.findings.isEmpty()) {
      List<String> names = files.reversed().stream().map(Path::toString).toList();
      doctor.findings.add(Finding.ok(Subject.CONFIGURATION, String.join(", ", names)));
    }
    doctor.examine(configuration);
    doctor.findings.sort(Comparator.comparing(Finding::subject));
    return doctor.findings;
  }

  private static Finding unusable(ConfigurationException e) {
    return Finding.error(
        Subject.CONFIGURATION,
        String.valueOf(e.getMessage()),
        "correct it; casement config lists every key");
  }

  private void examine(Configuration configuration) throws IOException, InterruptedException {
    Optional<RuntimeDirectory> made = runtime(configuration.session().runtimeParent());
    if (made.isEmpty()) {
      return; // what else there is needs one
    }
    RuntimeDirectory runtime = made.get();
    try {
      List<Check> checks = new ArrayList<>();
      SupervisorSettings settings = configuration.supervisorSettings(runtime.path());
      NodeExamination node = new NodeExamination(settings);
      ImageExamination image = new ImageExamination(settings);
      checks.add(begin(Subject.SHARES, LIMIT, node::shares));
      checks.add(begin(Subject.ACCELERATION, LIMIT, node::acceleration));
      checks.add(begin(Subject.MEMORY, LIMIT, node::memory));
      checks.add(begin(Subject.DISK_SPACE, LIMIT, node::diskSpace));
      checks.add(begin(Subject.LISTENERS, LIMIT, () -> listeners(configuration.listen())));
      checks.add(begin(Subject.SEAL, SEALED_LIMIT, () -> sealed(configuration, runtime.path())));
      checks.add(begin(Subject.CONFINEMENT, LIMIT, node::confinement));
      SlurmExamination slurm = new SlurmExamination(new Slurm(configuration.slurm().commands()));
      checks.add(begin(Subject.SLURM, SLURM_LIMIT, slurm::examine));
      checks.add(begin(Subject.QEMU, LIMIT, node::qemu));
      checks.add(begin(Subject.SAMBA, LIMIT, node::samba));
      checks.add(begin(Subject.SWTPM, LIMIT, node::swtpm));
      checks.add(begin(Subject.IMAGE, LIMIT, image::read));
      checks.add(begin(Subject.DIGEST, DIGEST_LIMIT, image::digest));
      long began = System.nanoTime();
      for (Check check : checks) {
        findings.addAll(result(check, began));
      }
    } finally {
      remove(runtime);
    }
  }

  /// What a check that was given up still writes to: the next start sweeps it.
  private static void remove(RuntimeDirectory runtime) {
    try {
      runtime.remove();
    } catch (IOException e) {
      Main.complain("cannot remove " + runtime.path() + ": " + Main.words(e));
    }
  }

  private static Check begin(Subject subject, Duration limit, Callable<List<Finding>> work) {
    FutureTask<List<Finding>> task = new FutureTask<>(work);
    Thread.ofPlatform().daemon().name(subject.code()).start(task);
    return new Check(subject, limit, task);
  }

  private static List<Finding> result(Check check, long beganNanos) throws InterruptedException {
    long left = check.limit().toNanos() - (System.nanoTime() - beganNanos);
    try {
      return check.task().get(Math.max(0, left), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      check.task().cancel(true);
      String late = "no answer within " + check.limit().toSeconds() + " s";
      if (check.subject() == Subject.DIGEST) { // no start reads it whole
        return List.of(Finding.warning(Subject.DIGEST, late, "compare it with sha256sum"));
      }
      return List.of(
          Finding.error(check.subject(), late, "look whether a file system or a program hangs"));
    } catch (ExecutionException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      return List.of(
          Finding.error(check.subject(), "cannot be examined: " + cause.getMessage(), ""));
    }
  }

  /// Where the configuration wants it, or else where the other checks can be made all the same.
  private Optional<RuntimeDirectory> runtime(Path parent) throws IOException {
    String problem;
    try {
      if (!Files.isDirectory(parent)) {
        throw new IsolationException(parent + " is not a directory on this node");
      }
      RuntimeDirectory runtime = RuntimeDirectory.create(parent);
      Optional<String> tooLong = Supervisor.problem(runtime.path());
      if (tooLong.isEmpty()) {
        String found = parent + " takes one, for you alone (0700)";
        findings.add(Finding.ok(Subject.RUNTIME_DIRECTORY, found));
        return Optional.of(runtime);
      }
      runtime.remove();
      problem = tooLong.get();
    } catch (IOException e) {
      problem = e instanceof IsolationException ? e.getMessage() : parent + ": " + Main.words(e);
    }
    findings.add(
        Finding.error(
            Subject.RUNTIME_DIRECTORY,
            String.valueOf(problem),
            "set session.runtime_parent to a directory you can write to, such as /tmp"));
    try {
      return Optional.of(RuntimeDirectory.create(FALLBACK_PARENT));
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static List<Finding> listeners(Configuration.Listen listen) {
    String range =
        "%s, ports %d-%d"
            .formatted(listen.address().getHostAddress(), listen.firstPort(), listen.lastPort());
    try {
      SealedStart.listeners(listen).forEach(Listener::close);
      return List.of(Finding.ok(Subject.LISTENERS, range + ": a session finds its ports"));
    } catch (IsolationException e) {
      return List.of(
          Finding.error(
              Subject.LISTENERS,
              String.valueOf(e.getMessage()),
              "set listen.ports to a wider range, or listen.address to one of this node"));
    }
  }

  private List<Finding> sealed(Configuration configuration, Path runtime)
      throws IOException, InterruptedException {
    Optional<String> problem = SealedRun.problem();
    List<Finding> found = new ArrayList<>(NodeExamination.userNamespaces(problem));
    found.addAll(
        problem.isPresent()
            ? SealedTrial.notTried("no user namespaces")
            : SealedTrial.run(configuration, runtime, files, environment));
    return found;
  }
}
