package org.casement.app;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.casement.settings.ConfigurationException;
import org.casement.settings.ConfigurationFiles;
import org.casement.settings.SettingsReading;
import org.casement.settings.SettingsSection;
import org.casement.supervisor.Share;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.tomlj.Toml;

class ConfigurationTest {
  private static final Map<String, String> ALICE = Map.of("HOME", "/home/alice", "USER", "alice");

  @TempDir private static Path directory;

  private static Path file(String name, String text) throws IOException {
    return Files.writeString(directory.resolve(name), text);
  }

  private static Configuration parse(String text) throws ConfigurationException, IOException {
    return Configuration.read(List.of(file("casement.toml", text)), ALICE);
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
            Configuration.Isolation.class,
            Configuration.SlurmUse.class)) {
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
          golden.imag = "/x"                 | 1: golden.imag is not a key of Casement's; did you mean image?
          golden.place = "/x"                | [golden] needs the key image
          golden = 3                         | 1: golden is a table: write [golden]
          machin.cpus = 2                    | 2: machin is not a key of Casement's; did you mean machine?
          machine.cpu = 2                    | 2: machine.cpu is not a key of Casement's; did you mean cpus?
          machine.walltime = "2h"            | 2: machine.walltime is not a key of Casement's; known here: user, qemu, qemu_img, qemu_files, memory_mib, cpus, overlay_limit_gib, acceleration, rdp_security, test_port
          machine.cpus = "2"                 | 2: machine.cpus is a whole number from 0 to 1024
          machine.cpus = 1025                | 2: machine.cpus is a whole number from 0 to 1024
          machine.acceleration = "fast"      | 2: machine.acceleration is one of "auto", "tcg"
          machine.rdp_security = "rdp"       | 2: machine.rdp_security is one of "auto", "tls", "nla"
          machine.user = "Administrator"     | 2: machine.user is 1 to 20 of a-z and 0-9, starting with a letter
          session.walltime = "soon"          | 2: session.walltime is a time such as "8h", "90m" or "30s", at most a year
          session.walltime = "999999d"       | 2: session.walltime is a time such as "8h", "90m" or "30s", at most a year
          shares.hidden = ["%S"]             | 2: shares.hidden lists names of files or directories, without slashes, %, * or ?
          session.home = "${SHELL}/x"        | 2: session.home knows ${HOME} and ${USER} only, not ${SHELL}
          listen.ports = "9-8"               | 2: listen.ports is a range within 1-65535, such as "20000-20999"
          listen.address = "example.org"     | 2: listen.address is an IP address of this node, such as "127.0.0.1"
          listen.web = "yes"                 | 2: listen.web is true or false
          shares.hidden = [1]                | 2: shares.hidden is a list of strings: write hidden = ["…", "…"]
          session.timezone = "+02:00"        | 2: session.timezone is an IANA name such as "Europe/Berlin"
          shares.hidden = ["a/b"]            | 2: shares.hidden lists names of files or directories, without slashes, %, * or ?
          machine.qemu_files = ["x"]         | 2: machine.qemu_files is an absolute path, not "x"
          shares.share = 1                   | 2: shares.share is a list of tables: write [[shares.share]]
          shares.share = [{path = "/x"}]     | [shares.share] needs the key name
          session.home = "/a\\u0000b"         | 2: session.home is an absolute path, not "/a\\u0000b"
          """)
  void anErrorNamesFileLineAndWhatToWrite(String line, String message) {
    String text = line.startsWith("golden") ? line : "golden.image = \"/srv/image\"\n" + line;
    assertThatThrownBy(() -> parse(text))
        .isInstanceOf(ConfigurationException.class)
        .hasMessageStartingWith(directory + "/casement.toml:")
        .hasMessageEndingWith(message);
  }

  @Test
  void brokenTomlNamesItsLine() {
    assertThatThrownBy(() -> parse("golden.image = \"/x\"\n[machine\n"))
        .isInstanceOf(ConfigurationException.class)
        .hasMessageStartingWith(directory + "/casement.toml:2: ");
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

  @Test
  void aKeyIsSaidOnce() {
    assertThatThrownBy(() -> parse("machine.cpus = 1\nmachine.cpus = 2\n"))
        .hasMessage(
            directory + "/casement.toml:2: machine.cpus previously defined at line 1, column 1");
  }

  @Test
  void theUsersFileLiesOverTheSitesKeyByKey() throws Exception {
    Path site =
        file(
            "site.toml",
            """
            golden.image = "/srv/image"
            [machine]
            cpus = 4
            memory_mib = 8192
            [[shares.share]]
            name = "home"
            path = "${HOME}"
            """);
    Path own = file("own.toml", "[machine]\ncpus = 2\n[session]\nwalltime = \"1h\"\n");
    SettingsReading reading = Configuration.reading(List.of(own, site), ALICE);
    Configuration configuration = Configuration.read(reading, List.of(own, site));
    assertThat(configuration.goldenImage()).isEqualTo(Path.of("/srv/image"));
    assertThat(configuration.machine().cpus()).isEqualTo(2);
    assertThat(configuration.machine().memoryMebibytes()).isEqualTo(8192);
    assertThat(configuration.shares().list())
        .containsExactly(new Share("home", Path.of("/home/alice")));
    assertThat(reading.effective())
        .startsWith("# from: " + site + ", " + own + "\n")
        .containsPattern("(?m)^cpus = 2 +# " + own + ":2$")
        .containsPattern("(?m)^memory_mib = 8192 +# " + site + ":4$")
        .containsPattern("(?m)^image = \"/srv/image\" +# " + site + ":1$")
        .containsPattern("(?m)^path = \"/home/alice\" +# " + site + ":7$")
        .containsPattern("(?m)^user = \"user\" +# default$");
    assertThat(parse(reading.effective())).isEqualTo(configuration);
  }

  @Test
  void aMistakeInEitherFileIsNamedWithItsFile() throws Exception {
    Path site = file("site.toml", "golden.image = \"/srv/image\"\nmachine.cpu = 4\n");
    Path own = file("own.toml", "machine.cpus = \"2\"\n");
    assertThatThrownBy(() -> Configuration.read(List.of(own, site), ALICE))
        .hasMessage(own + ":1: machine.cpus is a whole number from 0 to 1024");
    Files.writeString(own, "machine.cpus = 2\n");
    assertThatThrownBy(() -> Configuration.read(List.of(own, site), ALICE))
        .hasMessage(site + ":2: machine.cpu is not a key of Casement's; did you mean cpus?");
  }

  @Test
  void theEffectiveConfigurationNamesEveryKeyOfTheExample() throws Exception {
    List<Path> files = List.of(file("casement.toml", example()));
    SettingsReading reading = Configuration.reading(files, ALICE);
    Configuration configuration = Configuration.read(reading, files);
    assertThat(keys(reading.effective())).isEqualTo(keys(example()));
    assertThat(reading.effective()).doesNotContain("# default");
    assertThat(parse(reading.effective())).isEqualTo(configuration);
  }

  private static Set<String> keys(String toml) {
    return Toml.parse(toml).dottedKeySet();
  }

  @Test
  void theOwnFileIsWhereXdgSaysOrTheNamedOne() throws Exception {
    Path home = Files.createDirectories(directory.resolve("xdg"));
    Path own = home.resolve("casement/casement.toml");
    Files.createDirectories(own.getParent());
    Files.writeString(own, "");
    Map<String, String> environment = Map.of("XDG_CONFIG_HOME", home.toString());
    assertThat(ConfigurationFiles.find(Optional.empty(), environment)).startsWith(own);
    Path named = directory.resolve("named.toml");
    assertThat(ConfigurationFiles.find(Optional.of(named), environment))
        .startsWith(named)
        .doesNotContain(own);
  }

  @Test
  void aByteOrderMarkAndWindowsLineEndsAreNoMatter() throws Exception {
    Configuration configuration =
        parse("\ufeffgolden.image = \"/srv/image\"\r\nmachine.cpus = 3\r\n");
    assertThat(configuration.machine().cpus()).isEqualTo(3);
  }

  @Test
  void whatIsNoFileOfTextIsRefused() throws Exception {
    Path file = directory.resolve("odd.toml");
    refused(file, "is not there");
    Files.createDirectory(file);
    refused(file, "is not a file");
    Files.delete(file);
    Files.write(file, "golden.image = \"/é\"".getBytes(ISO_8859_1));
    refused(file, "is not text in UTF-8");
    Files.writeString(file, "#".repeat(256 * 1024 + 1));
    refused(file, "is larger than 262144 bytes");
    Files.writeString(file, "a = " + "[".repeat(100_000));
    refused(file, "has more than 400 opening brackets");
    // What TOML's parser has no words for: it throws.
    Files.writeString(file, "a = {b = 1, # \u0001s");
    refused(file, "is not TOML, and cannot be told where");
  }

  private static void refused(Path file, String problem) {
    assertThatThrownBy(() -> Configuration.read(List.of(file), ALICE))
        .isInstanceOf(ConfigurationException.class)
        .hasMessage(file + ": " + problem);
  }

  @FuzzTest
  void anyTextIsTakenOrRefused(byte[] text) throws ConfigurationException {
    Path file = Path.of("/fuzzed.toml");
    try {
      SettingsReading reading = Configuration.reading(List.of(file), ALICE);
      Configuration taken = configuration(file, text, reading);
      SettingsReading again = Configuration.reading(List.of(file), ALICE);
      assertThat(configuration(file, reading.effective().getBytes(UTF_8), again)).isEqualTo(taken);
      assertThat(again.unknownKeys()).isEmpty();
    } catch (ConfigurationException refused) {
      assertThat(refused).hasMessageStartingWith(file.toString());
    }
  }

  private static Configuration configuration(Path file, byte[] text, SettingsReading reading)
      throws ConfigurationException {
    var layer = new SettingsSection.Layer(Optional.of(file), ConfigurationFiles.parse(file, text));
    return Configuration.of(new SettingsSection("", List.of(layer), reading));
  }

  private static String example() throws IOException {
    try (InputStream in =
        Objects.requireNonNull(Configuration.class.getResourceAsStream("casement.toml"))) {
      return new String(in.readAllBytes(), UTF_8);
    }
  }
}
