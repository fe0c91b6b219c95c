package org.casement.systemtests;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.Probe;

/// Root's shell in the demo guest, on the virtio port that only tests ask for. Not thread-safe.
public final class GuestShell implements AutoCloseable {
  private static final Duration LIMIT = Duration.ofSeconds(90);

  private static final Duration ASK_AGAIN = Duration.ofSeconds(1);

  private final SocketChannel channel;
  private final ByteArrayOutputStream heard = new ByteArrayOutputStream();
  private int commands;

  private GuestShell(SocketChannel channel) {
    this.channel = channel;
  }

  /// Connects to `socket` as soon as it is there; what is said before the guest listens waits in
  /// the port.
  public static GuestShell open(Path socket) {
    SocketChannel channel =
        Await.found(
            "the guest's test port " + socket,
            LIMIT,
            () -> {
              try {
                return Optional.of(SocketChannel.open(UnixDomainSocketAddress.of(socket)));
              } catch (IOException e) {
                return Optional.empty();
              }
            });
    GuestShell shell = new GuestShell(channel);
    Thread.ofVirtual().start(shell::listen);
    return shell;
  }

  private void listen() {
    try (InputStream in = Channels.newInputStream(channel)) {
      byte[] buffer = new byte[8192];
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        synchronized (heard) {
          heard.write(buffer, 0, n);
        }
      }
    } catch (IOException e) {
      return; // closed, or the machine has ended: the next command says so
    }
  }

  private String heard() {
    synchronized (heard) {
      return heard.toString(UTF_8);
    }
  }

  /// Runs `script` with sh, as root, with nothing on its standard input; errors come with the
  /// output.
  public Command.Outcome run(String script) {
    return run(script, LIMIT);
  }

  public Command.Outcome run(String script, Duration limit) {
    String mark = "=== " + ++commands + " ===";
    String encoded = Base64.getEncoder().encodeToString(script.getBytes(UTF_8));
    Pattern answer =
        Pattern.compile(
            "(?s)" + Pattern.quote(mark) + "\n(.*)" + Pattern.quote(mark) + " ([0-9]+)\n");
    String line =
        "echo '%s'; echo %s | base64 -d >/tmp/.casement-test; sh /tmp/.casement-test </dev/null 2>&1; echo \"%s $?\"%n"
            .formatted(mark, encoded, mark);
    write(line);
    return Await.found(
        "the guest answers: " + script,
        limit,
        () -> {
          Matcher matcher = answer.matcher(heard());
          return matcher.find()
              ? Optional.of(
                  new Command.Outcome(Integer.parseInt(matcher.group(2)), matcher.group(1), ""))
              : Optional.empty();
        });
  }

  /// Waits until the guest has mounted the share `name`: it may be ready before.
  public void awaitShare(String name) {
    Await.until(
        "the share " + name + " is mounted in the guest",
        LIMIT,
        () -> run("grep -q ' /home/user/" + name + " cifs ' /proc/mounts").status() == 0,
        () -> run("cat /proc/mounts; dmesg | tail").out());
  }

  /// Says `command` and does not wait: for what ends the guest that would answer.
  public void post(String command) {
    write(command + "\n");
  }

  /// Waits for the shell of the next boot after a reset. What is said while there is none may be
  /// lost.
  public void awaitReboot(Duration limit) {
    String mark = "=== up " + ++commands + " ===";
    AtomicLong sent = new AtomicLong(System.nanoTime());
    Await.until(
        "the guest's shell answers again",
        limit,
        () -> {
          if (System.nanoTime() - sent.get() > ASK_AGAIN.toNanos()) {
            write("echo '" + mark + "'\n");
            sent.set(System.nanoTime());
          }
          return heard().contains(mark + "\n");
        });
  }

  private void write(String text) {
    try {
      Channels.newOutputStream(channel).write(text.getBytes(UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Carries out probes in the guest, as its root, all at once: the same names as [Probe], by the
  /// guest's own tools (socat, ping).
  public Probe.Results probe(List<Probe> probes) {
    StringBuilder script = new StringBuilder("rm -rf /tmp/probes; mkdir /tmp/probes\n");
    for (Probe probe : probes) {
      script.append("(%s) >/tmp/probes/%s 2>&1 &%n".formatted(attempt(probe), probe.name()));
    }
    script.append("wait\ncd /tmp/probes; for f in *; do echo \"$f $(tr '\\n' ' ' <$f)\"; done\n");
    String out = run(script.toString()).orFail();
    Map<String, String> said = new LinkedHashMap<>();
    out.lines()
        .map(line -> line.split(" ", 2))
        .forEach(words -> said.put(words[0], words[1].strip()));
    Map<String, Probe.Result> results = new LinkedHashMap<>();
    for (Probe probe : probes) {
      String text = said.get(probe.name());
      if (text == null) {
        throw new AssertionError("no result of the guest's probe " + probe.name() + ": " + out);
      }
      Matcher token = Pattern.compile("canary[0-9a-f]+").matcher(text);
      boolean answered = probe.kind().equals("ping") ? text.contains("ttl=") : token.find();
      results.put(
          probe.name(),
          new Probe.Result(
              answered, probe.kind().equals("ping") || !answered ? text : token.group()));
    }
    return new Probe.Results(results);
  }

  private static String attempt(Probe probe) {
    List<String> arguments = new ArrayList<>(probe.arguments());
    String host = arguments.get(0).contains(":") ? "[" + arguments.get(0) + "]" : arguments.get(0);
    String version = host.startsWith("[") ? "6" : "4";
    String target = arguments.size() > 1 ? host + ":" + arguments.get(1) : host;
    return switch (probe.kind()) {
      case "tcp" ->
          "timeout 8 socat -t4 -T4 - TCP"
              + version
              + ":"
              + target
              + ",connect-timeout=4 </dev/null";
      case "udp" -> "echo hello | timeout 8 socat -t4 -T4 - UDP" + version + ":" + target;
      case "group" ->
          "echo hello | timeout 8 socat -t4 -T4 - UDP4-DATAGRAM:" + target + ",broadcast";
      case "ping" -> "ping -c 1 -W 4 " + arguments.get(0);
      default -> throw new IllegalArgumentException("no such probe in the guest: " + probe.kind());
    };
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
