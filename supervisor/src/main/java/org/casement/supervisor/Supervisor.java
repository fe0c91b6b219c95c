package org.casement.supervisor;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.casement.guestapi.GuestApi;
import org.casement.guestapi.GuestEvent;
import org.casement.isolation.ConfinedProcess;
import org.casement.protocol.guestapi.GuestRequest;
import org.casement.protocol.guestapi.SessionDocument;
import org.casement.protocol.qmp.QmpMessage;
import org.casement.protocol.rdp.RdpSecurity;
import org.casement.relay.EventLoops;
import org.casement.session.EndReason;
import org.casement.session.EventLog;
import org.casement.session.GuestText;
import org.casement.session.PowerAction;
import org.casement.session.Secret;
import org.casement.session.SessionEvent.StepStatus;
import org.casement.session.SessionException;
import org.casement.session.SessionState;
import org.casement.session.SessionState.Booting;
import org.casement.session.SessionState.Draining;
import org.casement.session.SessionState.Ended;
import org.casement.session.SessionState.Ready;
import org.casement.session.SessionStory;
import org.casement.session.Step;
import org.casement.session.Trouble;
import org.jspecify.annotations.Nullable;

/// The whole life of one session. [#live()] makes disk, share and machine, step by step, then waits
/// for what happens, and takes everything down again. It runs on one thread, which alone decides:
/// whatever happens elsewhere (guest, QEMU, smbd, page, command, signal) is put into a mailbox that
/// this thread empties.
public final class Supervisor {
  /// A KVM that cannot run a real guest shows it in the guest's first instructions: seconds.
  private static final Duration KVM_DOUBT = Duration.ofSeconds(30);

  private static final String INTERNAL_ERROR = "KVM reported an internal error";
  private static final Duration KVM_POLL = Duration.ofSeconds(1);

  /// A QEMU that ends closes its control socket some milliseconds before.
  private static final Duration CONTROL_LOST_LIMIT = Duration.ofSeconds(5);

  /// A QEMU that hangs for so long is killed: 90 s. Longer than its disk may hang; less than its
  /// user waits.
  private static final int QEMU_GIVEN_UP_AFTER = 18;

  /// smbd is started again after 30 s: a Windows guest waits for its share for 60 s (SessTimeout).
  private static final int SMBD_GIVEN_UP_AFTER = 6;

  /// There is nothing to be done about a TPM.
  private static final int NEVER = Integer.MAX_VALUE;

  private static final Duration LOG_TRIM = Duration.ofSeconds(30);
  private static final Duration DESKTOP_POLL = Duration.ofMillis(100);
  private static final Duration LONGEST_WAIT = Duration.ofMinutes(1);
  private static final int MAILBOX_LIMIT = 1000;

  /// A guest that resets itself, or talks about its progress, without end is not logged without
  /// end.
  private static final int RESETS_LIMIT = 20;

  private static final int PROGRESS_LIMIT = 100;

  private final SupervisorSettings settings;
  private final SessionStory story;
  private final EventLoops loops;
  private final EventLog log;
  private final SecureRandom random;
  private final InstantSource clock;
  private final SessionSecrets secrets;
  private final BlockingQueue<Happening> mailbox = new LinkedBlockingQueue<>(MAILBOX_LIMIT);
  private volatile @Nullable Acceleration acceleration;

  /// As the configuration or, from the node check on, the golden image says.
  private volatile RdpSecurity rdpSecurity;

  private final ScreenPictures pictures;

  private volatile boolean flooded;

  // Only touched by the thread that lives.
  private @Nullable CompletableFuture<NodeCheck> check;
  private @Nullable CompletableFuture<Optional<Machine>> disk;
  private @Nullable CompletableFuture<KvmProbe.Outcome> kvm;
  private final Agenda agenda = new Agenda(System::nanoTime);
  private final DiskWatch diskWatch;
  private final GuestWatch guestWatch = new GuestWatch();
  private Step step = Step.NODE;
  private @Nullable EndReason end;
  private @Nullable GuestApi guestApi;
  private @Nullable ShareServer share;
  private @Nullable Machine machine;
  private boolean machineSilent;
  private boolean kvmInDoubt;
  private boolean traded;
  private boolean shutDownByGuest;
  private boolean endedFromOutside;
  private boolean shutDownAsked;
  private boolean diskGivenUp;
  private int resets;
  private int progressTold;
  private boolean tpmLost;

  public Supervisor(
      SupervisorSettings settings,
      SessionStory story,
      EventLoops loops,
      EventLog log,
      SecureRandom random,
      InstantSource clock) {
    this.settings = settings;
    this.story = story;
    this.loops = loops;
    this.log = log;
    this.random = random;
    this.clock = clock;
    this.secrets = SessionSecrets.make(random);
    this.diskWatch = new DiskWatch(settings.runtime());
    this.pictures = new ScreenPictures(log);
    this.rdpSecurity = settings.machine().rdpSecurity().orElse(RdpSecurity.TLS);
  }

  /// The desktop's password, for the connector; there is a desktop only in state ready.
  public Secret desktopPassword() {
    return secrets.desktopPassword();
  }

  /// How the desktop takes connections; known in state ready.
  public RdpSecurity rdpSecurity() {
    return rdpSecurity;
  }

  public InetSocketAddress rdp() {
    return new InetSocketAddress(Machine.LOOPBACK, Machine.RDP_PORT);
  }

  public Path vncSocket() {
    return Machine.vncSocket(settings.runtime());
  }

  /// Why a session cannot have its sockets below `runtime`, or empty: an address has room for few
  /// bytes.
  public static Optional<String> problem(Path runtime) {
    Path longest = Machine.sockets(runtime).resolve("test");
    return longest.toString().getBytes(UTF_8).length > QmpClient.SOCKET_PATH_LIMIT_BYTES
        ? Optional.of(
            runtime.getParent()
                + " is too long a name for the sockets below it; set a shorter [session]"
                + " runtime_parent")
        : Optional.empty();
  }

  /// The ports on 127.0.0.1 that belong to the guest's network.
  public static Set<Integer> guestPorts() {
    return Set.of(ShareServer.PORT, Machine.GUEST_API_PORT, Machine.RDP_PORT);
  }

  /// For `casement status`; from any thread.
  public Map<String, Object> status() {
    Map<String, Object> status = new LinkedHashMap<>();
    SessionState state = story.state();
    status.put("id", story.id().value());
    status.put("state", state.code());
    switch (state) {
      case Draining(EndReason reason, _) -> status.put("reason", reason.text());
      case Ended(EndReason reason) -> status.put("reason", reason.text());
      case SessionState.Preparing _, Booting _, Ready _ -> {}
    }
    status.put("start", story.start().toString());
    story.walltimeEnd().ifPresent(at -> status.put("walltimeEnd", at.toString()));
    status.put("nonce", secrets.nonce());
    Acceleration now = acceleration;
    if (now != null) {
      status.put("acceleration", now.code());
    }
    return status;
  }

  /// Asks for an orderly end; a second time, for an end at once. From any thread, returns at once.
  public void end(EndReason reason) {
    tell(new Happening.EndAsked(reason));
  }

  /// Presses a button of the machine. From any thread, returns at once.
  public void press(PowerAction action) {
    tell(new Happening.PowerAsked(action));
  }

  /// Tells `watcher` small pictures of the machine's screen (PNG) while the guest boots, on any
  /// thread, until the returned action is run. From any thread.
  public Runnable watchScreen(Consumer<byte[]> watcher) {
    return pictures.watch(watcher);
  }

  /// Begins to look at the node, and makes the disk if it is fit, which takes processes and time,
  /// beside whatever the caller does before [#live()].
  public void look() {
    check = beside("node-check", () -> NodeCheck.run(settings));
    disk = check.thenApply(this::makeDisk);
    kvm =
        settings.machine().onlyTcg()
            ? CompletableFuture.completedFuture(
                new KvmProbe.Outcome.Fails("the configuration asks for it"))
            : beside("kvm-probe", () -> KvmProbe.of(settings));
  }

  private static <T> CompletableFuture<T> beside(String name, Supplier<T> work) {
    return CompletableFuture.supplyAsync(work, Thread.ofPlatform().daemon().name(name)::start);
  }

  private Optional<Machine> makeDisk(NodeCheck node) {
    if (!node.faults().isEmpty()) {
      return Optional.empty();
    }
    rdpSecurity = settings.machine().rdpSecurity().orElse(node.image().rdpSecurity());
    Machine made =
        new Machine(settings.runtime().resolve("machine"), settings, node.image(), clock);
    try {
      made.prepare();
      return Optional.of(made);
    } catch (SessionException | IOException | InterruptedException e) {
      throw new CompletionException(e);
    }
  }

  private static <T> T result(CompletableFuture<T> begun)
      throws SessionException, IOException, InterruptedException {
    try {
      return begun.get();
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case SessionException failed -> throw failed;
        case IOException failed -> throw failed;
        case RuntimeException defect -> throw defect;
        case null, default -> throw new IllegalStateException("a session cannot begin", e);
      }
    }
  }

  /// Lives until the session has ended and nothing of it runs any more; after [#look()].
  public EndReason live() {
    EndReason reason;
    try {
      planWalltime();
      reason = run();
    } catch (SessionException | IOException e) {
      reason = failed(String.valueOf(e.getMessage()));
      log.error("failed", "step", step.code(), "error", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      reason = EndReason.of(EndReason.Kind.CANCELLED);
    } catch (RuntimeException
        | Error e) { // the root of this thread: a defect ends the session in order
      reason = failed("a defect in Casement; please report the log");
      Throwable defect =
          e instanceof CompletionException && e.getCause() != null ? e.getCause() : e;
      log.error("defect", "step", step.code(), "error", defect, "at", defect.getStackTrace()[0]);
    }
    takeDown();
    story.become(new Ended(reason));
    return reason;
  }

  private EndReason run() throws SessionException, IOException, InterruptedException {
    begin(Step.NODE);
    NodeCheck node = result(Objects.requireNonNull(check));
    if (!node.faults().isEmpty()) {
      return faulty(node.faults());
    }
    node.image().unknownProfile().ifPresent(name -> untried(name, node.image().profile()));
    done();
    begin(Step.DISK);
    Machine ours = result(Objects.requireNonNull(disk)).orElseThrow();
    machine = ours;
    done();
    begin(Step.SHARE);
    guestApi =
        GuestApi.open(
            loops,
            new InetSocketAddress(Machine.LOOPBACK, Machine.GUEST_API_PORT),
            secrets.bootToken(),
            document(),
            event -> tell(new Happening.OfGuest(event)),
            clock,
            random,
            log);
    if (mailbox.peek() instanceof Happening.EndAsked(EndReason reason)) {
      return reason; // before there is a machine that would have to be shut down
    }
    // The machine first: it boots for seconds before it asks for its shares.
    step = Step.MACHINE; // whose failure it would be
    ConfinedProcess qemu = startQemu(ours, choose(result(Objects.requireNonNull(kvm))));
    step = Step.SHARE;
    startShare();
    done();
    begin(Step.MACHINE);
    awaitMachine(ours, qemu);
    story.become(new Booting(clock.instant()));
    agenda.in(settings.bootTimeout(), this::bootTimedOut);
    agenda.in(LOG_TRIM, this::trimLogs);
    agenda.in(GuestWatch.TICK, this::listenForGuest);
    return follow();
  }

  private EndReason follow() throws SessionException, IOException, InterruptedException {
    while (true) {
      Duration wait = agenda.runDue(LONGEST_WAIT);
      if (end != null) {
        return end;
      }
      Happening happening = mailbox.poll(wait.toNanos(), TimeUnit.NANOSECONDS);
      switch (happening) {
        case null -> {}
        case Happening.EndAsked(EndReason reason) -> endAsked(reason);
        case Happening.PowerAsked(PowerAction action) -> powerAsked(action);
        case Happening.OfGuest(GuestEvent event) -> ofGuest(event);
        case Happening.OfQemu(QmpMessage.Event event) -> ofQemu(event);
        case Happening.HelperEnded(ConfinedProcess helper, int status) -> ended(helper, status);
        case Happening.HelperChanged(ConfinedProcess helper, HelperWatch.Change change) ->
            changed(helper, change);
        case Happening.ControlLost(ConfinedProcess helper, String why) -> controlLost(helper, why);
        case Happening.DesktopAnswered _ -> desktopAnswered();
      }
    }
  }

  // ---- steps

  private void begin(Step next) {
    step = next;
    story.step(next, StepStatus.RUNNING, "");
  }

  private void done() {
    story.step(step, StepStatus.DONE, "");
  }

  private void untried(String profile, MachineProfile base) {
    log.warn("profile-unknown", "profile", profile, "base", base.name());
    story.warn(
        "this machine is untried: the golden image's profile %s is not known to this version, it runs on the hardware of %s"
            .formatted(profile, base.name()));
  }

  private EndReason faulty(List<String> faults) {
    boolean one = faults.size() == 1; // then it is the reason, which is told once
    for (String fault : faults) {
      log.error("node-fault", "fault", fault);
      if (!one) {
        story.warn(fault);
      }
    }
    String text = one ? faults.getFirst() : faults.size() + " things are wrong";
    story.step(step, StepStatus.FAILED, text);
    return new EndReason(EndReason.Kind.NODE, text);
  }

  private EndReason failed(String why) {
    if (story.state() instanceof SessionState.Preparing || story.state() instanceof Booting) {
      story.step(step, StepStatus.FAILED, why);
    }
    return EndReason.failed(why);
  }

  private void bootTimedOut() {
    if (story.state() instanceof Booting) {
      end =
          failed(
              "the guest was not ready within %d s, it was still at: %s"
                  .formatted(settings.bootTimeout().toSeconds(), step.text()));
    }
  }

  // ---- share

  private void startShare() throws IOException, SessionException, InterruptedException {
    ShareServer ours =
        new ShareServer(
            settings.runtime().resolve("share"),
            settings,
            Objects.requireNonNull(machine).profile().smbMinimum(),
            Umask.current());
    share = ours;
    int uid = (Integer) Files.getAttribute(settings.runtime(), "unix:uid");
    int gid = (Integer) Files.getAttribute(settings.runtime(), "unix:gid");
    ours.prepare(uid, gid, secrets.sharePassword());
    ours.awaitAnswer(startSmbd(ours));
  }

  private ConfinedProcess startSmbd(ShareServer ours) throws IOException {
    ConfinedProcess started = ours.start();
    watch("smbd", started);
    ask("smbd", started, ShareServer.heartbeat(started), SMBD_GIVEN_UP_AFTER);
    return started;
  }

  private void shareChanged(ConfinedProcess smbd, HelperWatch.Change change) {
    switch (change) {
      case ANSWERS -> story.over(Trouble.SHARE);
      case SILENT ->
          story.trouble(
              Trouble.SHARE,
              "the file share does not answer; files that were saved are safe, and if it stays so"
                  + " it is started again");
      case GIVEN_UP -> {
        log.warn("helper-given-up", "name", "smbd");
        smbd.kill(); // it is started again like any that has ended
      }
    }
  }

  private void smbdEnded(ShareServer ours, int status) {
    Duration pause = ours.nextPause();
    log.warn("helper-ended", "name", "smbd", "status", status, "pause", pause.toMillis() + "ms");
    story.trouble(
        Trouble.SHARE,
        "the file share stopped and is started again; files that were saved are safe");
    agenda.in(pause, () -> restartSmbd(ours));
  }

  private void restartSmbd(ShareServer ours) {
    try {
      startSmbd(ours);
      log.info("helper-restarted", "name", "smbd");
    } catch (IOException e) {
      log.warn("helper-failed", "name", "smbd", "error", e);
      agenda.in(ours.nextPause(), () -> restartSmbd(ours));
    }
  }

  /// What the guest reads; each share has a drive letter, its own initial where that is free.
  private SessionDocument document() {
    Map<Share, String> drives = Share.drives(settings.shares().list());
    List<SessionDocument.Share> shares =
        drives.entrySet().stream()
            .map(
                entry ->
                    new SessionDocument.Share(
                        entry.getKey().name(),
                        "\\\\" + Machine.HOST_ALIAS + "\\" + entry.getKey().name(),
                        entry.getValue()))
            .toList();
    return new SessionDocument(
        story.id(),
        secrets.nonce(),
        new SessionDocument.Account(settings.machine().user(), secrets.desktopPassword()),
        new SessionDocument.Account(ShareServer.USER, secrets.sharePassword()),
        shares,
        settings.timezone(),
        Optional.empty());
  }

  // ---- machine

  private Acceleration choose(KvmProbe.Outcome probed) {
    return switch (probed) {
      case KvmProbe.Outcome.Works _ -> {
        log.info("acceleration", "using", Acceleration.KVM.code());
        yield Acceleration.KVM;
      }
      case KvmProbe.Outcome.Fails(String why) -> {
        log.info("acceleration", "using", Acceleration.TCG.code(), "why", why);
        story.warn("this machine runs in software and is slow: " + why);
        yield Acceleration.TCG;
      }
    };
  }

  private ConfinedProcess startQemu(Machine ours, Acceleration chosen)
      throws IOException, SessionException, InterruptedException {
    acceleration = chosen;
    kvmInDoubt = chosen == Acceleration.KVM;
    if (ours.profile().tpm()) {
      ConfinedProcess swtpm = ours.tpm().start();
      watch("swtpm", swtpm);
      ask("swtpm", swtpm, Tpm.heartbeat(swtpm), NEVER);
    }
    ConfinedProcess started = ours.start(chosen, secrets.bootToken());
    watch("qemu", started);
    return started;
  }

  private void awaitMachine(Machine ours, ConfinedProcess started)
      throws IOException, SessionException, InterruptedException {
    try {
      ours.awaitControl(this::hear, why -> tell(new Happening.ControlLost(started, why)));
      if (kvmInDoubt && hasInternalError()) {
        throw new SessionException(INTERNAL_ERROR); // before there was anybody to tell
      }
    } catch (SessionException e) {
      if (!kvmInDoubt) {
        throw e;
      }
      startAgainInSoftware(ours, String.valueOf(e.getMessage()));
      return;
    }
    ask("qemu", started, ours.heartbeat(), QEMU_GIVEN_UP_AFTER);
    pictures.of(ours.screen());
    done();
    begin(Step.SYSTEM);
    if (kvmInDoubt) {
      agenda.in(KVM_POLL, this::lookForBrokenKvm);
      agenda.in(KVM_DOUBT, () -> kvmInDoubt = false);
    }
  }

  /// QEMU stays alive where KVM breaks: it says so on its standard error.
  private void lookForBrokenKvm() {
    if (!kvmInDoubt || story.state() instanceof Draining) {
      return;
    }
    if (HelperLog.tail(Objects.requireNonNull(machine).log()).contains("KVM internal error")) {
      goOnInSoftware(INTERNAL_ERROR);
    } else {
      agenda.in(KVM_POLL, this::lookForBrokenKvm);
    }
  }

  private void goOnInSoftware(String why) {
    try {
      startAgainInSoftware(Objects.requireNonNull(machine), why);
    } catch (SessionException | IOException e) {
      end = failed("the virtual machine could not be started again: " + e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      end = EndReason.of(EndReason.Kind.CANCELLED);
    }
  }

  private void startAgainInSoftware(Machine ours, String why)
      throws SessionException, IOException, InterruptedException {
    kvmInDoubt = false;
    log.warn("acceleration", "using", Acceleration.TCG.code(), "why", why);
    story.warn("KVM does not work on this node, the machine runs in software and is slow: " + why);
    ours.stop();
    ours.makeOverlay();
    if (!Objects.requireNonNull(guestApi).rearm()) {
      throw new SessionException("the guest was reset too often to be set up again");
    }
    begin(Step.MACHINE);
    awaitMachine(ours, startQemu(ours, Acceleration.TCG));
  }

  private void machineEnded(int status) {
    log.info("helper-ended", "name", "qemu", "status", status);
    SessionState state = story.state();
    if (state instanceof Draining(EndReason reason, _)) {
      end = reason;
    } else if (shutDownByGuest) {
      end = shutDown();
    } else if (endedFromOutside) {
      end = EndReason.of(EndReason.Kind.CANCELLED);
    } else if (kvmInDoubt) {
      goOnInSoftware("QEMU ended with status " + status);
    } else {
      end =
          failed(
              "the virtual machine ended unexpectedly (status "
                  + status
                  + ")"
                  + (tpmLost ? " after its TPM had stopped" : "")
                  + HelperLog.lastLine(Objects.requireNonNull(machine).log())
                      .map(": "::concat)
                      .orElse(""));
    }
  }

  private EndReason shutDown() {
    return shutDownAsked
        ? byConsole("the machine was shut down from its console")
        : EndReason.of(EndReason.Kind.GUEST_SHUTDOWN);
  }

  private void machineChanged(HelperWatch.Change change) {
    machineSilent = change != HelperWatch.Change.ANSWERS;
    switch (change) {
      case ANSWERS -> story.over(Trouble.MACHINE);
      case SILENT ->
          story.trouble(
              Trouble.MACHINE,
              "the virtual machine does not answer; if it stays so, the session ends in %d s"
                  .formatted(
                      HelperWatch.patience(QEMU_GIVEN_UP_AFTER - HelperWatch.SILENT_AFTER)
                          .toSeconds()));
      case GIVEN_UP ->
          end =
              story.state() instanceof Draining(EndReason reason, _)
                  ? reason
                  : failed(
                      "the virtual machine has not answered for %d s"
                          .formatted(HelperWatch.patience(QEMU_GIVEN_UP_AFTER).toSeconds()));
    }
  }

  private void tpmChanged(HelperWatch.Change change) {
    if (change == HelperWatch.Change.ANSWERS) {
      story.over(Trouble.TPM);
    } else {
      story.trouble(
          Trouble.TPM,
          "the machine's TPM hangs: what in the machine needs it hangs, too, and so does a restart;"
              + " save your work");
    }
  }

  /// QEMU cannot be given another TPM. The guest goes on without: what is open in it can be saved.
  /// Its next reset ends QEMU.
  private void tpmEnded(Machine ours, ConfinedProcess swtpm, int status) {
    agenda.in(
        CONTROL_LOST_LIMIT, // a QEMU that ends takes its TPM along
        () -> {
          if (ours.tpm().isRunBy(swtpm) && !(story.state() instanceof Draining)) {
            tpmLost = true;
            story.over(Trouble.TPM);
            log.warn("helper-ended", "name", "swtpm", "status", status);
            story.warn(
                "the machine's TPM has stopped: the system goes on, but a restart of it will end"
                    + " the session; save your work and start another session");
          }
        });
  }

  private static EndReason byConsole(String how) {
    return new EndReason(EndReason.Kind.USER, how);
  }

  private void powerAsked(PowerAction action) {
    if (story.state() instanceof Draining) {
      return; // it is being shut down
    }
    try {
      switch (action) {
        case SHUTDOWN -> {
          command("system_powerdown");
          story.warn("the machine was asked to shut down, from its console");
          shutDownAsked = true;
          // Later it is the guest's own doing.
          agenda.in(settings.drainTimeout(), () -> shutDownAsked = false);
        }
        case RESET -> command("system_reset");
        case POWEROFF -> end = byConsole("the machine was switched off from its console");
      }
    } catch (IOException e) {
      log.warn("no-answer", "power", action.code(), "error", e);
      story.warn("the machine did not take what its console asked for: " + action.code());
    }
  }

  private void controlLost(ConfinedProcess lost, String why) {
    agenda.in(
        CONTROL_LOST_LIMIT,
        () -> {
          if (!Objects.requireNonNull(machine).isRunBy(lost) || !lost.isAlive()) {
            return;
          }
          if (story.state() instanceof Draining(EndReason reason, _)) {
            end = reason; // a large machine takes its time to go
          } else {
            end = shutDownByGuest ? shutDown() : failed("QEMU can no longer be controlled: " + why);
          }
        });
  }

  /// On QMP's reader thread. Only what the supervisor acts on passes: a guest can make QEMU tell
  /// much else.
  private void hear(QmpMessage.Event event) {
    switch (event.name()) {
      case "SHUTDOWN", "RESET", "STOP", "BLOCK_IO_ERROR" -> tell(new Happening.OfQemu(event));
      default -> {}
    }
  }

  private void ofQemu(QmpMessage.Event event) {
    switch (event.name()) {
      case "SHUTDOWN" -> {
        shutDownByGuest = Boolean.TRUE.equals(event.data().get("guest"));
        // SIGTERM to all of a job reaches QEMU as well, and before us.
        endedFromOutside = "host-signal".equals(event.data().get("reason"));
      }
      case "RESET" -> wasReset();
      case "BLOCK_IO_ERROR" -> diskFailed(Boolean.TRUE.equals(event.data().get("nospace")));
      default -> stopped();
    }
  }

  private void wasReset() {
    resets++;
    guestWatch.notExpected();
    story.over(Trouble.GUEST);
    log.info("reset", "count", resets);
    if (resets > RESETS_LIMIT) {
      end = failed("the guest has reset itself " + RESETS_LIMIT + " times");
    } else {
      boolean armed = Objects.requireNonNull(guestApi).rearm();
      story.warn(
          armed
              ? "the guest was reset; its desktop comes back in a while"
              : "the guest was reset once more; it cannot be set up again, start another session");
    }
  }

  private void diskFailed(boolean noRoom) {
    if (noRoom && diskWatch.stopped()) {
      story.trouble(
          Trouble.DISK,
          "the machine waits: the node's disk is full; it goes on when there is room again");
      agenda.in(DiskWatch.POLL, this::goOnWhenThereIsRoom);
    }
    if (!noRoom && !diskGivenUp) {
      diskGivenUp = true;
      story.warn(
          "the machine has stopped: its disk has reached the %d GiB that the configuration allows,"
                  .formatted(settings.machine().overlayLimitGibibytes())
              + " or the node's disk fails; end the session");
    }
  }

  private void goOnWhenThereIsRoom() {
    try {
      if (diskWatch.hasRoom()) {
        diskWatch.goesOn();
        command("cont");
        story.over(Trouble.DISK);
        story.warn("the machine had stopped because the node's disk was full, and goes on");
        return;
      }
    } catch (IOException e) {
      log.warn("no-answer", "command", "cont", "error", e);
      diskWatch.stopped();
    }
    agenda.in(DiskWatch.POLL, this::goOnWhenThereIsRoom);
  }

  /// KVM's internal error stops the machine without ending QEMU.
  private void stopped() {
    if (!kvmInDoubt || story.state() instanceof Draining) {
      return;
    }
    try {
      if (hasInternalError()) {
        goOnInSoftware(INTERNAL_ERROR);
      }
    } catch (IOException e) {
      log.warn("no-answer", "command", "query-status", "error", e);
    }
  }

  private boolean hasInternalError() throws IOException {
    return "internal-error".equals(command("query-status").get("status"));
  }

  private Map<String, Object> command(String name) throws IOException {
    return Objects.requireNonNull(machine).command(name);
  }

  // ---- guest

  private void ofGuest(GuestEvent event) {
    switch (event) {
      case GuestEvent.Traded(GuestText agent) -> {
        traded = true;
        guestHeard();
        log.info("traded", "agent", agent);
        if (step == Step.SYSTEM) {
          done();
          begin(Step.AGENT);
        }
      }
      case GuestEvent.Progressed(GuestRequest.Progress.Code code, GuestText text) ->
          progressed(code, text);
      case GuestEvent.Ready _ -> {
        if (step == Step.AGENT) {
          log.info("guest-ready");
          done();
          begin(Step.DESKTOP);
          if (settings.desktop()) {
            Thread.ofVirtual().name("desktop").start(this::awaitDesktop);
          } else {
            desktopAnswered(); // nobody asks it
          }
        }
      }
      case GuestEvent.Heartbeat _ -> guestHeard();
    }
  }

  private void guestHeard() {
    guestWatch.heard();
    story.over(Trouble.GUEST);
  }

  private void listenForGuest() {
    boolean runs = !machineSilent && !diskWatch.waits() && !(story.state() instanceof Draining);
    if (guestWatch.tick(runs)) {
      story.trouble(
          Trouble.GUEST,
          "the system in the machine has not been heard for a minute: it may hang; if the desktop"
              + " does not move either, end the session");
    }
    agenda.in(GuestWatch.TICK, this::listenForGuest);
  }

  private void progressed(GuestRequest.Progress.Code code, GuestText text) {
    if (progressTold++ == PROGRESS_LIMIT) {
      log.warn("guest-silenced", "after", PROGRESS_LIMIT);
    }
    boolean ends = code == GuestRequest.Progress.Code.FAILED && story.state() instanceof Booting;
    if (progressTold > PROGRESS_LIMIT && !ends) {
      return;
    }
    log.info("guest", "code", code.text(), "text", text);
    switch (code) {
      case STARTED, ACCOUNT, SHARE, RDP -> {
        if (step == Step.AGENT) {
          story.step(step, StepStatus.RUNNING, text.value());
        }
      }
      case SHARE_FAILED -> story.warn(text.value());
      case FAILED -> {
        if (ends) {
          end = failed("the guest could not be set up: " + text);
        } else {
          story.warn(text.value());
        }
      }
    }
  }

  private void awaitDesktop() {
    while (!(story.state() instanceof Ended)) {
      if (Desktop.answers(rdp(), rdpSecurity)) {
        tell(new Happening.DesktopAnswered());
        return;
      }
      try {
        Thread.sleep(DESKTOP_POLL);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private void desktopAnswered() {
    if (step == Step.DESKTOP && story.state() instanceof Booting) {
      done();
      kvmInDoubt = false; // nothing proves it better
      pictures.end();
      story.become(new Ready(clock.instant()));
    }
  }

  // ---- end

  private void planWalltime() {
    if (story.walltimeEnd().isEmpty()) {
      return;
    }
    Walltime plan =
        Walltime.of(
            Duration.between(clock.instant(), story.walltimeEnd().get()), settings.drainTimeout());
    Duration drainLimit = plan.left().minus(plan.drain());
    agenda.in(plan.left(), () -> end = EndReason.of(EndReason.Kind.WALLTIME)); // whatever drains
    agenda.in(plan.drain(), () -> drain(EndReason.of(EndReason.Kind.WALLTIME), drainLimit));
    for (Duration before : plan.notices()) {
      agenda.in(plan.left().minus(before), () -> giveNotice(before));
    }
  }

  private void giveNotice(Duration left) {
    story.walltimeNotice(left);
    GuestApi ours = guestApi;
    if (ours != null) {
      ours.announceWalltime(left, Walltime.notice(left));
    }
  }

  private void endAsked(EndReason reason) {
    if (story.state() instanceof Draining) {
      end = reason; // asked twice: at once
    } else {
      drain(reason, settings.drainTimeout());
    }
  }

  private void drain(EndReason reason, Duration limit) {
    Instant deadline = clock.instant().plus(limit);
    if (!story.become(new Draining(reason, deadline))) {
      return;
    }
    if (!traded) {
      end = reason; // nobody in there has anything to save
      return;
    }
    agenda.in(limit, () -> end = reason);
    try {
      command("system_powerdown");
    } catch (IOException e) {
      log.warn("no-answer", "command", "system_powerdown", "error", e);
      end = reason;
    }
  }

  private void ended(ConfinedProcess helper, int status) {
    Machine ours = machine;
    ShareServer server = share;
    if (ours != null && ours.isRunBy(helper)) {
      machineEnded(status);
    } else if (server != null && server.isServedBy(helper)) {
      smbdEnded(server, status);
    } else if (ours != null && ours.tpm().isRunBy(helper)) {
      tpmEnded(ours, helper, status);
    }
  }

  private void changed(ConfinedProcess helper, HelperWatch.Change change) {
    Machine ours = machine;
    ShareServer server = share;
    if (ours != null && ours.isRunBy(helper)) {
      machineChanged(change);
    } else if (server != null && server.isServedBy(helper)) {
      shareChanged(helper, change);
    } else if (ours != null && ours.tpm().isRunBy(helper)) {
      tpmChanged(change);
    }
  }

  /// In the reverse order of making: whoever uses something goes before it.
  private void takeDown() {
    pictures.end();
    Machine ours = machine;
    if (ours != null) {
      ours.stop();
    }
    GuestApi api = guestApi;
    if (api != null) {
      api.close();
    }
    ShareServer server = share;
    if (server != null) {
      server.stop();
    }
  }

  private void trimLogs() {
    HelperLog.trim(Objects.requireNonNull(machine).log());
    HelperLog.trim(Objects.requireNonNull(machine).tpm().log());
    HelperLog.trim(Objects.requireNonNull(share).log());
    agenda.in(LOG_TRIM, this::trimLogs);
  }

  // ---- mailbox

  private void watch(String name, ConfinedProcess helper) {
    log.info("helper-started", "name", name, "layers", helper.layers());
    Thread.ofVirtual()
        .name("watch-" + name)
        .start(
            () -> {
              try {
                tell(new Happening.HelperEnded(helper, helper.waitFor()));
              } catch (InterruptedException e) {
                return;
              }
            });
  }

  private void ask(
      String name, ConfinedProcess helper, HelperWatch.Question question, int givenUpAfter) {
    new HelperWatch(
            question, givenUpAfter, change -> tell(new Happening.HelperChanged(helper, change)))
        .start(name, helper);
  }

  /// From any thread, also an event loop: it does not block. A mailbox of a thousand is full only
  /// where somebody floods it, and then the flood is what is lost; all else is told at most a few
  /// times in a session, and waits for its place on a thread of its own.
  private void tell(Happening happening) {
    if (mailbox.offer(happening)) {
      return;
    }
    switch (happening) {
      case Happening.OfGuest _, Happening.OfQemu _, Happening.PowerAsked _ -> {
        if (!flooded) {
          flooded = true;
          log.warn("mailbox-full", "lost", happening.getClass().getSimpleName());
        }
      }
      case Happening.EndAsked _,
          Happening.HelperEnded _,
          Happening.HelperChanged _,
          Happening.ControlLost _,
          Happening.DesktopAnswered _ ->
          Thread.ofVirtual().name("mailbox").start(() -> put(happening));
    }
  }

  private void put(Happening happening) {
    try {
      mailbox.put(happening);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
