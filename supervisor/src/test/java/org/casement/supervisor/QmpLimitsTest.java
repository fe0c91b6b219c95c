package org.casement.supervisor;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.casement.protocol.qmp.QmpMessage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What a QEMU that a guest has taken over may try.
@Timeout(120)
class QmpLimitsTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final Duration SHORT = Duration.ofMillis(100);

  private final BlockingQueue<QmpMessage.Event> events = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> closed = new LinkedBlockingQueue<>();

  @TempDir Path directory;

  @Test
  void whatIsNoGreetingIsRefused() throws Exception {
    for (String first : new String[] {"220 mail ready", "{\"return\":{},\"id\":0}"}) {
      try (var _ = new ScriptedQemu(directory.resolve("q"), client -> client.say(first))) {
        assertThatThrownBy(this::connect)
            .isInstanceOf(IOException.class)
            .hasMessageStartingWith("QEMU broke the protocol: QMP: ");
      }
      Files.delete(directory.resolve("q"));
    }
    assertThat(closed).isEmpty();
  }

  @Test
  void hangingUpBeforeTheGreetingIsSaidAtOnce() throws Exception {
    try (var _ = new ScriptedQemu(directory.resolve("q"), _ -> {})) {
      assertThatThrownBy(this::connect).hasMessage("QEMU closed its control socket");
    }
  }

  @Test
  void silenceInPlaceOfAGreetingHasItsTimeLimit() throws Exception {
    try (var _ = new ScriptedQemu(directory.resolve("q"), ScriptedQemu.Client::ignore)) {
      assertThatThrownBy(() -> connect(SHORT, events::add))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("did not greet")
          .hasMessageContaining("within 100 ms");
    }
    assertThat(closed).isEmpty();
  }

  @Test
  void anAnswerThatIsLateHarmsNothing() throws Exception {
    ScriptedQemu.Script late =
        client -> {
          client.greet();
          client.hear();
          client.hear();
          client.answer(1);
          client.answer(2);
          client.ignore();
        };
    try (var _ = new ScriptedQemu(directory.resolve("q"), late);
        QmpClient qmp = connect()) {
      assertThatThrownBy(() -> qmp.execute("query-status", Map.of(), SHORT))
          .isInstanceOf(IOException.class)
          .hasMessage("QEMU did not answer query-status within 100 ms");
      assertThat(qmp.execute("cont", Map.of(), PATIENCE)).isEmpty();
    }
    assertThat(closed).isEmpty();
  }

  @Test
  void anAnswerThatNobodyAskedForClosesTheConnection() throws Exception {
    ScriptedQemu.Script twice =
        client -> {
          client.greet();
          client.hear();
          client.answer(1);
          client.answer(1);
          client.ignore();
        };
    try (var _ = new ScriptedQemu(directory.resolve("q"), twice);
        QmpClient qmp = connect()) {
      assertThat(qmp.execute("cont", Map.of(), PATIENCE)).isEmpty();
      assertThat(reason()).contains("an answer that nobody asked for");
    }
  }

  @Test
  void anAnswerOfAnotherKindIsRefused() throws Exception {
    ScriptedQemu.Script list =
        client -> {
          client.greet();
          client.hear();
          client.say("{\"return\":[],\"id\":1}");
          client.ignore();
        };
    try (var _ = new ScriptedQemu(directory.resolve("q"), list);
        QmpClient qmp = connect()) {
      assertThatThrownBy(() -> qmp.execute("query-block", Map.of(), PATIENCE))
          .isInstanceOf(IOException.class)
          .hasMessage("QEMU's answer to query-block is not a map");
    }
  }

  @Test
  void garbageFailsWhoeverWaits() throws Exception {
    ScriptedQemu.Script garbage =
        client -> {
          client.greet();
          client.hear();
          client.say("\u0000\u0001garbage");
          client.ignore();
        };
    try (var _ = new ScriptedQemu(directory.resolve("q"), garbage);
        QmpClient qmp = connect()) {
      assertThatThrownBy(() -> qmp.execute("cont", Map.of(), PATIENCE))
          .isInstanceOf(IOException.class)
          .hasMessageStartingWith("QEMU broke the protocol");
      assertThat(reason()).startsWith("QEMU broke the protocol");
      assertThatThrownBy(() -> qmp.execute("cont", Map.of(), PATIENCE))
          .hasMessageStartingWith("cannot execute cont: QEMU broke the protocol");
    }
    assertThat(closed).isEmpty();
  }

  @Test
  void asManyEventsAsTheLimitAreTaken() throws Exception {
    try (var _ = new ScriptedQemu(directory.resolve("q"), events(QmpClient.EVENT_LIMIT));
        QmpClient qmp = connect()) {
      qmp.execute("cont", Map.of(), PATIENCE); // answered after them
      assertThat(events).hasSize(QmpClient.EVENT_LIMIT);
    }
    assertThat(closed).isEmpty();
  }

  @Test
  void oneEventMoreClosesTheConnection() throws Exception {
    try (var _ = new ScriptedQemu(directory.resolve("q"), events(QmpClient.EVENT_LIMIT + 1));
        QmpClient qmp = connect()) {
      failsFor(qmp, "more than 1000 events");
      assertThat(reason()).contains("more than 1000 events").endsWith("within 10 s");
      assertThat(events).hasSize(QmpClient.EVENT_LIMIT);
    }
  }

  @Test
  void eventsMayBeAsLongAsTheLimitTogether() throws Exception {
    int half = QmpClient.EVENT_LIMIT_BYTES / 2 - ScriptedQemu.event("").length();
    try (var _ = new ScriptedQemu(directory.resolve("q"), twoEvents(half, half));
        QmpClient qmp = connect()) {
      qmp.execute("cont", Map.of(), PATIENCE);
      assertThat(events).hasSize(2);
    }
    Files.delete(directory.resolve("q"));
    try (var _ = new ScriptedQemu(directory.resolve("q"), twoEvents(half, half + 1));
        QmpClient qmp = connect()) {
      failsFor(qmp, "1048576 bytes of them");
      assertThat(reason()).contains("1048576 bytes of them");
    }
  }

  @Test
  void aLineWithoutEndClosesTheConnection() throws Exception {
    ScriptedQemu.Script endless =
        client -> {
          client.greet();
          client.hear();
          byte[] some = "x".repeat(4096).getBytes(UTF_8);
          while (true) {
            client.out().write(some);
          }
        };
    try (var _ = new ScriptedQemu(directory.resolve("q"), endless);
        QmpClient qmp = connect()) {
      failsFor(qmp, "a line of more than");
      assertThat(reason()).contains("a line of more than 1048576 bytes");
    }
  }

  @Test
  void commandsWithoutAnswerAreLimited() throws Exception {
    CountDownLatch full = new CountDownLatch(1);
    ScriptedQemu.Script slow =
        client -> {
          client.greet();
          for (int i = 0; i < QmpClient.PENDING_LIMIT; i++) {
            client.hear();
          }
          await(full);
          for (int id = 1; id <= QmpClient.PENDING_LIMIT; id++) {
            client.answer(id);
          }
          client.event("all are answered");
          client.hear();
          client.answer(QmpClient.PENDING_LIMIT + 2); // one was refused in between
          client.ignore();
        };
    try (var _ = new ScriptedQemu(directory.resolve("q"), slow);
        QmpClient qmp = connect()) {
      for (int i = 0; i < QmpClient.PENDING_LIMIT; i++) {
        assertThatThrownBy(() -> qmp.execute("cont", Map.of(), Duration.ofMillis(1)))
            .hasMessageContaining("did not answer");
      }
      assertThatThrownBy(() -> qmp.execute("cont", Map.of(), PATIENCE))
          .hasMessage("cannot execute cont: QEMU has not answered the last 32 commands");
      full.countDown();
      assertThat(events.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isNotNull();
      assertThat(qmp.execute("cont", Map.of(), PATIENCE)).isEmpty();
    }
  }

  @Test
  void aQemuThatDoesNotReadDoesNotHoldUsUp() throws Exception {
    CountDownLatch over = new CountDownLatch(1);
    ScriptedQemu.Script deaf =
        client -> {
          client.greet();
          await(over);
        };
    // More than a socket holds.
    Map<String, Object> much = Map.of("text", "x".repeat(4 << 20));
    try (var _ = new ScriptedQemu(directory.resolve("q"), deaf)) {
      try (QmpClient qmp = connect()) {
        assertThatThrownBy(() -> qmp.execute("human-monitor-command", much, SHORT))
            .hasMessageContaining("did not answer");
        assertThatThrownBy(() -> qmp.execute("cont", Map.of(), SHORT))
            .hasMessageContaining("did not answer");
      }
      over.countDown();
    }
  }

  @Test
  void anInterruptEndsTheWaitAndNotTheConnection() throws Exception {
    CountDownLatch heard = new CountDownLatch(1);
    ScriptedQemu.Script slow =
        client -> {
          client.greet();
          client.hear();
          heard.countDown();
          client.hear();
          client.answer(2);
          client.ignore();
        };
    try (var _ = new ScriptedQemu(directory.resolve("q"), slow);
        QmpClient qmp = connect()) {
      FutureTask<Boolean> interrupted =
          new FutureTask<>(
              () -> {
                assertThatThrownBy(() -> qmp.execute("stop", Map.of(), PATIENCE))
                    .isInstanceOf(InterruptedIOException.class);
                return Thread.currentThread().isInterrupted();
              });
      Thread caller = Thread.ofVirtual().start(interrupted);
      heard.await();
      caller.interrupt();
      assertThat(interrupted.get()).isTrue();
      assertThat(qmp.execute("cont", Map.of(), PATIENCE)).isEmpty();
    }
    assertThat(closed).isEmpty();
  }

  @Test
  void aConsumerOfEventsMayCloseButNotWait() throws Exception {
    CountDownLatch tried = new CountDownLatch(1);
    ScriptedQemu.Script script =
        client -> {
          client.greet();
          client.hear();
          client.answer(1);
          client.event("first");
          client.event("second");
          client.ignore();
        };
    BlockingQueue<QmpClient> own = new LinkedBlockingQueue<>();
    Consumer<QmpMessage.Event> closing =
        event -> {
          events.add(event);
          QmpClient qmp = own.element();
          assertThatThrownBy(() -> qmp.execute("cont", Map.of(), PATIENCE))
              .isInstanceOf(IllegalStateException.class);
          qmp.close();
          tried.countDown();
        };
    try (var _ = new ScriptedQemu(directory.resolve("q"), script);
        QmpClient qmp = connect(PATIENCE, closing)) {
      own.add(qmp);
      qmp.execute("cont", Map.of(), PATIENCE);
      assertThat(tried.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
    }
    assertThat(events).hasSize(1); // none after the close
    assertThat(closed).isEmpty();
  }

  @Test
  void aConsumerThatThrowsIsTheEndOfTheConnection() throws Exception {
    Consumer<QmpMessage.Event> broken =
        _ -> {
          throw new IllegalStateException("thrown by a test");
        };
    try (var _ = new ScriptedQemu(directory.resolve("q"), events(1));
        QmpClient qmp = connect(PATIENCE, broken)) {
      failsFor(qmp, "our own fault");
      assertThat(reason()).isEqualTo("our own fault while reading from QEMU");
    }
  }

  private static void failsFor(QmpClient qmp, String reason) {
    assertThatThrownBy(() -> qmp.execute("cont", Map.of(), PATIENCE))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(reason);
  }

  private static ScriptedQemu.Script events(int count) {
    return client -> {
      client.greet();
      client.hear(); // only now has connect() returned for sure
      for (int i = 0; i < count; i++) {
        client.event("");
      }
      client.answer(1);
      client.ignore();
    };
  }

  private static ScriptedQemu.Script twoEvents(int first, int second) {
    return client -> {
      client.greet();
      client.hear();
      client.event("x".repeat(first));
      client.event("x".repeat(second));
      client.answer(1);
      client.ignore();
    };
  }

  private static void await(CountDownLatch latch) throws IOException {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new InterruptedIOException();
    }
  }

  private QmpClient connect() throws IOException {
    return connect(PATIENCE, events::add);
  }

  private QmpClient connect(Duration timeout, Consumer<QmpMessage.Event> consumer)
      throws IOException {
    return QmpClient.connect(directory.resolve("q"), timeout, consumer, closed::add);
  }

  private String reason() throws InterruptedException {
    String reason = closed.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    if (reason == null) {
      throw new AssertionError("not closed within " + PATIENCE.toSeconds() + " s");
    }
    return reason;
  }
}
