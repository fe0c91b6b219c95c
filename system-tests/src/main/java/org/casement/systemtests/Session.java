package org.casement.systemtests;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.Leaks;
import org.casement.testkit.ProcessEntry;
import org.casement.testkit.TestUser;

/// A session started as a user starts it, by `casement run` in the foreground, and looked at from
/// outside, as root sees it.
public final class Session implements AutoCloseable {
  /// The program prints the link within a second on an idle machine.
  private static final Duration LINK_LIMIT = Duration.ofSeconds(40);

  /// The demo guest is ready in 10 to 15 s in software, on an idle machine.
  public static final Duration READY_LIMIT = Duration.ofMinutes(2);

  /// drain_timeout and what comes after it.
  public static final Duration END_LIMIT = Duration.ofMinutes(1);

  /// For what was written just before the end.
  private static final Duration READ_LIMIT = Duration.ofSeconds(2);

  private final TestUser user;
  private final Path configuration;
  private final Path stateHome;
  private final Process process;
  private final List<String> out = new CopyOnWriteArrayList<>();
  private final List<String> err = new CopyOnWriteArrayList<>();
  private final List<Thread> readers = new ArrayList<>();

  private Session(TestUser user, Path configuration, Path stateHome, Process process) {
    this.user = user;
    this.configuration = configuration;
    this.stateHome = stateHome;
    this.process = process;
  }

  /// Starts a session and waits until its last link is printed.
  public static Session start(TestUser user, Settings settings, String... arguments) {
    Session session = launch(user, settings, arguments);
    try {
      Await.until(
          "a link is printed",
          LINK_LIMIT,
          () -> session.printedAll(settings) || !session.process.isAlive(),
          session::story);
      if (!session.printedAll(settings)) {
        throw new AssertionError("the session did not start\n" + session.story());
      }
      return session;
    } catch (AssertionError e) {
      session.close();
      throw e;
    }
  }

  /// Starts `casement run`, whatever will come of it.
  public static Session launch(TestUser user, Settings settings, String... arguments) {
    Path configuration = user.write(".config/casement/casement.toml", settings.toml());
    List<String> command =
        new ArrayList<>(
            List.of("/bin/sh", "-c", "umask " + settings.umask() + "; exec \"$@\"", "sh"));
    command.addAll(command(configuration, "run"));
    command.addAll(List.of(arguments));
    try {
      Session session =
          new Session(
              user, configuration, settings.sessionHome(user), environment(user, command).start());
      session.readers.add(follow(session.process.inputReader(UTF_8), session.out));
      session.readers.add(follow(session.process.errorReader(UTF_8), session.err));
      return session;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// What `user` holds before their session, less what a session is meant to leave: its log, the
  /// directories above it, the share and what is in it.
  public static Leaks leaks(TestUser user, Path... directories) {
    String home = Pattern.quote(user.home().toString());
    return Leaks.watch(user, directories)
        .exceptFor(
            home
                + "/(casement(/.*)?|\\.config(/casement(/casement\\.toml)?)?"
                + "|\\.local(/state(/casement(/sessions(/[a-z0-9-]+(/log)?)?)?)?)?)");
  }

  /// What a session that must not start says, and its exit status.
  public static Command.Outcome refused(TestUser user, Settings settings) {
    try (Session session = launch(user, settings)) {
      return session.awaitExit(END_LIMIT);
    }
  }

  private static List<String> command(Path configuration, String subcommand) {
    return new ArrayList<>(
        List.of(Program.launcher().toString(), subcommand, "--config", configuration.toString()));
  }

  private static ProcessBuilder environment(TestUser user, List<String> command) {
    ProcessBuilder builder = user.process(command);
    builder.environment().put("JAVA_HOME", Program.javaHome().toString());
    return builder;
  }

  private static Thread follow(BufferedReader reader, List<String> lines) {
    return Thread.ofPlatform() // see Command
        .daemon()
        .start(
            () -> {
              try (reader) {
                reader.lines().forEach(lines::add);
              } catch (IOException | UncheckedIOException e) {
                lines.add("(" + e + ")");
              }
            });
  }

  public TestUser user() {
    return user;
  }

  /// What stands behind `word` in the first line of standard output that begins with it.
  private Optional<String> printed(String word) {
    return out.stream()
        .filter(line -> line.startsWith(word + " "))
        .map(line -> line.substring(word.length() + 1).strip())
        .findFirst();
  }

  /// Whether the first link into it has been printed.
  public boolean isAnnounced() {
    return printed("link").isPresent();
  }

  private boolean printedAll(Settings settings) {
    return (printed("link").isPresent() || !settings.has("web"))
        && (printed("console").isPresent() || !settings.has("console"));
  }

  public String id() {
    return printed("session").orElseThrow();
  }

  /// The first link into the session.
  public URI link() {
    return URI.create(printed("link").orElseThrow());
  }

  /// The first link to the console; empty where there is no such connector.
  public Optional<URI> console() {
    return printed("console").map(URI::create);
  }

  /// Another link, from `casement link`.
  public URI anotherLink(String... options) {
    String[] arguments = new String[options.length + 1];
    System.arraycopy(options, 0, arguments, 0, options.length);
    arguments[options.length] = id();
    return URI.create(casement("link", arguments).orFail().strip());
  }

  /// A command of the session's owner, with the session's configuration.
  public Command.Outcome casement(String subcommand, String... arguments) {
    List<String> command = command(configuration, subcommand);
    command.addAll(List.of(arguments));
    return Command.run(environment(user, command), "", Duration.ofSeconds(30));
  }

  public Path home() {
    return stateHome.resolve("sessions").resolve(id());
  }

  public Path runtime() {
    try {
      Map<String, Object> whereabouts =
          JSON.std.mapFrom(Files.readString(home().resolve("session.json")));
      return Path.of(String.valueOf(whereabouts.get("runtime")));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public String log() {
    try {
      return Files.readString(home().resolve("log"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// What `casement status` prints, asked without starting a JVM each time.
  public Map<String, Object> status() {
    try (SocketChannel channel =
        SocketChannel.open(UnixDomainSocketAddress.of(runtime().resolve("control")))) {
      Channels.newOutputStream(channel).write("status\n".getBytes(UTF_8));
      InputStream in = Channels.newInputStream(channel);
      return JSON.std.mapFrom(new String(in.readAllBytes(), UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public String nonce() {
    return String.valueOf(status().get("nonce"));
  }

  public void awaitReady() {
    awaitState("ready", READY_LIMIT);
  }

  public void awaitState(String state, Duration limit) {
    Await.until(
        "state " + state,
        limit,
        () -> {
          if (!process.isAlive()) {
            throw new AssertionError("the session ended before it was " + state + "\n" + story());
          }
          return state.equals(status().get("state"));
        },
        this::story);
  }

  public void awaitLog(String text, Duration limit) {
    Await.until("the log says '" + text + "'", limit, () -> log().contains(text), this::story);
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  /// The process the user started: it opens the listeners, waits, tidies.
  public ProcessEntry outer() {
    return ProcessEntry.read(Math.toIntExact(process.pid())).orElseThrow();
  }

  /// PID 1 of the sealed namespaces.
  public ProcessEntry supervisor() {
    return inTree(
        "the supervisor",
        entry ->
            entry.namespace("pid").filter(space -> !isOuters(space)).isPresent()
                && parent(entry).namespace("pid").equals(outer().namespace("pid")));
  }

  private boolean isOuters(String pidNamespace) {
    return outer().namespace("pid").filter(pidNamespace::equals).isPresent();
  }

  /// util-linux' unshare, between the two: the parent of PID 1.
  public ProcessEntry unshare() {
    return inTree("unshare", entry -> entry.name().equals("unshare"));
  }

  /// A helper, by the name the kernel shows: `qemu-system-x86`, `smbd`.
  public ProcessEntry helper(String name) {
    return inTree(name, entry -> entry.name().equals(name));
  }

  public ProcessEntry qemu() {
    return helper("qemu-system-x86");
  }

  /// The main smbd; its children come and go with connections.
  public ProcessEntry smbd() {
    return inTree(
        "smbd", entry -> entry.name().equals("smbd") && !parent(entry).name().equals("smbd"));
  }

  private ProcessEntry inTree(String what, java.util.function.Predicate<ProcessEntry> which) {
    return Await.found(
        what + " runs",
        LINK_LIMIT,
        () -> ProcessEntry.tree(Math.toIntExact(process.pid())).stream().filter(which).findFirst());
  }

  private static ProcessEntry parent(ProcessEntry entry) {
    return ProcessEntry.read(entry.parent()).orElse(entry);
  }

  /// Root's shell in the guest; the settings must ask for the test port.
  public GuestShell guestShell() {
    return GuestShell.open(runtime().resolve("machine/sockets/test"));
  }

  /// Ends the session as its owner does, by `casement stop`.
  public Command.Outcome stop() {
    casement("stop", id()).orFail();
    return awaitExit(END_LIMIT);
  }

  /// SIGTERM to the process the user started; what it then says is still heard, which
  /// Process.destroy() would end.
  public void terminate() {
    process.toHandle().destroy();
  }

  /// What `casement run` left with, once it has ended.
  public Command.Outcome awaitExit(Duration limit) {
    try {
      if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        throw new AssertionError(
            "casement run still runs after " + limit.toSeconds() + " s\n" + story());
      }
      for (Thread reader : readers) {
        reader.join(READ_LIMIT);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
    return new Command.Outcome(process.exitValue(), String.join("\n", out), String.join("\n", err));
  }

  /// Everything there is to say about a session that did not do what it should.
  public String story() {
    String story = "out: " + out + "\nerr: " + String.join("\n     ", err);
    if (printed("session").isPresent() && Files.exists(home().resolve("log"))) {
      story += "\nlog:\n" + log();
    }
    return story;
  }

  /// SIGTERM, then after a while SIGKILL to all of it.
  @Override
  public void close() {
    List<ProcessEntry> tree = ProcessEntry.tree(Math.toIntExact(process.pid()));
    process.destroy();
    try {
      if (!process.waitFor(END_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
        tree.forEach(ProcessEntry::kill);
      }
    } catch (InterruptedException e) {
      tree.forEach(ProcessEntry::kill);
      Thread.currentThread().interrupt();
    }
  }
}
