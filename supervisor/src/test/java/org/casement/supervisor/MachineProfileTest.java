package org.casement.supervisor;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.casement.isolation.ConfinedProcess;
import org.casement.isolation.Layers;
import org.casement.session.Secret;
import org.casement.supervisor.MachineProfile.Clock;
import org.casement.supervisor.MachineProfile.Firmware;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The machine that each profile makes, asked what it is: the real QEMU and swtpm, started by the
/// real code in their confinement, under TCG, with an empty disk. Nothing here reads a command
/// line.
@Timeout(300)
class MachineProfileTest {
  /// QEMU and swtpm get a network namespace of their own: 3389 of this machine may be taken.
  private static final String OWN_NETWORK =
      """
      #!/usr/bin/perl
      use Socket;
      if ($ARGV[0] ne '--help') {
        syscall(272, 0x40000000) == 0 or die "unshare: $!";      # CLONE_NEWNET
        socket(my $any, AF_INET, SOCK_DGRAM, 0) or die "socket: $!";
        my $up = pack('Z16 s x22', 'lo', 0x41);                  # UP, RUNNING
        ioctl($any, 0x8914, $up) or die "lo: $!";                # SIOCSIFFLAGS
      }
      exec '/usr/bin/bwrap', @ARGV;
      """;

  private static final Duration PATIENCE = Duration.ofSeconds(60);

  /// Five and three quarter hours from UTC, all the year.
  private static final ZoneId FAR = ZoneId.of("Asia/Kathmandu");

  private static final int MEBIBYTES = 256;

  /// PCI vendor and device of QEMU's models (QEMU docs, specs/pci-ids).
  private static final Map<String, String> PCI_IDS =
      Map.of(
          "virtio-blk-pci", "1af4:1001",
          "virtio-net-pci", "1af4:1000",
          "e1000e", "8086:10d3",
          "VGA,vgamem_mb=16", "1234:1111",
          "qemu-xhci", "1b36:000d",
          "usb-ehci", "8086:24cd");

  /// What the guest's disk begins with.
  private byte[] sector = new byte[512];

  private Path directory;
  private Path bwrap;

  @BeforeEach
  void makeDirectory() throws IOException {
    directory = Files.createTempDirectory(Path.of("/var/tmp"), "ct-");
    bwrap = directory.resolve("bwrap");
    Files.writeString(bwrap, OWN_NETWORK);
    Command.run("chmod", "755", bwrap.toString()).orFail();
  }

  @AfterEach
  void nothingIsLeft() {
    Command.run("rm", "-rf", directory.toString()).orFail();
    assertThat(ProcessHandle.current().descendants()).isEmpty();
  }

  static Stream<MachineProfile> profiles() {
    return MachineProfile.all().values().stream();
  }

  private GoldenImage image(String name) throws Exception {
    Path image = Files.createDirectory(directory.resolve("image"));
    Path disk = image.resolve("disk.qcow2");
    Path raw = directory.resolve("raw");
    Files.write(raw, sector);
    Command.run("truncate", "-s", "64M", raw.toString()).orFail();
    Command.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw.toString(), disk.toString())
        .orFail();
    Files.writeString(
        image.resolve("manifest.json"),
        """
        {"format": 1, "name": "empty", "disk": "disk.qcow2", "size": %d, "profile": "%s"}
        """
            .formatted(Files.size(disk), name));
    return GoldenImage.read(image);
  }

  private SupervisorSettings settings() {
    return new SupervisorSettings(
        directory,
        List.of(),
        directory.resolve("image"),
        new SupervisorSettings.Machine(
            Path.of("/usr/bin/qemu-system-x86_64"),
            Path.of("/usr/bin/qemu-img"),
            List.of(Path.of("/usr/share/qemu"), Path.of("/usr/share/seabios")),
            MEBIBYTES,
            0,
            1,
            true,
            "user",
            Optional.empty(),
            true),
        new SupervisorSettings.Firmware(
            Path.of("/usr/share/OVMF/OVMF_CODE_4M.ms.fd"),
            Path.of("/usr/share/OVMF/OVMF_VARS_4M.fd"),
            Path.of("/usr/share/OVMF/OVMF_VARS_4M.ms.fd"),
            Path.of("/usr/bin/swtpm")),
        new SupervisorSettings.Shares(List.of(), List.of(), Path.of("/usr/sbin/smbd")),
        new SupervisorSettings.Helpers(bwrap, Layers.Use.AUTO),
        false,
        Duration.ofMinutes(1),
        Duration.ofMinutes(1),
        FAR);
  }

  /// A running machine and a connection to its monitor.
  private final class Running implements AutoCloseable {
    private final Machine machine;
    private final ConfinedProcess qemu;
    private final SocketChannel monitor;
    private final BufferedReader answers;

    Running(String profile) throws Exception {
      machine =
          new Machine(
              directory.resolve("machine"), settings(), image(profile), InstantSource.system());
      machine.prepare();
      if (machine.profile().tpm()) {
        machine.tpm().start();
      }
      qemu = machine.start(Acceleration.TCG, new Secret("token".getBytes(UTF_8)));
      Path socket = Machine.sockets(directory).resolve("qmp");
      Await.until(
          "QEMU's monitor is there",
          PATIENCE,
          () -> Files.exists(socket) || !qemu.isAlive(),
          () -> HelperLog.tail(machine.log()));
      monitor = SocketChannel.open(UnixDomainSocketAddress.of(socket));
      answers = new BufferedReader(Channels.newReader(monitor, UTF_8));
      assertThat(answers.readLine()).contains("QMP");
      ask("qmp_capabilities", Map.of());
    }

    Object ask(String command, Map<String, ?> arguments) throws IOException {
      String line = JSON.std.asString(Map.of("execute", command, "arguments", arguments)) + "\n";
      send(line);
      while (true) {
        Map<String, Object> answer = JSON.std.mapFrom(Objects.requireNonNull(answers.readLine()));
        if (!answer.containsKey("event")) {
          assertThat(answer).as(line).containsKey("return");
          return member(answer, "return");
        }
      }
    }

    /// The next event called `name`; what else comes is passed over.
    Map<?, ?> event(String name) throws IOException {
      while (true) {
        Map<String, Object> message = JSON.std.mapFrom(Objects.requireNonNull(answers.readLine()));
        if (name.equals(message.get("event"))) {
          return (Map<?, ?>) member(message, "data");
        }
      }
    }

    void send(String line) throws IOException {
      monitor.write(ByteBuffer.wrap(line.getBytes(UTF_8)));
    }

    @SuppressWarnings("unchecked") // SAFETY: QEMU's QMP reference says which answers are lists
    List<Map<String, Object>> list(String command) throws IOException {
      return (List<Map<String, Object>>) ask(command, Map.of());
    }

    Object get(String path, String property) throws IOException {
      return ask("qom-get", Map.of("path", path, "property", property));
    }

    /// `vendor:device` of everything on the PCI buses.
    List<String> pci() throws IOException {
      List<String> ids = new ArrayList<>();
      for (Map<String, Object> bus : list("query-pci")) {
        for (Object device : (List<?>) member(bus, "devices")) {
          Map<?, ?> id = (Map<?, ?>) member((Map<?, ?>) device, "id");
          ids.add(
              "%04x:%04x"
                  .formatted((Integer) member(id, "vendor"), (Integer) member(id, "device")));
        }
      }
      return ids;
    }

    @Override
    public void close() throws IOException {
      monitor.close();
      machine.stop();
    }
  }

  private static Object member(Map<?, ?> map, String key) {
    return Objects.requireNonNull(map.get(key), key);
  }

  @ParameterizedTest
  @MethodSource("profiles")
  void theMachineIsWhatItsProfileSays(MachineProfile profile) throws Exception {
    try (Running machine = new Running(profile.name())) {
      assertFirmware(profile, machine);
      assertTpm(profile, machine);
      assertDisk(profile, machine);
      assertThat(machine.pci())
          .contains(PCI_IDS.get(profile.network()), PCI_IDS.get(profile.display()));
      assertPointer(profile, machine);
      assertProcessors(profile, machine);
      Object memory = machine.ask("query-memory-size-summary", Map.of());
      assertThat(((Map<?, ?>) memory).get("base-memory")).isEqualTo(MEBIBYTES << 20);
      assertClock(profile, machine);
      Map<String, Object> screen = machine.list("query-vnc-servers").getFirst();
      assertThat(String.valueOf(screen.get("server"))).contains("/sockets/vnc", "unix");
    }
  }

  private static void assertFirmware(MachineProfile profile, Running machine) throws IOException {
    assertThat(machine.get("/machine", "hpet")).isEqualTo(!profile.hyperV());
    List<Map<String, Object>> nodes = machine.list("query-named-block-nodes");
    if (profile.firmware() == Firmware.BIOS) {
      assertThat(nodes).noneMatch(node -> member(node, "node-name").equals("code"));
      return;
    }
    assertThat(machine.get("/machine", "pflash0")).isEqualTo("code");
    assertThat(machine.get("/machine", "pflash1")).isEqualTo("variables");
    assertThat(machine.get("/machine", "smm")).isEqualTo("on");
    for (String flash : List.of("/machine/system.flash0", "/machine/system.flash1")) {
      assertThat(machine.get(flash, "secure")).isEqualTo(true);
    }
    assertThat(nodes)
        .anyMatch(
            node -> member(node, "node-name").equals("code") && member(node, "ro").equals(true))
        .anyMatch(
            node ->
                member(node, "node-name").equals("variables") && member(node, "ro").equals(false));
  }

  private static void assertTpm(MachineProfile profile, Running machine) throws IOException {
    List<Map<String, Object>> tpms = machine.list("query-tpm");
    assertThat(tpms).hasSize(profile.tpm() ? 1 : 0);
    if (profile.tpm()) {
      assertThat(tpms.getFirst()).containsEntry("model", "tpm-crb");
      assertThat(String.valueOf(tpms.getFirst().get("options"))).contains("type=emulator");
    }
  }

  private static void assertDisk(MachineProfile profile, Running machine) throws IOException {
    Map<String, Object> disk =
        machine.list("query-block").stream()
            .filter(block -> String.valueOf(block.get("inserted")).contains("node-name=disk,"))
            .findFirst()
            .orElseThrow();
    Map<?, ?> inserted = (Map<?, ?>) Objects.requireNonNull(disk.get("inserted"));
    assertThat(inserted.get("ro")).isEqualTo(false);
    assertThat(inserted.get("detect_zeroes")).isEqualTo("unmap");
    assertThat(String.valueOf(inserted.get("cache"))).contains("no-flush=true");
    assertThat(inserted.get("backing_file_depth")).isEqualTo(1);
    String device = String.valueOf(disk.get("qdev")).replace("/virtio-backend", "");
    assertThat(machine.get(device, "type")).isEqualTo(profile.disk());
    assertThat(machine.get(device, "bootindex")).isEqualTo(1);
    assertThat(machine.get(device, "werror")).isEqualTo("stop");
    assertThat(machine.get(device, "rerror")).isEqualTo("stop");
    // The controller that every q35 has is what an AHCI disk hangs on.
    assertThat(machine.pci()).contains(PCI_IDS.getOrDefault(profile.disk(), "8086:2922"));
    assertThat(machine.list("query-named-block-nodes"))
        .anyMatch(
            node -> member(node, "node-name").equals("golden") && member(node, "ro").equals(true));
  }

  private static void assertPointer(MachineProfile profile, Running machine) throws IOException {
    List<Map<String, Object>> pointers = machine.list("query-mice");
    boolean tablet = !profile.usb().isEmpty();
    assertThat(pointers.stream().anyMatch(mouse -> member(mouse, "absolute").equals(true)))
        .isEqualTo(tablet);
    if (tablet) {
      assertThat(machine.pci()).contains(PCI_IDS.get(profile.usb()));
    }
  }

  private static void assertProcessors(MachineProfile profile, Running machine) throws IOException {
    List<Map<String, Object>> processors = machine.list("query-cpus-fast");
    assertThat(processors).hasSize(profile.cpus());
    for (Map<String, Object> processor : processors) {
      assertThat(String.valueOf(processor.get("props"))).contains("socket-id=0", "thread-id=0");
      String path = String.valueOf(processor.get("qom-path"));
      assertThat(machine.get(path, "type")).isEqualTo("Nehalem-x86_64-cpu");
      assertThat(machine.get(path, "hv-relaxed")).isEqualTo(false); // TCG has none of them
    }
  }

  private static void assertClock(MachineProfile profile, Running machine) throws IOException {
    Map<?, ?> shown = (Map<?, ?>) machine.get("/machine", "rtc-time");
    LocalDateTime clock =
        LocalDateTime.of(
            (Integer) member(shown, "tm_year") + 1900,
            (Integer) member(shown, "tm_mon") + 1,
            (Integer) member(shown, "tm_mday"),
            (Integer) member(shown, "tm_hour"),
            (Integer) member(shown, "tm_min"),
            (Integer) member(shown, "tm_sec"));
    ZoneId zone = profile.clock() == Clock.LOCALTIME ? FAR : ZoneId.of("UTC");
    assertThat(Duration.between(clock.atZone(zone).toInstant(), Instant.now()).abs())
        .isLessThan(Duration.ofMinutes(1));
  }

  /// The firmware loads the disk's first sector, and that resets the machine.
  @ParameterizedTest
  @ValueSource(strings = {"demo-linux", "windows-legacy"})
  void theBiosBootsFromTheDisk(String profile) throws Exception {
    // mov $6, %al; mov $0xcf9, %dx; out %al, %dx: the chipset's reset control
    byte[] code = HexFormat.of().parseHex("b006baf90ceef4");
    System.arraycopy(code, 0, sector, 0, code.length);
    sector[510] = 0x55;
    sector[511] = (byte) 0xaa;
    try (Running machine = new Running(profile)) {
      assertThat(machine.event("RESET").get("reason")).isEqualTo("guest-reset");
    }
  }

  /// KVM cannot be relied on here. That QEMU knows each word of the processor's description is all
  /// that can be asked.
  @Test
  void qemuKnowsEveryEnlightenment() throws Exception {
    try (Running machine = new Running("windows-legacy")) {
      List<String> line =
          MachineLine.of(
              GoldenImage.read(directory.resolve("image")),
              Acceleration.KVM,
              settings().machine(),
              LocalDateTime.now(FAR));
      String[] words = line.get(line.indexOf("-cpu") + 1).split(",", -1);
      assertThat(words[0]).isEqualTo("host");
      assertThat(words).hasSizeGreaterThan(10);
      List<?> properties =
          (List<?>) machine.ask("qom-list-properties", Map.of("typename", "max-x86_64-cpu"));
      List<String> known =
          properties.stream()
              .map(property -> String.valueOf(((Map<?, ?>) property).get("name")))
              .toList();
      for (int i = 1; i < words.length; i++) {
        assertThat(known).contains(words[i].replaceFirst("=.*", ""));
      }
    }
  }

  @Test
  void aProfileThatIsNotKnownHasADocumentedBase() throws Exception {
    assertThat(MachineProfile.baseOf("windows-12").name()).isEqualTo("windows-11");
    assertThat(MachineProfile.baseOf("plan9").name()).isEqualTo("demo-linux");
    GoldenImage image = image("windows-12");
    assertThat(image.unknownProfile()).contains("windows-12");
    assertThat(image.profile().name()).isEqualTo("windows-11");
    assertThat(image.memoryMebibytes()).isEqualTo(8192);
  }

  /// A TPM that is gone: the guest runs on, and its next reset ends QEMU.
  @Test
  void aMachineOutlivesItsTpmUntilItsNextReset() throws Exception {
    try (Running machine = new Running("demo-linux-uefi")) {
      machine.machine.tpm().stop();
      assertThat(machine.list("query-tpm")).hasSize(1);
      assertThat(machine.qemu.isAlive()).isTrue();
      machine.send("{\"execute\": \"system_reset\"}\n"); // which it does not live to answer
      assertThat(machine.qemu.waitFor(PATIENCE)).hasValue(1);
      assertThat(HelperLog.tail(machine.machine.log())).contains("tpm-emulator");
    }
  }

  @Test
  void everyStartHasAnEmptyTpmAndFreshVariables() throws Exception {
    Machine made;
    Path variables = directory.resolve("machine/variables/variables");
    try (Running machine = new Running("windows-11")) {
      made = machine.machine;
      Files.writeString(variables, "spoilt");
    }
    made.tpm().start();
    made.start(Acceleration.TCG, new Secret("token".getBytes(UTF_8)));
    assertThat(variables).hasSameBinaryContentAs(Path.of("/usr/share/OVMF/OVMF_VARS_4M.ms.fd"));
    made.stop();
    try (Stream<Path> files = Files.list(directory.resolve("machine/tpm/socket"))) {
      assertThat(files.map(file -> file.getFileName().toString()).toList())
          .doesNotContain("tpm2-00.permall");
    }
  }

  /// docs/machine-profiles.md: the columns are the profile's members in their order.
  @Test
  void theDocumentSaysWhatTheProfilesAre() throws IOException {
    String document = Files.readString(Path.of("../docs/machine-profiles.md"));
    for (MachineProfile profile : MachineProfile.all().values()) {
      Matcher row =
          Pattern.compile("(?m)^\\| `" + Pattern.quote(profile.name()) + "` \\|(.*)\\|$")
              .matcher(document);
      assertThat(row.find()).as(profile.name()).isTrue();
      List<String> cells = Stream.of(row.group(1).split("\\|", -1)).map(String::strip).toList();
      assertThat(cells)
          .containsExactly(
              switch (profile.firmware()) {
                case BIOS -> "BIOS";
                case UEFI -> "UEFI";
                case UEFI_SECURE_BOOT -> "UEFI, Secure Boot";
              },
              profile.tpm() ? "2" : "no",
              profile.hyperV() ? "yes" : "no",
              profile.disk(),
              profile.network(),
              profile.usb().isEmpty() ? "PS/2" : profile.usb(),
              profile.clock() == Clock.UTC ? "UTC" : "local",
              profile.smbMinimum().name(),
              profile.rdpSecurity().name(),
              profile.memoryMebibytes() + " MiB",
              Integer.toString(profile.cpus()));
    }
    Optional<MachineProfile> first = profiles().findFirst();
    assertThat(first).contains(MachineProfile.plain());
  }
}
