package org.casement.isolation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.casement.isolation.ConfinedProcess.Options;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Real confinements, probed from inside by a static busybox.
@Timeout(30)
class ConfinedProcessTest {
  private static final Path BWRAP = Path.of("/usr/bin/bwrap");
  private static final Path BUSYBOX = Path.of("/usr/bin/busybox");
  private static final Options WEAK =
      new Options(Layers.DEFAULT.withLandlock(Layers.Use.OFF), OptionalLong.empty());

  @TempDir Path directory;

  @Test
  void thisNodeCanConfine() {
    assertThat(ConfinedProcess.tryOut(BWRAP, Layers.Use.AUTO).problem())
        .isEqualTo(Optional.empty());
  }

  @Test
  void aNodeWithoutBubblewrapSaysSo() {
    assertThat(
            ConfinedProcess.tryOut(Path.of("/nowhere/bwrap"), Layers.Use.AUTO)
                .problem()
                .orElseThrow())
        .contains("helpers cannot be confined")
        .contains("/nowhere/bwrap");
  }

  @Test
  void onlyTheNamedFilesExist() throws Exception {
    Path seen = Files.writeString(directory.resolve("named"), "here");
    Confinement confinement =
        busybox("ls / /usr /usr/bin; cat /named; ls /proc /home /tmp /run /etc /root /sys")
            .readOnly(seen, Path.of("/named"))
            .build();
    String output = output(confinement, NetworkRules.NONE, Options.DEFAULT);
    assertThat(output.replaceAll("\\s+", " "))
        .startsWith("/: dev lib lib64 named usr /usr: bin lib lib64 /usr/bin: busybox here");
    for (String absent : new String[] {"/proc", "/home", "/tmp", "/run", "/etc", "/root", "/sys"}) {
      assertThat(output).contains("ls: " + absent + ": No such file or directory");
    }
  }

  @Test
  void namedFilesAreReadOnlyOrWritableAsSaid() throws Exception {
    Path read = Files.createDirectory(directory.resolve("read"));
    Path write = Files.createDirectory(directory.resolve("write"));
    Confinement confinement =
        busybox("echo x >/r/f; echo x >/w/f; echo x >/f; echo x >/t/f && cat /t/f")
            .readOnly(read, Path.of("/r"))
            .writable(write, Path.of("/w"))
            .temporary(Path.of("/t"))
            .build();
    String output = output(confinement, NetworkRules.NONE, Options.DEFAULT);
    assertThat(output).contains("/r/f: Read-only", "/f: Read-only").endsWith("x\n");
    assertThat(write.resolve("f")).hasContent("x");
    assertThat(read).isEmptyDirectory();
  }

  @Test
  void noOtherProcessCanBeSignalled() throws Exception {
    Process canary = new ProcessBuilder("/usr/bin/sleep", "60").start();
    try {
      Confinement confinement = busybox("kill -9 " + canary.pid() + "; echo pid $$").build();
      assertThat(output(confinement, NetworkRules.NONE, WEAK))
          .contains("No such process")
          .contains("pid 1");
      assertThat(canary.isAlive()).isTrue();
    } finally {
      canary.destroyForcibly().waitFor();
    }
  }

  @Test
  void theEnvironmentIsEmptyButForWhatIsNamed() throws Exception {
    Confinement confinement = busybox("env").environment("NAMED", "1").build();
    assertThat(output(confinement, NetworkRules.NONE, Options.DEFAULT).lines())
        .allMatch(
            line -> line.matches("(NAMED=1|PWD=.*|SHLVL=.*|PATH=/sbin:/usr/sbin:/bin:/usr/bin)"))
        .contains("NAMED=1");
  }

  @Test
  void onlyTheNamedPortsCanBeReached() throws Exception {
    try (ServerSocket allowed = listen();
        ServerSocket other = listen()) {
      NetworkRules rules = new NetworkRules(Set.of(allowed.getLocalPort()), Set.of());
      Confinement confinement =
          busybox(connect(allowed.getLocalPort()) + "; " + connect(other.getLocalPort())).build();
      assertThat(output(confinement, rules, Options.DEFAULT))
          .contains("reached " + allowed.getLocalPort())
          .doesNotContain("reached " + other.getLocalPort());
      assertThat(output(confinement, rules, WEAK)) // the twin: the layer off
          .contains("reached " + other.getLocalPort());
    }
  }

  @Test
  void theLayersThatHeldCanBeAsked() throws Exception {
    try (ConfinedProcess process = start(busybox("sleep 60; true").build(), WEAK)) {
      assertThat(process.layers()).isEqualTo("bwrap=on landlock=off");
    }
    try (ConfinedProcess process = start(busybox("sleep 60; true").build(), Options.DEFAULT)) {
      assertThat(process.layers()).startsWith("bwrap=on landlock=").doesNotContain("off");
    }
  }

  @Test
  void sigtermReachesTheHelperItself() throws Exception {
    Path ready = directory.resolve("w").resolve("ready");
    Confinement confinement =
        busybox("trap 'exit 7' TERM; echo >/w/ready; while :; do sleep 60 & wait; done")
            .writable(Files.createDirectory(ready.getParent()), Path.of("/w"))
            .build();
    try (ConfinedProcess process = start(confinement, Options.DEFAULT)) {
      await(() -> Files.exists(ready));
      process.terminate();
      assertThat(process.waitFor()).isEqualTo(7);
    }
  }

  /// As a batch system does it: to every process there is.
  @Test
  void aHelperThatIsSparedOutlivesATerminationOfAll() throws Exception {
    for (boolean spared : new boolean[] {true, false}) {
      Options options = spared ? Options.DEFAULT.sparedFromTermination() : Options.DEFAULT;
      Path shared = Files.createTempDirectory(directory, "w");
      Confinement confinement =
          busybox("trap 'exit 7' TERM; echo >/w/ready; while :; do sleep 1; done")
              .writable(shared, Path.of("/w"))
              .build();
      try (ConfinedProcess process = start(confinement, options)) {
        await(() -> Files.exists(shared.resolve("ready")));
        ProcessHandle.current().descendants().forEach(ProcessHandle::destroy);
        assertThat(process.waitFor(Duration.ofSeconds(2)).isEmpty()).isEqualTo(spared);
      }
    }
  }

  @Test
  void aKillEndsEverythingInside() throws Exception {
    ConfinedProcess process =
        start(busybox("sleep 61 & sleep 62 & sleep 63").build(), Options.DEFAULT);
    await(() -> ProcessHandle.current().descendants().count() >= 5); // bwrap, sh, three sleeping
    process.close();
    assertThat(process.isAlive()).isFalse();
    assertThat(process.waitFor()).isEqualTo(137);
    assertThat(ProcessHandle.current().descendants()).isEmpty();
  }

  @Test
  void theStatusComesThrough() throws Exception {
    try (ConfinedProcess process = start(busybox("exit 3").build(), Options.DEFAULT)) {
      assertThat(process.waitFor()).isEqualTo(3);
      assertThat(process.waitFor(Duration.ofSeconds(20))).hasValue(3);
    }
    try (ConfinedProcess process = start(busybox("sleep 60; true").build(), Options.DEFAULT)) {
      assertThat(process.waitFor(Duration.ofMillis(1))).isEmpty();
    }
  }

  @Test
  void aFileGrowsToTheLimitAndNotOneByteFurther() throws Exception {
    Path write = Files.createDirectory(directory.resolve("w"));
    Options limited = new Options(Layers.DEFAULT, OptionalLong.of(4096));
    Confinement confinement =
        busybox("head -c 4096 /dev/zero >/w/at; head -c 4097 /dev/zero >/w/past; true")
            .writable(write, Path.of("/w"))
            .build();
    output(confinement, NetworkRules.NONE, limited);
    assertThat(write.resolve("at")).hasSize(4096);
    assertThat(write.resolve("past")).hasSize(4096);
    output(confinement, NetworkRules.NONE, Options.DEFAULT);
    assertThat(write.resolve("past")).hasSize(4097);
  }

  @Test
  void aMissingFileIsSaidByItsName() throws Exception {
    Confinement confinement = busybox("true").readOnly(Path.of("/no/such")).build();
    assertThat(output(confinement, NetworkRules.NONE, Options.DEFAULT)).contains("/no/such");
  }

  @Test
  void portsThatDoNotExistAreRefused() {
    assertThatThrownBy(() -> new NetworkRules(Set.of(65_536), Set.of()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(new NetworkRules(Set.of(65_535), Set.of(1)).connectPorts()).contains(65_535);
  }

  private static Confinement.Builder busybox(String script) {
    // Without /proc busybox does not find itself: each applet is called by the program's name.
    StringBuilder functions = new StringBuilder();
    for (String applet : new String[] {"cat", "head", "ls", "nc", "sleep"}) {
      functions
          .append(applet)
          .append("() { /usr/bin/busybox ")
          .append(applet)
          .append(" \"$@\"; }; ");
    }
    return Confinement.of(BUSYBOX).arguments("sh", "-c", functions + script);
  }

  private static String connect(int port) {
    return "nc -w 5 127.0.0.1 " + port + " </dev/null && echo reached " + port;
  }

  private static ServerSocket listen() throws IOException {
    ServerSocket server = new ServerSocket();
    server.bind(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 0));
    Thread.ofVirtual()
        .start(
            () -> {
              try {
                while (true) {
                  server.accept().close();
                }
              } catch (IOException e) {
                // closed: the test is over
              }
            });
    return server;
  }

  private ConfinedProcess start(Confinement confinement, Options options) throws IOException {
    return ConfinedProcess.start(
        "probe", BWRAP, confinement, NetworkRules.NONE, directory.resolve("log"), options);
  }

  private String output(Confinement confinement, NetworkRules rules, Options options)
      throws Exception {
    Path log = Files.createTempFile(directory, "out", "");
    try (ConfinedProcess process =
        ConfinedProcess.start("probe", BWRAP, confinement, rules, log, options)) {
      process.waitFor();
    }
    return Files.readString(log);
  }

  static void await(java.util.function.BooleanSupplier condition) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("deadline").isLessThan(deadline);
      TimeUnit.MILLISECONDS.sleep(5);
    }
  }
}
