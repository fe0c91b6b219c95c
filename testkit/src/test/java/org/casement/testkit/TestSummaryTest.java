package org.casement.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class TestSummaryTest {
  @TempDir private Path root;
  private String printed = "";

  @BeforeEach
  void aModuleWithOneTestClass() throws IOException {
    Files.createDirectories(root.resolve("system-tests"));
    allow("");
    Path sources = Files.createDirectories(root.resolve("disk/src/test/java/org/casement/disk"));
    Files.writeString(sources.resolve("OverlayTest.java"), "");
  }

  private void allow(String line) throws IOException {
    Files.writeString(root.resolve("system-tests/skips.txt"), "# why\n" + line + "\n");
  }

  private void report(String cases) throws IOException {
    report("", cases);
  }

  private void report(String suffix, String cases) throws IOException {
    Path reports = Files.createDirectories(root.resolve("disk/target/surefire-reports"));
    Files.writeString(
        reports.resolve("TEST-org.casement.disk.OverlayTest" + suffix + ".xml"),
        "<testsuite>" + cases + "</testsuite>");
  }

  private static String testCase(String name, String inside) {
    return "<testcase name='" + name + "' classname='C'>" + inside + "</testcase>";
  }

  private boolean judge() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    boolean good = TestSummary.judge(root, List.of("disk"), new PrintStream(out, true, UTF_8));
    printed = out.toString(UTF_8);
    return good;
  }

  @Test
  void aRunWherePassedIsPassedIsGood() throws IOException {
    report(testCase("isThrownAway", ""));
    assertThat(judge()).isTrue();
    assertThat(printed).isEqualTo("1 passed, 0 failed, 0 skipped\n");
  }

  @Test
  void aFurtherRunOfAClassCountsToo() throws IOException {
    report(testCase("a", ""));
    report("-trixie", testCase("a", "<failure/>") + testCase("b", ""));
    assertThat(judge()).isFalse();
    assertThat(printed)
        .isEqualTo(
            """
            failed: org.casement.disk.OverlayTest#a-trixie
            2 passed, 1 failed, 0 skipped
            """);
  }

  @Test
  void aSkippedTestFailsTheRun() throws IOException {
    report(testCase("a", "") + testCase("needsKvm", "<skipped message='no /dev/kvm'/>"));
    assertThat(judge()).isFalse();
    assertThat(printed)
        .contains("not listed", "org.casement.disk.OverlayTest#needsKvm", "no /dev/kvm");
  }

  @Test
  void aSkippedTestOnTheListDoesNotAndItsReasonIsPrintedLast() throws IOException {
    report(testCase("a", "") + testCase("needsKvm", "<skipped message='no /dev/kvm'/>"));
    allow("org.casement.disk.OverlayTest#needsKvm: CI has no KVM");
    assertThat(judge()).isTrue();
    assertThat(printed)
        .isEqualTo(
            """
            1 passed, 0 failed, 1 skipped
              skipped: org.casement.disk.OverlayTest#needsKvm: CI has no KVM
            """);
  }

  @Test
  void aSkippedClassFailsTheRun() throws IOException {
    report(testCase("", "<skipped message='not today'/>"));
    assertThat(judge()).isFalse();
    assertThat(printed).contains("org.casement.disk.OverlayTest: not today");
  }

  @Test
  void aListedTestWithoutAReasonIsRefused() throws IOException {
    report(testCase("a", ""));
    allow("org.casement.disk.OverlayTest#needsKvm");
    assertThatThrownBy(this::judge).hasMessageContaining("no reason given");
  }

  @Test
  void aTestClassThatRanNothingFailsTheRun() throws IOException {
    report("");
    assertThat(judge()).isFalse();
    assertThat(printed).contains("ran no test: org.casement.disk.OverlayTest");
  }

  @Test
  void aTestClassWithoutAReportFailsTheRun() throws IOException {
    assertThat(judge()).isFalse();
    assertThat(printed).contains("ran no test: org.casement.disk.OverlayTest");
  }

  @Test
  void aFailureAndAnErrorFailTheRun() throws IOException {
    report(testCase("a", "<failure/>") + testCase("b", "<error/>") + testCase("c", ""));
    assertThat(judge()).isFalse();
    assertThat(printed).contains("OverlayTest#a", "OverlayTest#b", "1 passed, 2 failed");
  }
}
