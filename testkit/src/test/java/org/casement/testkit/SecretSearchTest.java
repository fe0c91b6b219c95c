package org.casement.testkit;

import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import org.casement.testkit.SecretSearch.Finding;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class SecretSearchTest {
  private static final String SECRET = "Xk29sPqLmW8vTzR4nBc7YdFg";

  private static List<String> formsFound(byte[] bytes) {
    return new SecretSearch()
        .add("password", SECRET).in("text", bytes).findings().stream().map(Finding::form).toList();
  }

  @Test
  void findsAPlantedSecretInEveryForm() {
    byte[] plain = SECRET.getBytes(UTF_8);
    byte[] wide = SECRET.getBytes(UTF_16LE);
    assertThat(formsFound(("password=" + SECRET + ";").getBytes(UTF_8))).contains("plain");
    assertThat(formsFound(wide)).contains("UTF-16LE plain");
    assertThat(formsFound(HexFormat.of().formatHex(plain).getBytes(UTF_8))).contains("hex");
    assertThat(formsFound(HexFormat.of().withUpperCase().formatHex(wide).getBytes(UTF_8)))
        .contains("UTF-16LE HEX");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a", "ab", "user:", "user01:", "longer than that:"})
  void findsItInBase64WhereverItBegins(String before) {
    String text = before + SECRET + "/tail";
    assertThat(formsFound(Base64.getEncoder().encode(text.getBytes(UTF_8))))
        .contains("base64+" + before.length() % 3);
    assertThat(formsFound(Base64.getEncoder().encode(text.getBytes(UTF_16LE))))
        .contains("UTF-16LE base64+" + 2 * before.length() % 3);
  }

  @Test
  void aTokenIsAlsoSoughtAsTheBytesItStandsFor() {
    byte[] bytes = new byte[32];
    bytes[3] = (byte) 0xfe;
    String token = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    assertThat(new SecretSearch().add("token", token).in("memory", bytes).findings())
        .extracting(Finding::form)
        .contains("decoded plain");
  }

  @Test
  void aTextWithoutTheSecretHasNoFindings() {
    assertThat(formsFound((SECRET.substring(1) + SECRET.substring(0, 23)).getBytes(UTF_8)))
        .isEmpty();
  }

  @Test
  void readsFilesThatOthersCanReadAndNoOthers(@TempDir Path directory) throws IOException {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    Path open = Files.writeString(directory.resolve("open"), "x".repeat(3 << 20) + SECRET);
    Path closed = Files.writeString(directory.resolve("closed"), SECRET);
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rw-r--r--"));
    Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rw-r-----"));
    Path cellar = Files.createDirectory(directory.resolve("cellar"));
    Path below = Files.writeString(cellar.resolve("below"), SECRET);
    Files.setPosixFilePermissions(below, PosixFilePermissions.fromString("rw-r--r--"));
    Files.setPosixFilePermissions(cellar, PosixFilePermissions.fromString("rwx------"));

    assertThat(new SecretSearch().add("password", SECRET).inFilesOpenToOthers(directory).findings())
        .containsExactly(new Finding("password", "plain", open.toString()));
    assertThat(new SecretSearch().add("password", SECRET).inFiles(directory).findings())
        .extracting(Finding::place)
        .containsExactlyInAnyOrder(open.toString(), closed.toString(), below.toString());
  }

  @Test
  void findsASecretThatStandsAcrossTwoReads(@TempDir Path directory) throws IOException {
    for (int shift = 0; shift < SECRET.length(); shift++) {
      Path file =
          Files.writeString(directory.resolve("big"), "x".repeat((1 << 20) - shift) + SECRET);
      assertThat(new SecretSearch().add("password", SECRET).inFiles(file).findings())
          .as("shift %d", shift)
          .hasSize(1);
    }
  }

  @Test
  void readsArgumentsAndEnvironmentsOfProcesses() throws IOException {
    ProcessBuilder builder = new ProcessBuilder("/usr/bin/cat", "-", "/dev/null/" + SECRET);
    builder.environment().put("LEAK", "user:" + SECRET);
    Process process = builder.redirectErrorStream(true).start();
    try {
      Await.until(
          "the new process is cat",
          Duration.ofSeconds(10),
          () ->
              ProcessEntry.read(Math.toIntExact(process.pid()))
                  .filter(entry -> entry.name().equals("cat"))
                  .isPresent());
      String who = " of " + process.pid() + " cat";
      assertThat(new SecretSearch().add("password", SECRET).inProcesses().findings())
          .extracting(Finding::place)
          .containsExactlyInAnyOrder("argv" + who, "environment" + who);
    } finally {
      process.destroyForcibly();
    }
  }
}
