package org.casement.app;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/// Which command lines go without the command line library; it knows all the others.
class RunCommandTest {
  private static boolean isPlain(String... arguments) {
    return RunCommand.plain(List.of(arguments)).isPresent();
  }

  @Test
  void whatScriptsWriteIsPlain() {
    assertThat(isPlain()).isTrue();
    assertThat(isPlain("--config", "/etc/casement.toml")).isTrue();
    assertThat(isPlain("--time", "2h", "--config", "a b")).isTrue();
  }

  @Test
  void everythingElseIsTheLibrarys() {
    assertThat(isPlain("--help")).isFalse();
    assertThat(isPlain("--config")).isFalse();
    assertThat(isPlain("--config=/etc/casement.toml")).isFalse();
    assertThat(isPlain("--config", "--time")).isFalse();
    assertThat(isPlain("--config", "a", "--config", "b")).isFalse();
    assertThat(isPlain("--config", "a\0b")).isFalse();
    assertThat(isPlain("--time", "soon")).isFalse();
    assertThat(isPlain("--tim", "2h")).isFalse();
    assertThat(isPlain("now", "--time", "2h")).isFalse();
    assertThat(isPlain("now", "then")).isFalse();
  }
}
