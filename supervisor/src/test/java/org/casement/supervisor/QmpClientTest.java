package org.casement.supervisor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.casement.protocol.qmp.QmpMessage;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Against a real QEMU, which is made at the start of each test and killed at its end.
@Timeout(120)
class QmpClientTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final BlockingQueue<String> events = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> closed = new LinkedBlockingQueue<>();

  @TempDir Path directory;
  private final List<Process> started = new ArrayList<>();

  @AfterEach
  void killWhatRuns() throws InterruptedException {
    for (Process process : started) {
      process.destroyForcibly().waitFor();
    }
  }

  @Test
  void aCommandHasItsAnswer() throws Exception {
    startQemu();
    try (QmpClient qmp = connect()) {
      assertThat(qmp.execute("query-status", Map.of(), PATIENCE))
          .containsEntry("running", false)
          .containsEntry("status", "prelaunch");
      assertThat(qmp.execute("cont", Map.of(), PATIENCE)).isEmpty();
      assertThat(qmp.execute("query-status", Map.of(), PATIENCE)).containsEntry("running", true);
    }
  }

  @Test
  void eventsComeInTheirOrder() throws Exception {
    startQemu();
    try (QmpClient qmp = connect()) {
      qmp.execute("cont", Map.of(), PATIENCE);
      qmp.execute("stop", Map.of(), PATIENCE);
      qmp.execute("system_reset", Map.of(), PATIENCE);
      qmp.execute("cont", Map.of(), PATIENCE);
      assertThat(List.of(nextEvent(), nextEvent(), nextEvent(), nextEvent()))
          .containsExactly("RESUME {}", "STOP {}", "RESET guest=false", "RESUME {}");
    }
  }

  @Test
  void quittingIsAnEventAndThenTheEndOfTheConnection() throws Exception {
    Process qemu = startQemu();
    try (QmpClient qmp = connect()) {
      qmp.execute("quit", Map.of(), PATIENCE);
      assertThat(nextEvent()).isEqualTo("SHUTDOWN guest=false");
      assertThat(nextReason()).isEqualTo("QEMU closed its control socket");
      assertThat(qemu.waitFor()).isZero();
      assertThatThrownBy(() -> qmp.execute("query-status", Map.of(), PATIENCE))
          .isInstanceOf(IOException.class)
          .hasMessage("cannot execute query-status: QEMU closed its control socket");
    }
    assertThat(closed).isEmpty();
  }

  @Test
  void aQemuThatIsKilledIsTheEndOfTheConnection() throws Exception {
    Process qemu = startQemu();
    try (QmpClient _ = connect()) {
      qemu.destroyForcibly();
      assertThat(nextReason()).startsWith("QEMU");
    }
  }

  @Test
  void aRefusalNamesTheCommandAndQemusReason() throws Exception {
    startQemu();
    try (QmpClient qmp = connect()) {
      assertThatThrownBy(() -> qmp.execute("no-such-command", Map.of(), PATIENCE))
          .isInstanceOfSatisfying(
              QmpException.class, e -> assertThat(e.errorClass()).isEqualTo("CommandNotFound"))
          .hasMessage(
              "QEMU refused no-such-command: The command no-such-command has not been found");
      assertThatThrownBy(() -> qmp.execute("eject", Map.of("device", "no-such-device"), PATIENCE))
          .isInstanceOf(QmpException.class)
          .hasMessageContaining("no-such-device");
      assertThat(qmp.execute("query-status", Map.of(), PATIENCE)).isNotEmpty();
    }
  }

  @Test
  void aConnectionWaitsForQemuToListen() throws Exception {
    FutureTask<QmpClient> waiting = new FutureTask<>(this::connect);
    Thread.ofVirtual().start(waiting);
    startQemu();
    try (QmpClient qmp = waiting.get()) {
      assertThat(qmp.execute("query-status", Map.of(), PATIENCE)).isNotEmpty();
    }
  }

  @Test
  void aSocketThatNeverComesIsSaidByItsPath() {
    assertThatThrownBy(() -> connect(socket(), Duration.ofMillis(50)))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("cannot connect to QEMU's control socket " + socket())
        .hasMessageContaining("within 50 ms: No such file");
  }

  @Test
  void aSecondClientGetsNoGreetingUntilTheFirstHasLeft() throws Exception {
    startQemu();
    try (QmpClient _ = connect()) {
      assertThatThrownBy(() -> connect(socket(), Duration.ofMillis(200)))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("did not greet")
          .hasMessageContaining("another client");
    }
    try (QmpClient second = connect()) {
      assertThat(second.execute("query-status", Map.of(), PATIENCE)).isNotEmpty();
    }
    assertThat(closed).isEmpty();
  }

  @Test
  void aPathMayBeAsLongAsTheLimit() throws Exception {
    int room = QmpClient.SOCKET_PATH_LIMIT_BYTES - (directory + "/").length();
    Path longest = directory.resolve("q".repeat(room));
    startQemu(longest);
    try (QmpClient qmp = connect(longest, PATIENCE)) {
      assertThat(qmp.execute("query-status", Map.of(), PATIENCE)).isNotEmpty();
    }
    assertThatThrownBy(() -> connect(directory.resolve("q".repeat(room + 1)), PATIENCE))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("has 107 bytes")
        .hasMessageContaining("may have 106");
  }

  @Test
  void nothingIsLeftAfterTheClose() throws Exception {
    startQemu();
    connect().close(); // what the JDK opens once and keeps is open
    long before = openSockets();
    try (QmpClient _ = connect()) {
      assertThat(openSockets()).isGreaterThan(before);
    }
    assertThat(openSockets()).isEqualTo(before);
  }

  private Process startQemu() throws IOException {
    return startQemu(socket());
  }

  private Process startQemu(Path socket) throws IOException {
    Process qemu =
        new ProcessBuilder(
                "/usr/bin/qemu-system-x86_64",
                "-nodefaults",
                "-machine",
                "pc,accel=tcg",
                "-m",
                "16",
                "-S",
                "-display",
                "none",
                "-qmp",
                "unix:" + socket + ",server=on,wait=off")
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("log").toFile())
            .start();
    started.add(qemu);
    return qemu;
  }

  private Path socket() {
    return directory.resolve("qmp");
  }

  private QmpClient connect() throws IOException {
    return connect(socket(), PATIENCE);
  }

  private QmpClient connect(Path socket, Duration timeout) throws IOException {
    return QmpClient.connect(socket, timeout, this::note, closed::add);
  }

  private void note(QmpMessage.Event event) {
    Object guest = event.data().get("guest");
    events.add(event.name() + (guest == null ? " {}" : " guest=" + guest));
  }

  private String nextEvent() throws InterruptedException {
    return next(events);
  }

  private String nextReason() throws InterruptedException {
    return next(closed);
  }

  private static String next(BlockingQueue<String> queue) throws InterruptedException {
    String next = queue.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    if (next == null) {
      throw new AssertionError("nothing came within " + PATIENCE.toSeconds() + " s");
    }
    return next;
  }

  private static String target(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString();
    } catch (IOException e) {
      return ""; // the one that lists them
    }
  }

  private static long openSockets() throws IOException {
    try (var open = Files.list(Path.of("/proc/self/fd"))) {
      return open.filter(descriptor -> target(descriptor).startsWith("socket:")).count();
    }
  }
}
