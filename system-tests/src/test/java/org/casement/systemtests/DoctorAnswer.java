package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.casement.testkit.Command;
import org.casement.testkit.TestUser;

/// What `casement doctor --json` said: its exit status and its document, held against the contract.
record DoctorAnswer(int status, List<Map<String, String>> findings) {
  static final Duration LIMIT = Duration.ofMinutes(3);
  private static final int ERRORS = 1;

  static List<String> command(TestUser user, Settings settings, String... arguments) {
    Path configuration = user.write(".config/casement/casement.toml", settings.toml());
    List<String> command = new ArrayList<>(List.of(Program.launcher().toString(), "doctor"));
    command.addAll(List.of("--config", configuration.toString()));
    command.addAll(List.of(arguments));
    return command;
  }

  static Command.Outcome ask(TestUser user, List<String> command) {
    ProcessBuilder builder = user.process(command);
    builder.environment().put("JAVA_HOME", Program.javaHome().toString());
    return Command.run(builder, "", LIMIT);
  }

  static DoctorAnswer parse(Command.Outcome outcome) {
    try {
      assertThat(outcome.err()).isEmpty();
      Map<String, Object> contract =
          JSON.std.mapFrom(Files.readString(Path.of("../contracts/doctor.json")));
      Map<String, Object> document = JSON.std.mapFrom(outcome.out());
      assertThat(new ArrayList<>(document.keySet())).isEqualTo(contract.get("document"));
      assertThat(document).containsEntry("format", contract.get("format"));
      List<Object> levels = list(Objects.requireNonNull(contract.get("levels")));
      List<Object> subjects = list(Objects.requireNonNull(contract.get("subjects")));
      List<Map<String, String>> findings = new ArrayList<>();
      int worst = 0;
      int last = 0;
      for (Object each : list(Objects.requireNonNull(document.get("findings")))) {
        Map<String, String> finding = new LinkedHashMap<>();
        ((Map<?, ?>) each).forEach((key, value) -> finding.put((String) key, (String) value));
        assertThat(new ArrayList<>(finding.keySet())).isEqualTo(contract.get("finding"));
        assertThat(levels).contains(finding.get("level"));
        assertThat(subjects).contains(finding.get("subject"));
        int place = subjects.indexOf(finding.get("subject"));
        assertThat(place).isGreaterThanOrEqualTo(last);
        last = place;
        worst = Math.max(worst, levels.indexOf(finding.get("level")));
        findings.add(finding);
      }
      assertThat(document).containsEntry("level", levels.get(worst));
      assertThat(outcome.status()).isEqualTo(worst == 2 ? ERRORS : 0);
      return new DoctorAnswer(outcome.status(), findings);
    } catch (IOException e) {
      throw new UncheckedIOException(outcome.toString(), e);
    }
  }

  private static List<Object> list(Object json) {
    return new ArrayList<>((List<?>) json);
  }

  Set<String> with(String level) {
    Set<String> subjects = new TreeSet<>();
    findings.stream()
        .filter(finding -> level.equals(finding.get("level")))
        .forEach(finding -> subjects.add(finding.get("subject")));
    return subjects;
  }

  /// Exactly these are errors; the first says all of `words`, and what to do.
  void hasErrors(Set<String> subjects, String subject, String... words) {
    assertThat(status).as(toString()).isEqualTo(ERRORS);
    assertThat(with("error")).as(toString()).isEqualTo(new TreeSet<>(subjects));
    says("error", subject, words);
  }

  void says(String level, String subject, String... words) {
    Map<String, String> finding =
        findings.stream()
            .filter(each -> subject.equals(each.get("subject")) && level.equals(each.get("level")))
            .findFirst()
            .orElseThrow(() -> new AssertionError("no " + level + " " + subject + ": " + this));
    for (String word : words) {
      assertThat(finding.get("found") + "; " + finding.get("remedy")).contains(word);
    }
    assertThat(level.equals("ok") || !"".equals(finding.get("remedy"))).isTrue();
  }
}
