package org.casement.app;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import org.casement.isolation.Seal;
import org.casement.isolation.SealedRun;
import org.casement.settings.ConfigurationException;
import org.casement.settings.SettingsReading;
import org.casement.supervisor.Finding;
import org.casement.supervisor.Finding.Level;
import org.casement.supervisor.Finding.Subject;
import org.casement.supervisor.NodeExamination;
import org.casement.supervisor.SealedExamination;

/// `casement trial`: what [Doctor] starts in a seal, as a session is started, and both of their
/// ends. What is found in there comes out as lines of JSON in the runtime directory, each as soon
/// as it is known: one check that hangs does not take the others along.
final class SealedTrial {
  /// Two JVMs, smbd, and QEMU up to its control socket.
  private static final Duration LIMIT = Duration.ofSeconds(50);

  private static final String FOUND = "found";
  private static final String LOG = "trial.log";
  private static final List<Subject> SUBJECTS =
      List.of(Subject.SEAL, Subject.NFTABLES, Subject.MACHINE, Subject.FILE_SHARE);

  private SealedTrial() {}

  /// Outside.
  static List<Finding> run(
      Configuration configuration, Path runtime, List<Path> files, Map<String, String> environment)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("trial", runtime.toString()));
    files.forEach(file -> command.add(file.toString()));
    OptionalInt status;
    try (SealedRun sealed =
        SealedStart.start(configuration, command, environment, runtime.resolve(LOG))) {
      status = sealed.waitFor(LIMIT);
    }
    List<Finding> found = new ArrayList<>();
    if (Files.exists(runtime.resolve(FOUND))) {
      for (String line : Files.readAllLines(runtime.resolve(FOUND))) {
        found.add(parse(line));
      }
    }
    if (found.isEmpty()) {
      String why =
          Files.readAllLines(runtime.resolve(LOG)).stream()
              .filter(line -> !line.isBlank())
              .findFirst()
              .map(line -> line.replaceFirst("^casement: ", ""))
              .orElse(status.isPresent() ? "status " + status.getAsInt() : "no answer in time");
      found.add(
          Finding.error(Subject.SEAL, why, "see docs/security-model.md for what a seal needs"));
      found.addAll(notTried("no seal"));
      return found;
    }
    for (Subject subject : SUBJECTS) {
      if (found.stream().noneMatch(finding -> finding.subject() == subject)) {
        found.add(
            Finding.error(
                subject,
                "no answer within " + LIMIT.toSeconds() + " s",
                "look whether a file system or a program hangs"));
      }
    }
    return found;
  }

  /// What stands for the findings of a trial that could not be made.
  static List<Finding> notTried(String why) {
    return SUBJECTS.stream()
        .filter(subject -> subject != Subject.SEAL || !why.equals("no seal"))
        .map(
            subject ->
                subject == Subject.SEAL
                    ? Finding.error(subject, "cannot be made: " + why, "allow user namespaces")
                    : Finding.warning(subject, "not tried: " + why, "mend that first"))
        .toList();
  }

  private static Finding parse(String line) throws IOException {
    Map<String, Object> members = JSON.std.mapFrom(line);
    return new Finding(
        Subject.valueOf(String.valueOf(members.get("subject"))),
        Level.valueOf(String.valueOf(members.get("level"))),
        String.valueOf(members.get("found")),
        String.valueOf(members.get("remedy")));
  }

  /// Inside: the first process of the sealed namespace.
  static int main(List<String> line) {
    try {
      Path runtime = Path.of(line.getFirst());
      List<Path> files = line.stream().skip(1).map(Path::of).toList();
      SettingsReading reading = Configuration.reading(files, System.getenv());
      Configuration configuration = Configuration.read(reading, files);
      String layers = System.getenv().getOrDefault(Seal.LAYERS_VARIABLE, "");
      write(runtime, Finding.ok(Subject.SEAL, "fresh namespaces, the network has " + interfaces()));
      write(runtime, NodeExamination.nftables(layers, configuration.isolation().nftables()));
      new SealedExamination(
              configuration.supervisorSettings(runtime), InstantSource.system(), new SecureRandom())
          .run(finding -> write(runtime, finding));
      return Main.OK;
    } catch (ConfigurationException | IOException | UncheckedIOException e) {
      System.err.println("casement: " + e.getMessage());
      return Main.UNAVAILABLE;
    } catch (InterruptedException e) {
      return Main.FAILED;
    }
  }

  private static String interfaces() throws IOException {
    return String.join(
        ", ",
        Files.readAllLines(Path.of("/proc/net/dev")).stream()
            .skip(2)
            .map(line -> line.substring(0, line.indexOf(':')).strip())
            .toList());
  }

  private static void write(Path runtime, Finding finding) {
    try {
      String json =
          JSON.std.asString(
              Map.of(
                  "subject", finding.subject().name(),
                  "level", finding.level().name(),
                  "found", finding.found(),
                  "remedy", finding.remedy()));
      Files.writeString(
          runtime.resolve(FOUND),
          Objects.requireNonNull(json) + "\n",
          StandardOpenOption.CREATE,
          StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
