package org.casement.app;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.jr.ob.JSON;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.casement.supervisor.Finding;
import org.casement.supervisor.Finding.Level;
import org.casement.supervisor.Finding.Subject;
import org.junit.jupiter.api.Test;

class DoctorReportTest {
  private static final DoctorReport REPORT =
      new DoctorReport(
          List.of(
              Finding.ok(Subject.SEAL, "fresh"),
              Finding.warning(
                  Subject.ACCELERATION, "a long story of many words ".repeat(8).strip(), "wait"),
              Finding.error(
                  Subject.QEMU, "it has \"quotes\"\nand lines", "install " + "x".repeat(90))));

  @Test
  void theContractListsLevelsAndSubjectsInTheirOrder() throws Exception {
    Map<String, Object> contract =
        JSON.std.mapFrom(Files.readString(Path.of("../contracts/doctor.json")));
    assertThat(contract.get("subjects"))
        .isEqualTo(Arrays.stream(Subject.values()).map(Subject::code).toList());
    assertThat(contract.get("levels"))
        .isEqualTo(Arrays.stream(Level.values()).map(Level::code).toList());
  }

  @Test
  void theWorstFindingIsTheReports() throws Exception {
    assertThat(JSON.std.mapFrom(REPORT.json())).containsEntry("level", "error");
    assertThat(new DoctorReport(REPORT.findings().subList(0, 2)).level()).isEqualTo(Level.WARNING);
    assertThat(new DoctorReport(REPORT.findings().subList(0, 1)).level()).isEqualTo(Level.OK);
  }

  @Test
  void linesAreNarrowUnlessAWordIsLonger() {
    String text = REPORT.text(false);
    assertThat(text.lines())
        .allMatch(line -> line.length() <= 80 || !line.strip().contains(" "))
        .contains("  error    QEMU               it has \"quotes\" and lines")
        .endsWith("Sessions cannot run here; errors: 1, warnings: 1.");
    assertThat(text).doesNotContain("\u001b").contains(" ".repeat(30) + "-> wait\n");
  }

  @Test
  void coloursChangeNothingElse() {
    assertThat(REPORT.text(true)).contains("\u001b[31merror\u001b[0m ");
    assertThat(REPORT.text(true).replaceAll("\u001b\\[[0-9]+m", "")).isEqualTo(REPORT.text(false));
  }
}
