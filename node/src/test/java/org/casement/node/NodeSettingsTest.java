package org.casement.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import org.casement.settings.ConfigurationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NodeSettingsTest {
  @TempDir Path directory;

  private NodeSettings read(String toml) throws ConfigurationException, IOException {
    Path file = directory.resolve("casement.toml");
    Files.writeString(file, toml);
    return NodeProgram.settings(file, true);
  }

  @Test
  void theDefaultsSealNobodyWhoDoesNotAsk() throws Exception {
    NodeSettings defaults = NodeProgram.settings(directory.resolve("none"), false);
    assertThat(defaults.policy().sealsNothing()).isTrue();
    assertThat(defaults.policy().outside()).isEqualTo(NodeSettings.Outside.JOIN);
    assertThat(defaults.listening())
        .isEqualTo(
            new NodeSettings.Listening(
                InetAddress.ofLiteral("127.0.0.1"), 21000, 21999, 20, 128, Duration.ofMinutes(1)));
    assertThat(defaults.ask()).containsExactly("/usr/bin/squeue");
  }

  @Test
  void whatIsWrittenCountsAndOtherTablesAreOtherPrograms() throws Exception {
    NodeSettings settings =
        read(
            """
            [golden]
            image = "/x"
            [node]
            sealed_accounts = ["physics"]
            steps_from_outside = "never"
            slurm_conf = "/opt/slurm.conf"
            """);
    assertThat(settings.policy().needsController()).isTrue();
    assertThat(settings.policy().reason(new JobFacts("RUNNING", "p", "physics", "", "")))
        .contains("account physics");
    assertThat(settings.policy().reason(new JobFacts("RUNNING", "physics", "", "", ""))).isEmpty();
    assertThat(settings.policy().outside()).isEqualTo(NodeSettings.Outside.NEVER);
    assertThat(settings.ask()).contains("SLURM_CONF=/opt/slurm.conf");
  }

  /// A slip must not open what was meant to be sealed.
  @Test
  void aKeyThatIsNoneStopsTheAgent() {
    assertThatThrownBy(() -> read("[node]\nsealed_partition = [\"x\"]\n"))
        .hasMessageContaining("did you mean sealed_partitions?");
    assertThatThrownBy(() -> read("[node]\nlistener_ports = \"9-3\"\n"))
        .hasMessageContaining("is a range within 1-65535");
  }

  @Test
  void aFileThatOthersCanWriteIsRefused() throws Exception {
    Path file = directory.resolve("casement.toml");
    assertThat(read("[node]\n")).isNotNull();
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-rw-r--"));
    assertThatThrownBy(() -> NodeProgram.settings(file, true))
        .hasMessageContaining("must be root's and writable by root alone");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
    Files.setAttribute(file, "unix:uid", 65534);
    assertThatThrownBy(() -> NodeProgram.settings(file, true))
        .hasMessageContaining("must be root's and writable by root alone");
    Files.setAttribute(file, "unix:uid", 0);
    assertThat(NodeProgram.settings(file, true)).isNotNull();
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
    assertThatThrownBy(() -> NodeProgram.settings(file, true))
        .hasMessageContaining(directory + " must be root's");
  }
}
