package org.casement.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// Live servers for probes to aim at: each answers with a token of its own and remembers that it
/// was contacted. They run in a process of their own (`canary.pl`), in whatever place a command
/// line leads to.
public final class Canaries implements AutoCloseable {
  private static final Duration OPEN_LIMIT = Duration.ofSeconds(20);

  /// What to open.
  ///
  /// @param kind `tcp`, `udp`, `udplite`, `abstract-stream`, `abstract-dgram`,
  ///   `abstract-seqpacket`, `path-stream`, `path-dgram`
  /// @param address IP literal, abstract name or path
  /// @param port 0 for one of the kernel's choice, and for unix sockets
  public record Spec(String name, String kind, String address, int port) {}

  private final Process process;
  private final Map<String, String> tokens = new LinkedHashMap<>();
  private final ConcurrentMap<String, Integer> ports = new ConcurrentHashMap<>();
  private final ConcurrentMap<String, Integer> contacts = new ConcurrentHashMap<>();
  private final AtomicLong synced = new AtomicLong();
  private long marks;
  private volatile @Nullable String failure;

  private Canaries(Process process) {
    this.process = process;
  }

  /// Opens all of `specs` in `place`.
  ///
  /// @param interfaces IPv4 addresses whose interfaces hear the multicast group 239.255.77.77
  public static Canaries open(Place place, List<Spec> specs, List<String> interfaces) {
    ProcessBuilder builder =
        place
            .process(List.of("/usr/bin/perl", "-e", Probe.resource("canary.pl")))
            .redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().put("MULTICAST", String.join(",", interfaces));
    try {
      Canaries canaries = new Canaries(builder.start());
      canaries.start(specs);
      return canaries;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public static Canaries open(List<Spec> specs) {
    return open(Place.node(), specs, List.of());
  }

  private void start(List<Spec> specs) throws IOException {
    Writer in = new OutputStreamWriter(process.getOutputStream(), UTF_8);
    for (Spec spec : specs) {
      String token = "canary" + Long.toHexString(ThreadLocalRandom.current().nextLong());
      tokens.put(spec.name(), token);
      in.write(
          String.join(
                  " ",
                  spec.name(),
                  spec.kind(),
                  spec.address(),
                  Integer.toString(spec.port()),
                  token)
              + "\n");
    }
    in.write("\n");
    in.flush();
    Thread.ofPlatform().daemon().start(this::follow); // it reads a pipe, see Command
    try {
      Await.until(
          "all canaries are open",
          OPEN_LIMIT,
          () -> failure != null || ports.size() == specs.size());
    } catch (AssertionError e) {
      close();
      throw e;
    }
    if (failure != null) {
      close();
      throw new AssertionError("canary " + failure);
    }
  }

  private void follow() {
    try (BufferedReader out = process.inputReader(UTF_8)) {
      for (String line = out.readLine(); line != null; line = out.readLine()) {
        String[] words = line.split(" ", 3);
        switch (words[0]) {
          case "open" -> ports.put(words[1], Integer.parseInt(words[2]));
          case "contact" -> contacts.merge(words[1], 1, Integer::sum);
          case "synced" -> synced.set(Long.parseLong(words[1]));
          default -> failure = line;
        }
      }
    } catch (IOException e) {
      failure = e.toString();
    }
  }

  public int port(String name) {
    return Objects.requireNonNull(ports.get(name), name);
  }

  /// What the canary answers with.
  public String token(String name) {
    return Objects.requireNonNull(tokens.get(name), name);
  }

  /// Which canaries somebody contacted since the last call of [#forget].
  public Set<String> contacted() {
    sync();
    return new TreeSet<>(contacts.keySet());
  }

  public void forget() {
    sync();
    contacts.clear();
  }

  /// Waits until every contact that has been answered is counted: they come through a pipe.
  private void sync() {
    long mark = ++marks;
    try {
      process.getOutputStream().write((mark + "\n").getBytes(UTF_8));
      process.getOutputStream().flush();
    } catch (IOException e) {
      throw new UncheckedIOException("the canaries have ended", e);
    }
    Await.until("all contacts are counted", OPEN_LIMIT, () -> synced.get() >= mark);
  }

  @Override
  public void close() {
    try {
      process.getOutputStream().close();
      process.waitFor();
    } catch (IOException e) {
      process.destroyForcibly();
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
