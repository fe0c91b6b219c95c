package org.casement.clustertests;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.casement.testkit.Command;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The plugin under AddressSanitizer and UndefinedBehaviorSanitizer, with hostile options,
/// arguments and answers (spank/test/harness.c). A compiler without the sanitizers is a failure.
final class PluginSanitizerTest {
  private static final Path SPANK = Cluster.repository().resolve("spank");
  private static final String ROUNDS = "3000";

  @TempDir Path directory;

  /// @param version as in spank/build
  private Command.Outcome run(String plugin, String version, String seed) throws IOException {
    Path source = Files.writeString(directory.resolve("iso_netns.c"), plugin);
    String harness = directory.resolve("harness").toString();
    Command.run(
            "cc",
            "-std=gnu11",
            "-g",
            "-O1",
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover=all",
            "-DSLURM_VERSION=" + version,
            "-o",
            harness,
            SPANK.resolve("test/harness.c").toString(),
            source.toString())
        .orFail();
    return Command.run(
        new ProcessBuilder(List.of(harness, seed, ROUNDS)), "", Duration.ofMinutes(2));
  }

  private static String plugin() throws IOException {
    return Files.readString(SPANK.resolve("iso_netns.c"), UTF_8);
  }

  /// Up to 24.11 Slurm shows the user what is logged; later the plugin does.
  @ParameterizedTest
  @CsvSource({"0x160500, 1", "0x1a0500, 2"})
  void nothingIsFound(String version, String seed) throws IOException {
    assertThat(run(plugin(), version, seed).orFail()).endsWith(ROUNDS + " of them by chance\n");
  }

  /// The same with a check taken out: without these a run that finds nothing would mean nothing.
  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      delimiter = ';',
      value = {
        "out of bounds for type 'int [41]'; || index >= answer->count;``",
        "out of bounds for type 'char [8192]';sizeof(answer->text) - 1;sizeof(answer->text)",
        "ended with 11 instead of 1;CMSG_LEN(DESCRIPTORS_MAX * sizeof(int));sizeof(control.room)",
        "ended with 11 instead of 1;MSG_TRUNC | MSG_CTRUNC;MSG_TRUNC",
        "ended with 11 instead of 1;strlen(agent) < sizeof(name.sun_path);1",
        "survives exec;MSG_CMSG_CLOEXEC;0",
        "leaves the task in disorder;_exit(1);return -1",
        "the command line takes '000000;strlen(argument) > 40;0",
        "stack-buffer-overflow;snprintf(request, sizeof(request), \"%s 1;sprintf(request, \"%s 1"
      })
  void whatIsTakenOutIsMissed(String found, String check, String instead) throws IOException {
    String sound = plugin();
    assertThat(sound).containsOnlyOnce(check);
    String broken = sound.replace(check, instead);
    if (found.contains("overflow")) {
      broken = broken.replace("partition %.100s", "partition %s");
    }
    Command.Outcome outcome = run(broken, "0x160500", "1");
    assertThat(outcome.status()).as(outcome.out()).isEqualTo(1);
    assertThat(outcome.err()).contains(found);
  }
}
