package org.casement.supervisor;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.qmp.QmpCommand;
import org.casement.protocol.qmp.QmpLines;
import org.casement.protocol.qmp.QmpMessage;

/// The one connection to QEMU's control socket. QEMU takes one client; a second one waits for its
/// greeting until the first has left.
///
/// Two virtual threads: one reads, hands events on in QEMU's order and answers to whoever waits;
/// one writes, so that neither a QEMU that does not read nor an interrupt (which closes a channel)
/// does harm to a caller's thread. [#execute] may be called from any thread but the reader's.
///
/// SECURITY: a guest that has broken into QEMU is the peer. It can lie; it cannot make us hold more
/// than a line and [#PENDING_LIMIT] commands, wait longer than a timeout, or flood the supervisor
/// with events. What breaks the protocol or a limit closes the connection.
final class QmpClient implements AutoCloseable {
  /// sun_path has 108 bytes, of which the kernel and QEMU allow 107 (unix(7)) and the JDK 106.
  static final int SOCKET_PATH_LIMIT_BYTES = 106;

  /// Commands that QEMU has not answered yet, those included that nobody waits for any more.
  static final int PENDING_LIMIT = 32;

  /// Events in one [#EVENT_WINDOW]. A disk that fills up brings one for each request in flight,
  /// some hundreds at most; QEMU itself slows down those that a guest brings about at will.
  static final int EVENT_LIMIT = 1000;

  /// The events of one window together, in bytes; each has some 200.
  static final int EVENT_LIMIT_BYTES = 1 << 20;

  static final Duration EVENT_WINDOW = Duration.ofSeconds(10);

  /// Between two attempts to connect: QEMU listens some 20 ms after its start.
  private static final Duration CONNECT_PAUSE = Duration.ofMillis(10);

  private static final int BUFFER_BYTES = 16 * 1024;

  /// `Opening → Open → Closed`, or `Opening → Closed`; only one thread closes. Nothing can be
  /// executed once it is closed.
  private sealed interface State {
    record Opening() implements State {}

    record Open() implements State {}

    record Closed(String reason) implements State {}
  }

  private record Pending(String command, CompletableFuture<QmpMessage> answer) {}

  private final Path socket;
  private final SocketChannel channel;
  private final Consumer<QmpMessage.Event> events;
  private final Consumer<String> closed;

  private final CompletableFuture<QmpMessage.Greeting> greeting = new CompletableFuture<>();
  private final Map<Long, Pending> pending = new ConcurrentHashMap<>();
  private final BlockingQueue<byte[]> unwritten = new ArrayBlockingQueue<>(PENDING_LIMIT);
  private final AtomicLong nextId = new AtomicLong();

  private final AtomicReference<State> state = new AtomicReference<>(new State.Opening());

  private final Thread reader = Thread.ofVirtual().name("qmp reader").unstarted(this::read);
  private final Thread writer = Thread.ofVirtual().name("qmp writer").unstarted(this::write);

  // Only the reader's.
  private int eventsInWindow;
  private int eventBytesInWindow;
  private long windowStart;

  private QmpClient(
      Path socket,
      SocketChannel channel,
      Consumer<QmpMessage.Event> events,
      Consumer<String> closed) {
    this.socket = socket;
    this.channel = channel;
    this.events = events;
    this.closed = closed;
  }

  /// Waits for QEMU to listen on `socket`, to greet, and to take commands.
  ///
  /// @param timeout for all of it
  /// @param events told each event on the reader's thread; returns at once
  /// @param closed told once, as the last thing and on the reader's thread, why QEMU is out of
  ///   reach; neither after [#close] nor where this method throws
  static QmpClient connect(
      Path socket, Duration timeout, Consumer<QmpMessage.Event> events, Consumer<String> closed)
      throws IOException {
    int length = socket.toString().getBytes(StandardCharsets.UTF_8).length;
    if (length > SOCKET_PATH_LIMIT_BYTES) {
      throw new IOException(
          "the path of QEMU's control socket has %d bytes, a unix socket's may have %d; choose a shorter directory than %s"
              .formatted(length, SOCKET_PATH_LIMIT_BYTES, socket.getParent()));
    }
    long deadline = System.nanoTime() + timeout.toNanos();
    SocketChannel channel = dial(socket, deadline, timeout);
    QmpClient client = new QmpClient(socket, channel, events, closed);
    client.reader.start();
    client.writer.start();
    try {
      client.greeted(deadline, timeout);
      client.execute("qmp_capabilities", Map.of(), remaining(deadline));
      client.opened();
      return client;
    } catch (IOException e) {
      client.close();
      throw e;
    }
  }

  private static SocketChannel dial(Path socket, long deadline, Duration timeout)
      throws IOException {
    IOException last = new IOException("its listening queue is full");
    do {
      SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
      try {
        channel.configureBlocking(false); // a blocking connect waits where the queue is full
        if (channel.connect(UnixDomainSocketAddress.of(socket))) {
          channel.configureBlocking(true);
          return channel;
        }
      } catch (IOException e) {
        last = e; // not there yet, or nobody listens yet
      }
      channel.close();
      pause();
    } while (remaining(deadline).isPositive());
    throw new IOException(
        "cannot connect to QEMU's control socket %s within %s: %s"
            .formatted(socket, seconds(timeout), last.getMessage()),
        last);
  }

  private void greeted(long deadline, Duration timeout) throws IOException {
    try {
      QmpMessage.Greeting _ = await(greeting, remaining(deadline));
    } catch (TimeoutException e) {
      throw new IOException(
          "QEMU did not greet on %s within %s; has it another client?"
              .formatted(socket, seconds(timeout)),
          e);
    }
  }

  private void opened() throws IOException {
    State before = state.getAndUpdate(now -> now instanceof State.Opening ? new State.Open() : now);
    if (before instanceof State.Closed(String reason)) {
      throw new IOException(reason);
    }
  }

  /// Runs one command and waits for its answer, which must be a map (empty for most).
  ///
  /// @throws QmpException if QEMU refuses it
  /// @throws IOException if QEMU is out of reach, or silent for `timeout`; it may run the command
  ///   yet
  Map<String, Object> execute(String command, Map<String, Object> arguments, Duration timeout)
      throws IOException {
    if (Thread.currentThread().equals(reader)) {
      throw new IllegalStateException("an event's consumer must return at once");
    }
    Pending waiting = new Pending(command, new CompletableFuture<>());
    send(new QmpCommand(nextId.getAndIncrement(), command, arguments), waiting);
    try {
      return map(waiting, await(waiting.answer, timeout));
    } catch (TimeoutException e) {
      throw new IOException("QEMU did not answer " + command + " within " + seconds(timeout), e);
    }
  }

  private void send(QmpCommand command, Pending waiting) throws IOException {
    byte[] line = command.line();
    synchronized (pending) {
      if (pending.size() >= PENDING_LIMIT) {
        throw new IOException(
            "cannot execute %s: QEMU has not answered the last %d commands"
                .formatted(command.name(), PENDING_LIMIT));
      }
      pending.put(command.id(), waiting);
    }
    // After the entry is made: either this sees the end, or the closing thread sees the entry.
    if (state.get() instanceof State.Closed(String reason)) {
      throw new IOException("cannot execute " + command.name() + ": " + reason);
    }
    if (!unwritten.offer(line)) { // it answers what it has not read
      throw new IOException("cannot execute " + command.name() + ": QEMU does not read");
    }
  }

  @SuppressWarnings("unchecked") // SAFETY: JSON objects have string keys
  private static Map<String, Object> map(Pending waiting, QmpMessage answer) throws IOException {
    if (answer instanceof QmpMessage.Failure failure) {
      throw new QmpException(waiting.command, failure);
    }
    if (answer instanceof QmpMessage.Return(long _, Map<?, ?> map)) {
      return (Map<String, Object>) map;
    }
    throw new IOException("QEMU's answer to " + waiting.command + " is not a map");
  }

  /// The root of the reading thread.
  private void read() {
    String reason = "our own fault while reading from QEMU";
    try {
      readUntilTheEnd();
      reason = "QEMU closed its control socket";
    } catch (IOException e) { // reset, where QEMU ended before it had read the line's end
      reason = "QEMU closed its control socket";
    } catch (ProtocolException e) {
      reason = "QEMU broke the protocol: " + e.getMessage();
    } finally { // whatever a consumer threw goes on to the thread's handler
      if (shut(reason) instanceof State.Open) {
        closed.accept(reason);
      }
    }
  }

  private void readUntilTheEnd() throws IOException, ProtocolException {
    QmpLines lines = new QmpLines();
    ByteBuffer bytes = ByteBuffer.allocate(BUFFER_BYTES);
    while (channel.read(bytes.clear()) >= 0) {
      lines.feed(bytes.flip());
      for (Optional<byte[]> line = lines.next(); line.isPresent(); line = lines.next()) {
        take(line.orElseThrow());
      }
    }
  }

  private void take(byte[] line) throws ProtocolException {
    QmpMessage message = QmpMessage.parse(line);
    if (!greeting.isDone() && !(message instanceof QmpMessage.Greeting)) {
      throw new ProtocolException("QMP: the first message is not a greeting");
    }
    switch (message) {
      case QmpMessage.Greeting first -> {
        if (!greeting.complete(first)) {
          throw new ProtocolException("QMP: a second greeting");
        }
      }
      case QmpMessage.Return answer -> answer(answer.id(), answer);
      case QmpMessage.Failure answer -> answer(answer.id(), answer);
      case QmpMessage.Event event -> {
        countEvent(line.length);
        if (!(state.get() instanceof State.Closed)) {
          events.accept(event);
        }
      }
    }
  }

  private void answer(long id, QmpMessage answer) throws ProtocolException {
    Pending waiting = pending.remove(id);
    if (waiting == null) {
      throw new ProtocolException("QMP: an answer that nobody asked for");
    }
    waiting.answer.complete(answer); // nobody looks if the time was up before
  }

  private void countEvent(int bytes) throws ProtocolException {
    long now = System.nanoTime();
    if (eventsInWindow == 0 || now - windowStart > EVENT_WINDOW.toNanos()) {
      windowStart = now;
      eventsInWindow = 0;
      eventBytesInWindow = 0;
    }
    eventsInWindow++;
    eventBytesInWindow += bytes;
    if (eventsInWindow > EVENT_LIMIT || eventBytesInWindow > EVENT_LIMIT_BYTES) {
      throw new ProtocolException(
          "QMP: more than %d events or %d bytes of them within %s"
              .formatted(EVENT_LIMIT, EVENT_LIMIT_BYTES, seconds(EVENT_WINDOW)));
    }
  }

  /// The root of the writing thread; ends by an interrupt of [#shut].
  private void write() {
    try {
      while (true) {
        ByteBuffer line = ByteBuffer.wrap(unwritten.take());
        while (line.hasRemaining()) {
          channel.write(line);
        }
      }
    } catch (IOException e) {
      return; // the reader, on the same channel, says why
    } catch (InterruptedException e) {
      return; // shut
    }
  }

  /// Ends everything that waits; returns the state before.
  private State shut(String reason) {
    State before =
        state.getAndUpdate(now -> now instanceof State.Closed ? now : new State.Closed(reason));
    if (before instanceof State.Closed) {
      return before;
    }
    IOException why = new IOException(reason);
    greeting.completeExceptionally(why);
    pending.values().forEach(waiting -> waiting.answer.completeExceptionally(why));
    writer.interrupt();
    try {
      channel.close();
    } catch (IOException e) {
      return before; // nothing is left to be lost
    }
    return before;
  }

  /// Leaves QEMU to itself. No event comes after this.
  @Override
  public void close() {
    shut("the connection to QEMU is closed");
    if (!Thread.currentThread().equals(reader)) {
      join(reader);
    }
    join(writer);
  }

  private static void join(Thread thread) {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static <T> T await(CompletableFuture<T> answer, Duration timeout)
      throws IOException, TimeoutException {
    try {
      return answer.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof IOException reason
          ? new IOException(reason.getMessage(), reason)
          : new IOException(e);
    } catch (InterruptedException e) {
      throw interrupted();
    }
  }

  private static void pause() throws IOException {
    try {
      Thread.sleep(CONNECT_PAUSE);
    } catch (InterruptedException e) {
      throw interrupted();
    }
  }

  private static InterruptedIOException interrupted() {
    Thread.currentThread().interrupt();
    return new InterruptedIOException("interrupted while waiting for QEMU");
  }

  private static Duration remaining(long deadline) {
    return Duration.ofNanos(deadline - System.nanoTime());
  }

  private static String seconds(Duration duration) {
    long millis = duration.toMillis();
    return millis % 1000 == 0 ? millis / 1000 + " s" : millis + " ms";
  }
}
