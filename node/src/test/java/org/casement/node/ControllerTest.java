package org.casement.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ControllerTest {
  private static final JobFacts KNOWN = new JobFacts("RUNNING", "main", "physics", "", "");

  @TempDir Path directory;

  @Test
  void oneJob() throws IOException {
    assertThat(Controller.parse(12, "12|RUNNING|main|physics|N/A|(null)|12\n")).contains(KNOWN);
    assertThat(Controller.parse(12, "12|RUNNING|main||normal|maint|12\n"))
        .contains(new JobFacts("RUNNING", "main", "", "normal", "maint"));
    assertThat(Controller.parse(12, "")).isEmpty();
  }

  /// squeue lists all elements of an array where it is asked about the one that has its number.
  @Test
  void theFirstElementOfAnArray() throws IOException {
    assertThat(
            Controller.parse(
                12,
                "11|RUNNING|other|a|b|c|11\n12|RUNNING|main|physics|N/A|(null)|12\n13|PENDING|x|a|b|c|13\n"))
        .contains(KNOWN);
  }

  /// Lines that a user wrote into an account's name.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "12|RUNNING|main|x\n12|RUNNING|open|x|N/A|(null)|12\n|N/A|(null)|12\n",
        "12|RUNNING|main|physics|N/A|(null)|12\n12|RUNNING|open|x|N/A|(null)|12\n",
        "12|RUNNING|main|physics|N/A|(null)|13\n",
        "12|RUNNING|main|physics|N/A|(null)|12\nslurm_load_jobs error\n",
        "12|RUNNING|main|a|b|physics|N/A|(null)|12\n",
        "99999999999|RUNNING|main|physics|N/A|(null)|99999999999\n"
      })
  void whatIsNotUnderstoodIsNoAnswer(String output) {
    assertThatThrownBy(() -> Controller.parse(12, output)).isInstanceOf(IOException.class);
  }

  @Test
  void aControllerThatDoesNotAnswerIsNotOneThatKnowsNothing() throws IOException {
    Controller gone =
        new Controller(squeue("echo 'Unable to contact slurm controller' >&2; exit 1"));
    assertThatThrownBy(() -> gone.facts(12)).hasMessageContaining("Unable to contact");
    assertThatThrownBy(() -> gone.isHere(12)).isInstanceOf(IOException.class);
    Controller forgetful =
        new Controller(
            squeue("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"));
    assertThat(forgetful.facts(12)).isEmpty();
    assertThat(forgetful.isHere(12)).isFalse();
  }

  @Test
  void aJobThatIsOverIsNotHere() throws IOException {
    assertThat(state("RUNNING").isHere(12)).isTrue();
    assertThat(state("COMPLETING").isHere(12)).isTrue();
    assertThat(state("SUSPENDED").isHere(12)).isTrue();
    assertThat(state("COMPLETED").isHere(12)).isFalse();
    assertThat(state("PENDING").isHere(12)).isFalse();
  }

  private Controller state(String state) throws IOException {
    return new Controller(squeue("echo '12|" + state + "|main|a|b|c|12'"));
  }

  @Test
  void aSessionIsToldByItsKey() throws IOException {
    String key = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";
    assertThat(new Controller(squeue("echo casement:1:" + key)).isSession(12)).isTrue();
    assertThat(new Controller(squeue("echo casement:1:short")).isSession(12)).isFalse();
    assertThat(new Controller(squeue("echo '(null)'")).isSession(12)).isFalse();
  }

  /// A program in squeue's place.
  private List<String> squeue(String script) throws IOException {
    Path file = Files.createTempFile(directory, "squeue", "");
    Files.writeString(file, "#!/bin/sh\n" + script + "\n");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
    return List.of(file.toString());
  }

  @FuzzTest
  void anyAnswerIsTakenOrRefused(byte[] output) {
    try {
      Optional<JobFacts> facts = Controller.parse(12, new String(output, StandardCharsets.UTF_8));
      facts.ifPresent(known -> assertThat(known.partition()).doesNotContain("|", "\n"));
    } catch (IOException e) {
      assertThat(e).hasMessageStartingWith("squeue");
    }
  }
}
