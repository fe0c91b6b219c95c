package org.casement.app;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.casement.supervisor.Share;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigurationTest {
  private static final Path FILE = Path.of("/x/casement.toml");
  private static final Map<String, String> ALICE = Map.of("HOME", "/home/alice", "USER", "alice");

  private static Configuration parse(String text) throws ConfigurationException {
    return Configuration.parse(FILE, text, ALICE);
  }

  @Test
  void theAnnotatedExampleSaysTheDefaults() throws Exception {
    Configuration least = parse("golden.image = \"/srv/casement/golden/demo\"");
    assertThat(parse(example())).isEqualTo(least);
    assertThat(least.session().home()).isEqualTo(Path.of("/home/alice/.local/state/casement"));
    assertThat(least.session().walltime()).isEqualTo(Duration.ofHours(8));
    assertThat(least.shares().list())
        .containsExactly(new Share("home", Path.of("/home/alice/casement")));
  }

  @Test
  void theAnnotatedExampleNamesEveryKey() throws Exception {
    // Every component of every record, in snake case, must stand in the example.
    String example = example();
    for (Class<?> section :
        List.of(
            Configuration.Session.class,
            Configuration.Machine.class,
            Configuration.Firmware.class,
            Configuration.Shares.class,
            Configuration.Isolation.class)) {
      for (var component : section.getRecordComponents()) {
        String key =
            component
                .getName()
                .replace("Mebibytes", "Mib")
                .replace("Gibibytes", "Gib")
                .replaceAll("([A-Z])", "_$1")
                .toLowerCase(Locale.ROOT);
        String pattern =
            key.equals("list") ? "(?m)^\\[\\[shares\\.share]]$" : "(?m)^" + key + " = ";
        assertThat(example).as(key).containsPattern(pattern);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          golden.image = "relative"          | 1: golden.image is an absolute path, not "relative"
          golden.imag = "/x"                 | [golden] needs the key image
          golden = 3                         | 1: golden is a table: write [golden]
          machin.cpus = 2                    | 2: machin is not a key of Casement's; did you mean machine?
          machine.cpu = 2                    | 2: machine.cpu is not a key of Casement's; did you mean cpus?
          machine.cpus = "2"                 | 2: machine.cpus is a whole number from 0 to 1024
          machine.cpus = 1025                | 2: machine.cpus is a whole number from 0 to 1024
          machine.acceleration = "fast"      | 2: machine.acceleration is one of "auto", "tcg"
          machine.rdp_security = "rdp"       | 2: machine.rdp_security is one of "auto", "tls", "nla"
          machine.user = "Administrator"     | 2: machine.user is 1 to 20 of a-z and 0-9, starting with a letter
          session.walltime = "soon"          | 2: session.walltime is a time such as "8h", "90m" or "30s"
          session.home = "${SHELL}/x"        | 2: session.home knows ${HOME} and ${USER} only, not ${SHELL}
          listen.ports = "9-8"               | 2: listen.ports is a range within 1-65535, such as "20000-20999"
          listen.address = "example.org"     | 2: listen.address is an IP address of this node, such as "127.0.0.1"
          listen.web = "yes"                 | 2: listen.web is true or false
          shares.hidden = [1]                | 2: shares.hidden is a list of strings: write hidden = ["…", "…"]
          session.timezone = "+02:00"        | 2: session.timezone is an IANA name such as "Europe/Berlin"
          shares.hidden = ["a/b"]            | 2: shares.hidden lists names of files or directories, without slashes
          machine.qemu_files = ["x"]         | 2: machine.qemu_files is an absolute path, not "x"
          shares.share = 1                   | 2: shares.share is a list of tables: write [[shares.share]]
          """)
  void anErrorNamesFileLineAndWhatToWrite(String line, String message) {
    String text = line.startsWith("golden") ? line : "golden.image = \"/srv/image\"\n" + line;
    assertThatThrownBy(() -> parse(text))
        .isInstanceOf(ConfigurationException.class)
        .hasMessageStartingWith("/x/casement.toml:")
        .hasMessageEndingWith(message);
  }

  @Test
  void brokenTomlNamesItsLine() {
    assertThatThrownBy(() -> parse("golden.image = \"/x\"\n[machine\n"))
        .isInstanceOf(ConfigurationException.class)
        .hasMessageStartingWith("/x/casement.toml:2: ");
  }

  @Test
  void severalSharesAndPlaceholders() throws Exception {
    Configuration configuration =
        parse(
            """
            golden.image = "/srv/image"
            [[shares.share]]
            name = "home"
            path = "${HOME}"
            [[shares.share]]
            name = "scratch"
            path = "/scratch/${USER}"
            """);
    assertThat(configuration.shares().list())
        .containsExactly(
            new Share("home", Path.of("/home/alice")),
            new Share("scratch", Path.of("/scratch/alice")));
  }

  private static String example() throws IOException {
    try (InputStream in =
        Objects.requireNonNull(Configuration.class.getResourceAsStream("casement.toml"))) {
      return new String(in.readAllBytes(), UTF_8);
    }
  }
}
