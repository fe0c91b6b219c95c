package org.casement.app;

import java.io.IOException;
import java.io.PrintStream;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import org.casement.console.ConsoleConnector;
import org.casement.isolation.InheritedListener;
import org.casement.isolation.InheritedListeners;
import org.casement.isolation.ProcessHardening;
import org.casement.isolation.RuntimeDirectory;
import org.casement.isolation.Seal;
import org.casement.relay.Desk;
import org.casement.relay.Door;
import org.casement.relay.EventLoops;
import org.casement.session.EndReason;
import org.casement.session.EventLog;
import org.casement.session.SessionId;
import org.casement.session.SessionState;
import org.casement.session.SessionStory;
import org.casement.session.SteadyClock;
import org.casement.settings.ConfigurationException;
import org.casement.supervisor.StoryLog;
import org.casement.supervisor.Supervisor;
import org.casement.web.DesktopLogin;
import org.casement.web.WebConnector;

/// `casement session`: the supervisor and the connectors of one session, wired together. Started in
/// the sealed namespace, with the listeners inherited.
final class SessionProgram {
  /// A link that was asked for later is for now.
  private static final Duration LINK_VALIDITY = Duration.ofMinutes(10);

  /// What the first process of the session gets as its command line.
  ///
  /// @param home the session's own directory below the session homes
  /// @param configuration its files, the one that counts most first
  record Arguments(
      SessionId id, Path home, Path runtime, Duration walltime, List<Path> configuration) {
    List<String> commandLine() {
      List<String> line =
          new ArrayList<>(
              List.of(
                  "session",
                  id.value(),
                  home.toString(),
                  runtime.toString(),
                  Long.toString(walltime.toSeconds())));
      configuration.forEach(file -> line.add(file.toString()));
      return line;
    }

    static Arguments parse(List<String> line) {
      return new Arguments(
          new SessionId(line.get(0)),
          Path.of(line.get(1)),
          Path.of(line.get(2)),
          Duration.ofSeconds(Long.parseLong(line.get(3))),
          line.stream().skip(4).map(Path::of).toList());
    }
  }

  private static final Path STANDARD_OUTPUT = Path.of("/proc/self/fd/1");

  private final Arguments arguments;
  private final Map<String, String> environment;
  private final Prelude prelude;
  private final List<InheritedListener> listeners;
  private final Consumer<List<URI>> listening;
  private final SecureRandom random = new SecureRandom();
  private final InstantSource clock = new SteadyClock(Instant.now(), System::nanoTime);
  private final String strength;
  private final CountDownLatch ended = new CountDownLatch(1);
  private volatile int exitStatus = Main.FAILED;

  /// @param listeners in the contract's order, those that the configuration switches on
  /// @param listening told the first links, once the connectors listen
  SessionProgram(
      Arguments arguments,
      Map<String, String> environment,
      Prelude prelude,
      List<InheritedListener> listeners,
      Consumer<List<URI>> listening) {
    this.arguments = arguments;
    this.environment = environment;
    this.strength = environment.getOrDefault(SealedStart.STRENGTH, "unprivileged");
    this.prelude = prelude;
    this.listeners = List.copyOf(listeners);
    this.listening = listening;
  }

  static int main(List<String> line) {
    try {
      Arguments arguments = Arguments.parse(line);
      Map<String, String> environment = System.getenv();
      Prelude prelude = Prelude.begin(arguments.configuration(), environment);
      ProcessHardening.nonDumpable(); // SECURITY: before there is a secret
      List<InheritedListener> listeners = InheritedListeners.fromEnvironment(environment);
      return new SessionProgram(arguments, environment, prelude, listeners, _ -> {}).run();
    } catch (ConfigurationException e) {
      Main.complain(e.getMessage());
      return Main.CONFIGURATION;
    } catch (IOException e) {
      Main.complain("the session did not start: " + e.getMessage());
      return Main.UNAVAILABLE;
    } catch (RuntimeException | Error e) { // other threads would keep the process alive
      e.printStackTrace();
      return Main.FAILED;
    }
  }

  /// Runs the session to its end; returns the exit status.
  int run() throws IOException, ConfigurationException {
    try {
      exitStatus = runToItsEnd();
      return exitStatus;
    } finally {
      ended.countDown();
    }
  }

  private int runToItsEnd() throws IOException, ConfigurationException {
    try (RuntimeDirectory _ = RuntimeDirectory.hold(arguments.runtime());
        PrintStream logFile = LogFile.open(arguments.home().resolve("log"));
        Announcer announcer = new Announcer();
        EventLoops loops = Prelude.result(prelude.loops())) {
      Configuration configuration = Prelude.result(prelude.configuration());
      EventLog log = new EventLog(logFile, InstantSource.system());
      SessionStory story =
          new SessionStory(
              arguments.id(), Optional.of(clock.instant().plus(arguments.walltime())), clock);
      log.info(
          "start",
          "session",
          arguments.id(),
          "walltime",
          arguments.walltime().toSeconds() + "s",
          "strength",
          strength,
          "layers",
          environment.getOrDefault(Seal.LAYERS_VARIABLE, "none"));
      sayIfTheOverlayIsMemory(configuration, log);
      story.follow(new StoryLog(log));
      story.follow(announcer);
      Supervisor supervisor =
          new Supervisor(
              configuration.supervisorSettings(arguments.runtime()),
              story,
              loops,
              log,
              random,
              clock);
      supervisor.look();
      return live(configuration, story, supervisor, loops, log, announcer);
    }
  }

  /// On a node without disks the runtime directory is memory: what the guest writes is then the
  /// job's memory, beside the machine's own.
  private void sayIfTheOverlayIsMemory(Configuration configuration, EventLog log)
      throws IOException {
    String type = Files.getFileStore(arguments.runtime()).type();
    if (type.equals("tmpfs") || type.equals("ramfs")) {
      log.warn(
          "overlay-in-memory",
          "directory",
          arguments.runtime(),
          "limit",
          configuration.machine().overlayLimitGibibytes() + "GiB",
          "countsAgainst",
          environment.containsKey("SLURM_JOB_ID") ? "the job's memory" : "this node's memory");
    }
  }

  private int live(
      Configuration configuration,
      SessionStory story,
      Supervisor supervisor,
      EventLoops loops,
      EventLog log,
      Announcer announcer)
      throws IOException, ConfigurationException {
    Door door = new Door(arguments.id(), clock, random, log);
    Desk desk =
        new Desk(
            loops,
            door,
            story,
            Prelude.result(prelude.pages()),
            strength,
            () -> supervisor.end(EndReason.of(EndReason.Kind.USER)),
            new Desk.Power(configuration.console().power(), supervisor::press),
            supervisor::watchScreen,
            random,
            log);
    Deque<InheritedListener> unused = new ArrayDeque<>(listeners);
    Map<String, String> addresses = new LinkedHashMap<>();
    Deque<AutoCloseable> open = new ArrayDeque<>();
    try {
      if (configuration.listen().web()) {
        InheritedListener listener = unused.removeFirst();
        addresses.put("web", address(listener));
        open.push(
            WebConnector.open(
                desk,
                listener.descriptor(),
                () -> login(configuration, story, supervisor),
                supervisor.rdp(),
                configuration.clipboard(),
                configuration.sound()));
      }
      if (configuration.listen().console()) {
        InheritedListener listener = unused.removeFirst();
        addresses.put("console", address(listener));
        open.push(ConsoleConnector.open(desk, listener.descriptor(), supervisor.vncSocket()));
      }
      open.push(
          ControlSocket.open(
              arguments.runtime(), command -> answer(command, supervisor, door, addresses)));
      announce(door, addresses, announcer, log);
      return Main.onSignal(() -> signalled(supervisor)) ? status(supervisor.live()) : Main.OK;
    } finally {
      while (!open.isEmpty()) {
        close(open.pop());
      }
    }
  }

  /// After a signal, and also at an ordinary exit.
  private void signalled(Supervisor supervisor) {
    if (ended.getCount() == 0) {
      return;
    }
    supervisor.end(EndReason.of(EndReason.Kind.CANCELLED));
    try {
      ended.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Runtime.getRuntime().halt(exitStatus);
  }

  private static void close(AutoCloseable closeable) {
    try {
      closeable.close();
    } catch (Exception e) {
      throw new IllegalStateException("closing a connector failed", e);
    }
  }

  private static Optional<DesktopLogin> login(
      Configuration configuration, SessionStory story, Supervisor supervisor) {
    return story.state() instanceof SessionState.Ready
        ? Optional.of(
            new DesktopLogin(
                configuration.machine().user(),
                supervisor.desktopPassword(),
                supervisor.rdpSecurity()))
        : Optional.empty();
  }

  /// Prints the first links and leaves them in the session home, where there is always one that
  /// nobody has used: from another node the user has no other way to one.
  ///
  /// SECURITY: a link is an entry until it is used; where others can read what is printed (a batch
  /// job's output), only where it is is said.
  private void announce(Door door, Map<String, String> addresses, Announcer announcer, EventLog log)
      throws IOException {
    announcer.print("session " + arguments.id());
    List<URI> links = new ArrayList<>();
    boolean readable = isReadableForOthers(STANDARD_OUTPUT);
    for (Map.Entry<String, String> address : addresses.entrySet()) {
      String name = address.getKey().equals("web") ? "link" : address.getKey();
      Path file = arguments.home().resolve(name);
      String link = leaveLink(file, address.getValue(), door, log);
      links.add(URI.create(link));
      announcer.print(readable ? name + "-file " + file : name + " " + link);
    }
    listening.accept(links);
  }

  private String leaveLink(Path file, String address, Door door, EventLog log) throws IOException {
    Runnable again =
        () -> {
          try {
            String _ = leaveLink(file, address, door, log);
          } catch (IOException e) {
            log.warn("no-link", "file", file, "error", e);
          }
        };
    // Files on a network may keep a thread waiting.
    Runnable used = () -> Thread.ofPlatform().daemon().name("link").start(again);
    String link = address + "#t=" + door.mintStandingLink(used).base64url();
    SessionHome.writePrivately(file, link + "\n");
    return link;
  }

  private static boolean isReadableForOthers(Path output) {
    try {
      return Files.isRegularFile(output)
          && ((Integer) Files.getAttribute(output, "unix:mode") & 044) != 0;
    } catch (IOException e) {
      return false; // a pipe whose other end is nobody else's
    }
  }

  private static String link(String address, Door door) {
    return address + "#t=" + door.mintLink(LINK_VALIDITY).base64url();
  }

  private static String address(InheritedListener listener) throws IOException {
    InetAddress listening = listener.address();
    String host =
        listening.isAnyLocalAddress()
            ? SealedStart.node()
            : listening instanceof Inet6Address
                ? "[" + listening.getHostAddress() + "]"
                : listening.getHostAddress();
    return "http://" + host + ":" + listener.port() + "/";
  }

  private static Map<String, Object> answer(
      String command, Supervisor supervisor, Door door, Map<String, String> addresses) {
    return switch (command) {
      case "status" -> supervisor.status();
      case "link" -> {
        Map<String, Object> links = new LinkedHashMap<>();
        addresses.forEach((name, address) -> links.put(name, link(address, door)));
        yield links;
      }
      case "stop" -> {
        supervisor.end(EndReason.of(EndReason.Kind.USER));
        yield Map.of("stopping", true);
      }
      default -> Map.of("error", "unknown command");
    };
  }

  private static int status(EndReason reason) {
    return switch (reason.kind()) {
      case USER, CANCELLED, WALLTIME, GUEST_SHUTDOWN -> Main.OK;
      case NODE -> Main.UNAVAILABLE;
      case FAILED -> Main.FAILED;
    };
  }
}
