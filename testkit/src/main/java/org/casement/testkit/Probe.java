package org.casement.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/// One attempt to reach something, carried out by `probe.pl` in whatever place a command line leads
/// to: a namespace, a confinement, another account, the guest.
///
/// @param name says what is attempted; no spaces
/// @param kind one of the kinds in `probe.pl`: `tcp`, `udp`, `abstract-stream`, `read`, `ptrace`, …
/// @param arguments as the kind wants them; no spaces
public record Probe(String name, String kind, List<String> arguments) {
  /// Longer than any answer on one machine takes; a probe that is dropped silently costs this much.
  public static final Duration LIMIT = Duration.ofSeconds(3);

  public Probe {
    arguments = List.copyOf(arguments);
    if ((name + kind + String.join("", arguments)).matches("(?s).*\\s.*") || name.isEmpty()) {
      throw new IllegalArgumentException("a probe's words have no spaces: " + name);
    }
  }

  public static Probe of(String name, String kind, Object... arguments) {
    List<String> words = new ArrayList<>();
    for (Object argument : arguments) {
      words.add(argument.toString());
    }
    return new Probe(name, kind, words);
  }

  /// What came of a probe.
  ///
  /// @param detail what was read, or why it failed
  public record Result(boolean reached, String detail) {}

  /// What came of several, by name, in their order.
  public record Results(Map<String, Result> all) {
    public Result of(String name) {
      return Objects.requireNonNull(all.get(name), name);
    }

    public Set<String> reached() {
      Set<String> reached = new LinkedHashSet<>(all.keySet());
      reached.removeIf(name -> !of(name).reached());
      return reached;
    }
  }

  /// What `probe.pl` reads.
  private String line() {
    return name + " " + kind + " " + String.join(" ", arguments) + "\n";
  }

  /// Runs all probes at once.
  public static Results run(Place place, List<Probe> probes) {
    List<String> perl =
        List.of("/usr/bin/perl", "-e", resource("probe.pl"), Long.toString(LIMIT.toSeconds()));
    Command.Outcome outcome =
        Command.run(place.process(perl), input(probes), LIMIT.plus(Duration.ofSeconds(60)));
    Map<String, Result> results = parse(outcome.out());
    if (results.size() != probes.size()) {
      throw new AssertionError(
          results.size()
              + " results for "
              + probes.size()
              + " probes in "
              + place.name()
              + ": "
              + outcome);
    }
    return new Results(results);
  }

  private static String input(List<Probe> probes) {
    StringBuilder input = new StringBuilder();
    probes.forEach(probe -> input.append(probe.line()));
    return input.append('\n').toString();
  }

  public static Map<String, Result> parse(String output) {
    Map<String, Result> results = new LinkedHashMap<>();
    for (String line : output.lines().toList()) {
      String[] words = line.split(" ", 3);
      if (words.length >= 2 && (words[1].equals("reached") || words[1].equals("failed"))) {
        results.put(
            words[0],
            new Result(words[1].equals("reached"), words.length == 3 ? words[2].strip() : ""));
      }
    }
    return results;
  }

  static String resource(String name) {
    try (InputStream in = Objects.requireNonNull(Probe.class.getResourceAsStream(name))) {
      return new String(in.readAllBytes(), UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
