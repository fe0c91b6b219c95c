package org.casement.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemoryLimitTest {
  @TempDir private Path root;

  private void group(String name, String limit, String used) throws IOException {
    Path directory = Files.createDirectories(root.resolve("sys/fs/cgroup").resolve(name));
    Files.writeString(directory.resolve("memory.max"), limit + "\n");
    Files.writeString(directory.resolve("memory.current"), used + "\n");
  }

  private void member(String line) throws IOException {
    Files.createDirectories(root.resolve("proc/self"));
    Files.writeString(root.resolve("proc/self/cgroup"), line + "\n");
  }

  @Test
  void theTightestLimitOnTheWayCounts() throws IOException {
    group("system.slice/job_7", "1000", "400");
    group("system.slice/job_7/step_0", "max", "300");
    group("system.slice", "5000", "4500");
    member("0::/system.slice/job_7/step_0");
    assertThat(MemoryLimit.left(root)).hasValue(500);
    group("system.slice/job_7", "700", "800"); // over it for a moment
    assertThat(MemoryLimit.left(root)).hasValue(0);
  }

  @Test
  void withoutGroupsThereIsNoLimit() throws IOException {
    assertThat(MemoryLimit.left(root)).isEmpty();
    member("0::/");
    assertThat(MemoryLimit.left(root)).isEmpty();
    member("3:memory:/old");
    assertThat(MemoryLimit.left(root)).isEmpty();
  }
}
