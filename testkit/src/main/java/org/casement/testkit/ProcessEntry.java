package org.casement.testkit;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// A process as /proc shows it (proc(5)). Root sees everybody's.
///
/// @param uid real user id, in the numbers of the reader's user namespace
/// @param name the program's own name, at most 15 characters
/// @param state `Z` is a zombie
public record ProcessEntry(int pid, int parent, int uid, String name, char state) {
  private static final Path PROC = Path.of("/proc");

  public static List<ProcessEntry> all() {
    List<ProcessEntry> entries = new ArrayList<>();
    try (DirectoryStream<Path> directories = Files.newDirectoryStream(PROC, "[0-9]*")) {
      for (Path directory : directories) {
        read(Integer.parseInt(directory.getFileName().toString())).ifPresent(entries::add);
      }
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
    return entries;
  }

  /// Without zombies: they hold nothing any more, and whoever started them reaps them.
  public static List<ProcessEntry> ofUser(int uid) {
    return all().stream().filter(entry -> entry.uid == uid && entry.state != 'Z').toList();
  }

  /// `pid` and all that came of it, parents first.
  public static List<ProcessEntry> tree(int pid) {
    List<ProcessEntry> all = all();
    Set<Integer> inside = new HashSet<>(Set.of(pid));
    boolean grows = true;
    while (grows) {
      grows = false;
      for (ProcessEntry entry : all) {
        grows |= inside.contains(entry.parent) && inside.add(entry.pid);
      }
    }
    return all.stream().filter(entry -> inside.contains(entry.pid)).toList();
  }

  /// Empty if there is no such process (any more).
  public static Optional<ProcessEntry> read(int pid) {
    Map<String, String> status = new HashMap<>();
    try {
      for (String line : Files.readAllLines(directory(pid).resolve("status"), ISO_8859_1)) {
        int colon = line.indexOf(':');
        if (colon > 0) {
          status.put(line.substring(0, colon), line.substring(colon + 1).strip());
        }
      }
    } catch (IOException e) {
      return Optional.empty();
    }
    return Optional.of(
        new ProcessEntry(
            pid,
            Integer.parseInt(status.getOrDefault("PPid", "0")),
            Integer.parseInt(status.getOrDefault("Uid", "-1").split("\\s+", 2)[0]),
            status.getOrDefault("Name", "?"),
            status.getOrDefault("State", "?").charAt(0)));
  }

  /// The arguments, as the process shows them to everybody.
  public List<String> arguments() {
    try {
      String line = Files.readString(directory(pid).resolve("cmdline"), ISO_8859_1);
      return line.isEmpty() ? List.of() : List.of(line.split("\0", -1));
    } catch (IOException e) {
      return List.of();
    }
  }

  public byte[] environment() {
    try {
      return Files.readAllBytes(directory(pid).resolve("environ"));
    } catch (IOException e) {
      return new byte[0];
    }
  }

  /// What each descriptor leads to, as /proc names it (`socket:[123]`, `/dev/null`, …); empty once
  /// the process has ended.
  public Map<Integer, String> descriptors() {
    Map<Integer, String> descriptors = new HashMap<>();
    try (DirectoryStream<Path> links = Files.newDirectoryStream(directory(pid).resolve("fd"))) {
      for (Path link : links) {
        int number = Integer.parseInt(link.getFileName().toString());
        target(link).ifPresent(target -> descriptors.put(number, target));
      }
    } catch (IOException e) {
      return Map.of();
    }
    return descriptors;
  }

  /// The namespace of `kind` (`net`, `user`, …) it lives in: `net:[4026531840]`.
  public Optional<String> namespace(String kind) {
    return target(directory(pid).resolve("ns/" + kind));
  }

  public List<String> lines(String file) {
    try {
      return Files.readAllLines(directory(pid).resolve(file), ISO_8859_1);
    } catch (IOException e) {
      return List.of();
    }
  }

  /// Processor time it has used itself: utime and stime of proc(5), which follow the name in
  /// parentheses; in ticks of 10 ms (CLK_TCK of all Linux architectures we know).
  public long processorTicks() {
    String line = lines("stat").getFirst();
    String[] fields = line.substring(line.lastIndexOf(')') + 2).split(" ", -1);
    return Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
  }

  public boolean isAlive() {
    return read(pid).filter(entry -> entry.state != 'Z').isPresent();
  }

  /// Sends `signal`, named without SIG.
  public void signal(String signal) {
    Command.run("kill", "-" + signal, Integer.toString(pid)).orFail();
  }

  /// SIGKILL.
  public void kill() {
    ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
  }

  /// Empty where the link, or the process, has gone meanwhile.
  private static Optional<String> target(Path link) {
    try {
      return Optional.of(Files.readSymbolicLink(link).toString());
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static Path directory(int pid) {
    return PROC.resolve(Integer.toString(pid));
  }
}
