package org.casement.supervisor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.casement.isolation.Layers;
import org.casement.supervisor.KvmProbe.Outcome;
import org.casement.testkit.Command;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Real QEMU in its real confinement. That KVM works or not cannot be chosen here, so the guest
/// runs under TCG: what is tested is what the probe makes of each end.
@Timeout(120)
class KvmProbeTest {
  private static final Path SOURCE = Path.of("src/main/probe/kvm-probe.s");

  /// For a machine under load; only a hang takes as long.
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  @TempDir Path directory;

  @Test
  void theSectorIsWhatItsSourceSays() throws IOException {
    String object = directory.resolve("probe.o").toString();
    String linked = directory.resolve("probe.elf").toString();
    Path image = directory.resolve("probe.img");
    Command.run("as", "--64", "-o", object, SOURCE.toString()).orFail();
    Command.run("ld", "-m", "elf_x86_64", "-Ttext=0x7c00", "-o", linked, object).orFail();
    Command.run("objcopy", "-O", "binary", "-j", ".text", linked, image.toString()).orFail();
    assertThat(KvmProbe.sector()).hasSize(512).endsWith(0x55, 0xaa);
    assertThat(HexFormat.of().formatHex(KvmProbe.sector()))
        .isEqualTo(HexFormat.of().formatHex(Files.readAllBytes(image)));
  }

  @Test
  void theSectorReachesItsEnd() throws IOException {
    assertThat(probe().run("tcg", KvmProbe.sector(), PATIENCE)).isEqualTo(new Outcome.Works());
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void aGuestThatHangsIsKilledAndCounted() throws IOException {
    byte[] hanging = bootSector("fa f4 eb fd"); // cli; hlt; again
    assertThat(probe().run("tcg", hanging, Duration.ofMillis(500)))
        .isEqualTo(new Outcome.Fails("did not finish within 500 ms"));
    assertThat(directory).isEmptyDirectory();
    assertThat(ProcessHandle.current().descendants()).isEmpty();
  }

  @Test
  void anotherStatusThanTheRightOneCounts() throws IOException {
    // mov $17, %al; out %al, $0xf4
    assertThat(probe().run("tcg", bootSector("b0 11 e6 f4 f4"), PATIENCE))
        .isEqualTo(new Outcome.Fails("exit status 35"));
    // its twin: mov $16
    assertThat(probe().run("tcg", bootSector("b0 10 e6 f4 f4"), PATIENCE))
        .isEqualTo(new Outcome.Works());
  }

  @Test
  void aGuestThatResetsItselfCounts() throws IOException {
    // lidt of an empty table; int3: a triple fault
    byte[] resetting = bootSector("31 c0 8e d8 0f 01 1e 00 05 cc");
    assertThat(probe().run("tcg", resetting, PATIENCE))
        .isEqualTo(new Outcome.Fails("exit status 0"));
  }

  @Test
  void aStringMoveThatGoesWrongIsNoticed() throws IOException {
    // The second rep: its count is 511 instead of 512, so that the comparison fails.
    byte[] sector = KvmProbe.sector();
    int count = indexOf(sector, "b9 00 02 00 00 f3 a4");
    sector[count + 1] = (byte) 0xff;
    sector[count + 2] = 0x01;
    assertThat(probe().run("tcg", sector, PATIENCE)).isEqualTo(new Outcome.Fails("exit status 3"));
  }

  @Test
  void whatQemuSaysIsTheReason() throws IOException {
    assertThat(probe().run("hax", KvmProbe.sector(), PATIENCE))
        .isInstanceOfSatisfying(
            Outcome.Fails.class,
            fails -> assertThat(fails.reason()).contains("hax").endsWith("(exit status 1)"));
  }

  @Test
  void aMissingProgramIsSaidByItsName() throws IOException {
    Path missing = Path.of("/no/such/program");
    assertThat(probe(missing, Path.of("/usr/bin/bwrap")).run())
        .isInstanceOfSatisfying(
            Outcome.Fails.class, fails -> assertThat(fails.reason()).contains("/no/such/program"));
    assertThatThrownBy(probe(Path.of("/usr/bin/qemu-system-x86_64"), missing)::run)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("/no/such/program");
    assertThat(directory).isEmptyDirectory();
  }

  private KvmProbe probe() {
    return probe(Path.of("/usr/bin/qemu-system-x86_64"), Path.of("/usr/bin/bwrap"));
  }

  private KvmProbe probe(Path qemu, Path bwrap) {
    return new KvmProbe(
        bwrap,
        qemu,
        List.of(Path.of("/usr/share/qemu"), Path.of("/usr/share/seabios")),
        directory,
        Layers.Use.AUTO);
  }

  private static byte[] bootSector(String code) {
    byte[] sector = new byte[512];
    byte[] bytes = HexFormat.ofDelimiter(" ").parseHex(code);
    System.arraycopy(bytes, 0, sector, 0, bytes.length);
    sector[510] = 0x55;
    sector[511] = (byte) 0xaa;
    return sector;
  }

  private static int indexOf(byte[] sector, String code) {
    byte[] bytes = HexFormat.ofDelimiter(" ").parseHex(code);
    for (int at = 0; at + bytes.length <= sector.length; at++) {
      if (Arrays.equals(sector, at, at + bytes.length, bytes, 0, bytes.length)) {
        return at;
      }
    }
    throw new AssertionError("not in the sector: " + code);
  }
}
