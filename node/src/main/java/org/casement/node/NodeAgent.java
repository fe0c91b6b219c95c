package org.casement.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.casement.isolation.IsolationException;
import org.casement.isolation.MarkRules;
import org.casement.isolation.NetworkHandle;
import org.casement.isolation.NetworkMembers;
import org.casement.isolation.PacketSocket;
import org.casement.isolation.SealedSocket;
import org.casement.isolation.SealedSocket.Protocol;
import org.casement.node.TaskRequest.Listeners;
import org.jspecify.annotations.Nullable;

/// Answers the plugin (contracts/node.md): one connection a task, the tasks of a job one after the
/// other. Whatever goes wrong is a refusal.
final class NodeAgent {
  /// The plugin waits ten seconds.
  private static final Duration PACKET_LIMIT = Duration.ofSeconds(5);

  private static final int LOCKS = 64;

  /// Connections at a time; more wait in the socket's backlog.
  private static final int CONNECTIONS_LIMIT = 256;

  private static final Duration ACCEPT_PAUSE = Duration.ofMillis(200);

  private static final Duration RECONCILE_INTERVAL = Duration.ofMinutes(1);

  private static final Duration KIND_DELAY = Duration.ofSeconds(1);

  /// Jobs that are asked about at a time: a query costs the controller something.
  private static final int QUERIES_LIMIT = 10;

  private final Path directory;
  private final NodeSettings settings;
  private final JobStore store;
  private final HeldPorts ports;
  private final JobSockets sockets;
  private final MarkRules rules;
  private final Relays relays;
  private final Controller controller;
  private final Verdicts verdicts;

  /// A job's is chosen by its number: one that were removed with its job would be two for a moment.
  private final List<ReentrantLock> locks =
      Stream.generate(ReentrantLock::new).limit(LOCKS).toList();

  /// One after the other: a query costs the controller something.
  private final ScheduledExecutorService later =
      Executors.newSingleThreadScheduledExecutor(Thread.ofPlatform().daemon().factory());

  /// A thread each, kept for a while: a new one costs a task a part of a millisecond.
  private final Executor answering =
      Executors.newCachedThreadPool(Thread.ofPlatform().daemon().factory());

  private final Semaphore connections = new Semaphore(CONNECTIONS_LIMIT);

  /// @param directory root's own, below /run
  /// @param launcher of this program
  NodeAgent(Path directory, NodeSettings settings, Path launcher) throws IOException {
    this.directory = directory;
    this.settings = settings;
    this.store = new JobStore(directory);
    this.ports = new HeldPorts(settings.listening(), directory.resolve("resting"), portsInUse());
    this.sockets = new JobSockets(ports);
    this.rules = new MarkRules(settings.nft());
    this.relays = new Relays(settings.relayAccount(), launcher);
    this.controller = new Controller(settings.ask());
    this.verdicts = new Verdicts(settings.policy(), controller);
  }

  private Set<Integer> portsInUse() throws IOException {
    Set<Integer> used = new HashSet<>();
    for (long job : store.jobs()) {
      store.find(job).ifPresent(known -> used.addAll(known.ports()));
    }
    return used;
  }

  /// Serves until the process ends.
  void serve() throws IOException {
    Path path = directory.resolve(NodeProgram.SOCKET.getFileName());
    Path unfinished = directory.resolve("node.sock.new");
    Files.deleteIfExists(unfinished);
    // Under its name it is nobody else's at any moment; an earlier agent's is replaced.
    try (PacketSocket socket = PacketSocket.listen(unfinished)) {
      Files.setPosixFilePermissions(unfinished, PosixFilePermissions.fromString("rw-------"));
      Files.move(unfinished, path, StandardCopyOption.ATOMIC_MOVE);
      log("ready; %d jobs are sealed, %d ports held".formatted(store.jobs().size(), ports.count()));
      Thread.ofPlatform().daemon().name("reconcile").start(this::reconcile);
      while (true) {
        connections.acquireUninterruptibly();
        try {
          PacketSocket connection = socket.accept(PACKET_LIMIT);
          answering.execute(() -> answer(connection));
        } catch (IsolationException e) { // no descriptors, no memory: it may have some later
          connections.release();
          log(String.valueOf(e.getMessage()));
          pause();
        }
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(ACCEPT_PAUSE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void answer(PacketSocket connection) {
    try (connection) {
      // Read first: who closes with something unread takes its own answer back.
      String text = connection.receive().textAlone();
      if (connection.peer().uid() != 0) {
        connection.send("refuse only slurmstepd is answered\n", List.of());
        return;
      }
      Optional<TaskRequest> request = TaskRequest.parse(text);
      if (request.isEmpty()) {
        connection.send(
            "refuse the request is not understood: is the plugin of another version?\n", List.of());
        return;
      }
      ReentrantLock lock = lock(request.get().job());
      lock.lock();
      try {
        handle(connection, request.get());
      } finally {
        lock.unlock();
      }
    } catch (IOException e) {
      log(String.valueOf(e.getMessage()));
    } finally {
      connections.release();
    }
  }

  private ReentrantLock lock(long job) {
    return locks.get((int) (job % LOCKS));
  }

  private void handle(PacketSocket connection, TaskRequest request) throws IOException {
    switch (request.event()) {
      case TASK -> {
        try {
          task(connection, request);
        } catch (IOException e) {
          log("job %d: refused: %s".formatted(request.job(), e.getMessage()));
          connection.send("refuse %s\n".formatted(oneLine(e.getMessage())), List.of());
        }
      }
      case BEGIN -> {
        begin(request);
        connection.send("noted\n", List.of());
      }
      case END -> {
        end(request.job());
        connection.send("noted\n", List.of());
      }
    }
  }

  // ---- a job

  private void begin(TaskRequest request) throws IOException {
    if (store.find(request.job()).isPresent()) {
      end(request.job()); // Slurm started it anew
    }
    if (verdicts.mustBeMarked(request.job(), request.partition())) {
      store.write(request.job(), JobRecord.UNMADE);
    }
  }

  private void end(long job) throws IOException {
    Optional<JobRecord> known = find(job);
    if (known.isPresent() && known.get().namespace().isPresent()) {
      String namespace = known.get().namespace().get();
      if (!NetworkMembers.kill(namespace)) {
        log("job %d: processes in %s do not end".formatted(job, namespace));
      }
    }
    List<Integer> ports = known.map(JobRecord::ports).orElse(List.of());
    NetworkMembers.killHolders(ports);
    sockets.end(job, ports);
    verdicts.forget(job);
    store.remove(job);
    known
        .flatMap(JobRecord::namespace)
        .ifPresent(namespace -> log("job %d: released %s".formatted(job, namespace)));
  }

  /// A damaged record is none when the job ends.
  private Optional<JobRecord> find(long job) {
    try {
      return store.find(job);
    } catch (IOException e) {
      log("job %d: %s".formatted(job, e.getMessage()));
      return Optional.empty();
    }
  }

  // ---- a task

  private void task(PacketSocket connection, TaskRequest request) throws IOException {
    Optional<JobRecord> known = store.find(request.job());
    if (known.flatMap(JobRecord::namespace).isPresent()) {
      join(connection, request, known.get());
    } else if (request.asked() || verdicts.seals(request.job(), known.isPresent())) {
      create(connection, request, known.isPresent());
    } else {
      connection.send("open\n", List.of());
    }
  }

  /// @param marked whether there is a record, which outlasts a refusal
  private void create(PacketSocket connection, TaskRequest request, boolean marked)
      throws IOException {
    Listeners wanted = request.listeners();
    checkLimit(wanted);
    boolean relayed = mustBeRelayed(wanted);
    connection.send("create\n", List.of());
    PacketSocket.Packet made = connection.receive();
    if (made.descriptor() < 0) {
      throw new IsolationException("no namespace came");
    }
    store.unpin(request.job()); // what an agent that was killed here has left
    List<Integer> taken = List.of();
    String relayedIn = "";
    try (NetworkHandle handle = NetworkHandle.of(made.descriptor())) {
      handle.configure();
      taken = ports.take(wanted.total());
      JobRecord job =
          JobRecord.made(handle.identity(), request.step()).with(wanted, taken, relayed);
      List<SealedSocket> theirs = sockets.forTask(request, job, handle);
      if (relayed) {
        relayedIn = handle.identity();
        relay(job, handle);
      }
      store.pin(request.job(), handle);
      store.write(request.job(), job);
      connection.send("joined\n" + environment(wanted, theirs, 0), descriptors(theirs));
      sockets.handed(request);
      log("job %d: sealed in %s%s".formatted(request.job(), handle.identity(), ports(job)));
    } catch (IOException e) {
      if (!relayedIn.isEmpty()) {
        relays.stop(relayedIn);
      }
      sockets.end(request.job(), taken);
      store.unpin(request.job());
      if (marked) {
        store.write(request.job(), JobRecord.UNMADE);
      } else {
        store.remove(request.job());
      }
      throw e;
    }
    var _ =
        later.schedule(
            () -> learnKind(request.job()), KIND_DELAY.toMillis(), TimeUnit.MILLISECONDS);
  }

  /// Asks what the job is soon after its start: who joins later has to know, and its owner can make
  /// it look like something else. A task that is starting needs the processor itself, and a job
  /// that is over by then need not be asked about.
  private void learnKind(long job) {
    try {
      if (ofUnknownKind(job).isEmpty()) {
        return;
      }
      JobRecord.Kind kind = verdicts.kind(job);
      ReentrantLock lock = lock(job);
      lock.lock();
      try {
        Optional<JobRecord> known = ofUnknownKind(job);
        if (known.isPresent()) {
          store.write(job, known.get().with(kind));
        }
      } finally {
        lock.unlock();
      }
    } catch (IOException | RuntimeException e) {
      log("job %d: %s".formatted(job, e.getMessage()));
    }
  }

  private Optional<JobRecord> ofUnknownKind(long job) throws IOException {
    return store
        .find(job)
        .filter(known -> known.namespace().isPresent())
        .filter(known -> known.kind() == JobRecord.Kind.UNKNOWN);
  }

  private static String ports(JobRecord job) {
    String relayed = job.relayed() ? ", relayed" : "";
    return job.ports().isEmpty() ? "" : ", ports " + job.ports() + relayed;
  }

  private void join(PacketSocket connection, TaskRequest request, JobRecord known)
      throws IOException {
    JobRecord job = known;
    if (request.step() != job.step()) {
      if (job.kind() == JobRecord.Kind.UNKNOWN) {
        job = job.with(verdicts.kind(request.job()));
        store.write(request.job(), job);
      }
      if (job.kind() == JobRecord.Kind.SESSION) {
        throw new IsolationException("nobody joins a session of Casement's");
      }
      if (!request.asked()) {
        switch (settings.policy().outside()) {
          case NEVER ->
              throw new IsolationException(
                  "this job is sealed, and the administrator lets no step in that does not ask for"
                      + " it with --iso-netns");
          case OPEN -> {
            connection.send("open\n", List.of());
            return;
          }
          case JOIN -> {}
        }
      }
    }
    try (NetworkHandle handle = store.open(request.job(), job.namespace().orElseThrow())) {
      boolean none = request.listeners().total() == 0;
      JobRecord current = none ? job : withListeners(request, job, handle);
      List<SealedSocket> theirs = none ? List.of() : sockets.forTask(request, current, handle);
      List<Integer> sent = new ArrayList<>(List.of(handle.descriptor()));
      sent.addAll(descriptors(theirs));
      connection.send("join\n" + environment(current.listeners(), theirs, 1), sent);
      if (!theirs.isEmpty()) {
        sockets.handed(request);
      }
    }
  }

  /// Listeners belong to the first request for any.
  private JobRecord withListeners(TaskRequest request, JobRecord job, NetworkHandle handle)
      throws IOException {
    Listeners wanted = request.listeners();
    checkLimit(wanted);
    if (job.listeners().equals(wanted)) {
      if (!job.relayed() && mustBeRelayed(wanted)) {
        throw new IsolationException(
            "the firewall's rules that this job's listeners need hold no longer");
      }
      return job;
    }
    if (job.listeners().total() > 0) {
      throw new IsolationException(
          "this job has %d TCP and %d UDP listeners, and no others"
              .formatted(job.listeners().tcp(), job.listeners().udp()));
    }
    boolean relayed = mustBeRelayed(wanted);
    List<Integer> taken = ports.take(wanted.total());
    JobRecord more = job.with(wanted, taken, relayed);
    try {
      if (relayed) {
        relay(more, handle);
      }
      store.write(request.job(), more);
    } catch (IOException e) {
      if (relayed) {
        relays.stop(handle.identity());
      }
      ports.giveBack(taken);
      throw e;
    }
    return more;
  }

  private void checkLimit(Listeners wanted) throws IOException {
    int limit = settings.listening().limit();
    if (wanted.tcp() > limit || wanted.udp() > limit) {
      throw new IsolationException("the administrator allows " + limit + " listeners a job");
    }
  }

  /// SECURITY: a job gets a socket of the node's only where the firewall's rules were seen to hold.
  /// Over UDP there is no relay: who would an answer be for?
  private boolean mustBeRelayed(Listeners wanted) throws IOException {
    if (wanted.udp() > 0) {
      rules.ensure(Protocol.UDP);
    }
    if (wanted.tcp() > 0) {
      try {
        rules.ensure(Protocol.TCP);
      } catch (IsolationException e) {
        relays.check(String.valueOf(e.getMessage()));
        log("listeners are relayed: " + e.getMessage());
        return true;
      }
    }
    return false;
  }

  private void relay(JobRecord job, NetworkHandle handle) throws IOException {
    List<SealedSocket> outside = new ArrayList<>();
    try {
      for (int port : job.tcpPorts()) {
        outside.add(ports.open(Protocol.TCP, port));
      }
      relays.start(handle, outside);
    } finally {
      outside.forEach(SealedSocket::close);
    }
  }

  private static List<Integer> descriptors(List<SealedSocket> sockets) {
    return sockets.stream().map(SealedSocket::descriptor).toList();
  }

  /// The variables of spank_iso_netns, and one of our own.
  ///
  /// @param first the number of the first listener among the packet's descriptors
  private static String environment(Listeners given, List<SealedSocket> sockets, int first) {
    StringBuilder lines = new StringBuilder("SPANK_ISO_NETNS_SEALED=1\n");
    for (int i = 0; i < sockets.size(); i++) {
      lines.append(
          """
          SPANK_ISO_NETNS_LISTENING_FD_%d=#%d
          SPANK_ISO_NETNS_LISTENING_PORT_%d=%d
          SPANK_ISO_NETNS_LISTENING_PROTO_%d=%s
          """
              .formatted(
                  i, first + i, i, sockets.get(i).port(), i, i < given.tcp() ? "tcp" : "udp"));
    }
    return lines.toString();
  }

  // ---- jobs that ended without a word

  /// Releases what a job has left whose end nobody reported: slurmd was killed before the epilog.
  private void reconcile() {
    try {
      while (true) {
        try {
          releaseDeparted();
          ports.holdWhatJobsHaveClosed();
        } catch (IOException | RuntimeException e) {
          log("jobs that have left are not looked for: " + e.getMessage());
        }
        Thread.sleep(RECONCILE_INTERVAL);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void releaseDeparted() throws IOException {
    int queries = 0;
    for (long job : store.jobs()) {
      relayAgain(job);
      if (queries < QUERIES_LIMIT && isIdle(job)) {
        queries++;
        if (!controller.isHere(job)) {
          endIfIdle(job);
        }
      }
    }
  }

  /// A relay that was killed takes the connections along, not the listeners.
  private void relayAgain(long job) {
    ReentrantLock lock = lock(job);
    lock.lock();
    try {
      Optional<JobRecord> known = find(job).filter(JobRecord::relayed);
      if (known.isEmpty() || isIdle(job)) {
        return;
      }
      String namespace = known.get().namespace().orElseThrow();
      if (!relays.isRunning(namespace)) {
        log("job %d: its relay has ended, and is started again".formatted(job));
        try (NetworkHandle handle = store.open(job, namespace)) {
          relay(known.get(), handle);
        }
      }
    } catch (IOException e) {
      log("job %d: %s".formatted(job, e.getMessage()));
    } finally {
      lock.unlock();
    }
  }

  private boolean isIdle(long job) throws IOException {
    Optional<JobRecord> known = find(job);
    Optional<String> namespace = known.flatMap(JobRecord::namespace);
    if (namespace.isEmpty()) {
      return true;
    }
    return known.get().relayed()
        ? !relays.hasOthers(namespace.get())
        : !NetworkMembers.any(namespace.get(), _ -> true);
  }

  private void endIfIdle(long job) throws IOException {
    ReentrantLock lock = lock(job);
    lock.lock();
    try {
      if (isIdle(job)) {
        log("job %d: has left without a word".formatted(job));
        end(job);
      }
    } finally {
      lock.unlock();
    }
  }

  private static String oneLine(@Nullable String text) {
    return String.valueOf(text).replaceAll("\\p{Cntrl}", " ");
  }

  static void log(String text) {
    System.err.println("casement node: " + oneLine(text));
  }
}
