package org.casement.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.casement.node.TaskRequest.Listeners;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class JobStoreTest {
  private static final JobRecord MADE =
      JobRecord.made("net:[4026532177]", 4294967291L)
          .with(new Listeners(1, 0), List.of(21000), true);

  @TempDir Path directory;
  private JobStore store;

  @BeforeEach
  void open() throws IOException {
    store = new JobStore(directory);
  }

  private Path record(int job) {
    return directory.resolve("sealed/" + job);
  }

  @Test
  void whatIsWrittenIsFoundUntilItIsRemoved() throws IOException {
    assertThat(store.find(7)).isEmpty();
    for (JobRecord known : List.of(JobRecord.UNMADE, MADE, JobRecord.UNMADE, MADE)) {
      store.write(7, known);
      assertThat(new JobStore(directory).find(7)).contains(known);
    }
    assertThat(store.jobs()).containsExactly(7L);
    store.remove(7);
    assertThat(store.find(7)).isEmpty();
    assertThat(store.jobs()).isEmpty();
    try (var left = Files.list(directory.resolve("sealed"))) {
      assertThat(left).isEmpty();
    }
  }

  /// No page of memory for each.
  @Test
  void aRecordTakesNoBlock() throws IOException {
    store.write(7, MADE);
    assertThat(Files.getAttribute(record(7), "size", java.nio.file.LinkOption.NOFOLLOW_LINKS))
        .isEqualTo((long) MADE.text().length());
    assertThat(Files.isSymbolicLink(record(7))).isTrue();
  }

  @Test
  void whatAnAgentLeftThatWasKilledWhileItWroteIsNoHindrance() throws IOException {
    Files.writeString(directory.resolve("sealed/.7"), "net:[40265");
    store.write(7, MADE);
    assertThat(store.find(7)).contains(MADE);
  }

  /// Root may make one by hand; an earlier agent wrote files.
  @Test
  void filesAreReadToo() throws IOException {
    Files.createFile(record(7));
    assertThat(store.find(7)).contains(JobRecord.UNMADE);
    Files.writeString(record(8), MADE.text());
    assertThat(store.find(8)).contains(MADE);
    Files.writeString(record(9), "nonsense");
    assertThatThrownBy(() -> store.find(9)).hasMessageContaining("is damaged");
    Files.createSymbolicLink(record(10), Path.of("nonsense"));
    assertThatThrownBy(() -> store.find(10)).hasMessageContaining("is damaged");
  }
}
