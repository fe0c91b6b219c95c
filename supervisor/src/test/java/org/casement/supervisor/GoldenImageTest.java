package org.casement.supervisor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.casement.protocol.rdp.RdpSecurity;
import org.casement.session.SessionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GoldenImageTest {
  private static final String MANIFEST =
      """
      {"format": 1, "name": "w", "disk": "disk.qcow2", "size": 4096, "memoryMiB": 512, "cpus": 2}
      """;

  @TempDir Path directory;

  private Path image(String manifest, byte[] disk) throws IOException {
    Files.writeString(directory.resolve("manifest.json"), manifest);
    Files.write(directory.resolve("disk.qcow2"), disk);
    return directory;
  }

  private static byte[] disk() {
    return ByteBuffer.allocate(4096).putInt(0, 0x514649fb).putLong(24, 2L << 30).array();
  }

  @Test
  void aSoundImageIsRead() throws Exception {
    GoldenImage image = GoldenImage.read(image(MANIFEST, disk()));
    assertThat(image.virtualBytes()).isEqualTo(2L << 30);
    assertThat(image.memoryMebibytes()).isEqualTo(512);
    assertThat(image.boot()).isEmpty();
    assertThat(image.profile()).isEqualTo(MachineProfile.plain());
    assertThat(image.unknownProfile()).isEmpty();
    assertThat(image.rdpSecurity()).isEqualTo(RdpSecurity.TLS);
  }

  @Test
  void memoryAndProcessorsAreTheProfilesWhereTheManifestIsSilent() throws Exception {
    String silent =
        MANIFEST.replace("\"memoryMiB\": 512, \"cpus\": 2", "\"profile\": \"windows-11\"");
    GoldenImage image = GoldenImage.read(image(silent, disk()));
    assertThat(image.profile().name()).isEqualTo("windows-11");
    assertThat(image.memoryMebibytes()).isEqualTo(8192);
    assertThat(image.cpus()).isEqualTo(4);
    GoldenImage said = GoldenImage.read(image(silent.replace("{", "{\"cpus\": 3, "), disk()));
    assertThat(said.cpus()).isEqualTo(3);
    assertThat(image.rdpSecurity()).isEqualTo(RdpSecurity.NLA);
  }

  @Test
  void theManifestSaysHowTheDesktopIsOpened() throws Exception {
    String nla = MANIFEST.replace("{", "{\"rdpSecurity\": \"nla\", ");
    assertThat(GoldenImage.read(image(nla, disk())).rdpSecurity()).isEqualTo(RdpSecurity.NLA);
    String tls = MANIFEST.replace("{", "{\"rdpSecurity\": \"tls\", ");
    assertThat(GoldenImage.read(image(tls, disk())).rdpSecurity()).isEqualTo(RdpSecurity.TLS);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          "format": 1        | "format": 2          | format is not 1
          "disk.qcow2"       | "../disk.qcow2"      | disk is not a plain file name
          "disk.qcow2"       | "a,file=/etc/passwd" | disk is not a plain file name
          "disk.qcow2"       | "other.qcow2"        | has no
          "size": 4096       | "size": 4097         | it has 4096 bytes, its manifest says 4097
          "size": 4096       | "size": "4096"       | size is not a number
          "memoryMiB": 512   | "memoryMiB": 3       | memoryMiB is not a number from 64
          "cpus": 2          | "cpus": 2, "kernel": "k" | initrd is not a string
          "cpus": 2          | "cpus": 2, "profile": "Windows 11" | profile is not a name
          "cpus": 2          | "cpus": 2, "profile": 11 | profile is not a string
          "cpus": 2          | "cpus": "2"          | cpus is not a number
          "cpus": 2          | "cpus": 2, "rdpSecurity": "rdp" | rdpSecurity is neither
          "cpus": 2          | "cpus": 2, "rdpSecurity": 1 | rdpSecurity is not a string
          "name": "w",       |                      | name is not a string
          """)
  void aWrongManifestIsNamed(String right, String wrong, String message) throws IOException {
    Path image = image(MANIFEST.replace(right, wrong == null ? "" : wrong), disk());
    assertThatThrownBy(() -> GoldenImage.read(image))
        .isInstanceOf(SessionException.class)
        .hasMessageStartingWith("the golden image")
        .hasMessageContaining(message);
  }

  @Test
  void aBrokenDiskIsNamed() throws IOException {
    byte[] magic = disk();
    magic[0] = 0;
    refused(magic, "it is no qcow2 disk");
    byte[] backed = disk();
    backed[15] = 1;
    refused(backed, "it needs another image below it");
    refused(new byte[0], "it has 0 bytes");
  }

  private void refused(byte[] disk, String message) throws IOException {
    Path image = image(MANIFEST, disk);
    assertThatThrownBy(() -> GoldenImage.read(image)).hasMessageContaining(message);
  }

  @Test
  void aManifestHasALimit() throws Exception {
    String longest = MANIFEST + " ".repeat(64 * 1024 - MANIFEST.length());
    assertThat(GoldenImage.read(image(longest, disk())).cpus()).isEqualTo(2);
    assertThatThrownBy(() -> GoldenImage.read(image(longest + " ", disk())))
        .hasMessageContaining("more than 64 KiB");
  }

  @FuzzTest
  void anyManifestIsTakenOrRefused(byte[] manifest) throws IOException {
    if (Files.notExists(directory.resolve("disk.qcow2"))) {
      image(MANIFEST, disk());
    }
    try {
      GoldenImage.of(directory, manifest);
    } catch (SessionException refused) {
      assertThat(refused).hasMessageStartingWith("the golden image");
    }
  }
}
