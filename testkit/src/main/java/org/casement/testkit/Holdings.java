package org.casement.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;

/// What one user holds of a node at one moment, counted. Taken by root, from /proc and the
/// directories where a session puts files.
///
/// @param counts per kind: a label that survives a restart (a program's name, a kind of descriptor,
///   a listener's address, a path) and how many there are
public record Holdings(Map<Kind, Map<String, Integer>> counts) {
  /// Kinds of things a session must give back.
  public enum Kind {
    PROCESSES,
    THREADS,
    DESCRIPTORS,
    /// Other than the node's own.
    NAMESPACES,
    /// In namespaces other than the node's own, and of the user's files on the node.
    MOUNTS,
    /// Listening sockets and bound unix sockets.
    SOCKETS,
    SHARED_MEMORY,
    FILES
  }

  private static final List<String> NAMESPACE_KINDS =
      List.of("net", "user", "pid", "mnt", "ipc", "uts", "cgroup");
  private static final Pattern NUMBERS = Pattern.compile("[0-9]+");

  /// Counts what `uid` holds now.
  ///
  /// @param directories where the user's files are counted; links are not followed
  public static Holdings of(int uid, List<Path> directories) {
    Counter counter = new Counter();
    Set<String> seen = new HashSet<>();
    ProcessEntry self =
        ProcessEntry.read(Math.toIntExact(ProcessHandle.current().pid())).orElseThrow();
    for (ProcessEntry process : ProcessEntry.ofUser(uid)) {
      counter.add(Kind.PROCESSES, process.name());
      counter.add(Kind.THREADS, process.name(), threads(process));
      Map<Integer, String> descriptors = process.descriptors();
      descriptors
          .values()
          .forEach(target -> counter.add(Kind.DESCRIPTORS, process.name() + " " + kindOf(target)));
      for (String kind : NAMESPACE_KINDS) {
        process
            .namespace(kind)
            .filter(namespace -> !self.namespace(kind).equals(java.util.Optional.of(namespace)))
            .filter(seen::add)
            .ifPresent(_ -> counter.add(Kind.NAMESPACES, kind));
      }
      if (!process.namespace("mnt").equals(self.namespace("mnt"))) {
        process.lines("mountinfo").stream()
            .filter(line -> seen.add("mount " + line.split(" ", 2)[0]))
            .forEach(line -> counter.add(Kind.MOUNTS, line.split(" ", 6)[4]));
      }
      countSockets(process, descriptors, seen, counter);
    }
    countListeners(self, uid, seen, counter);
    self.lines("mountinfo").stream()
        .filter(line -> line.contains(" nsfs ") || mentions(line, directories))
        .forEach(line -> counter.add(Kind.MOUNTS, "on the node: " + line.split(" ", 6)[4]));
    countSharedMemory(uid, counter);
    directories.forEach(directory -> countFiles(uid, directory, counter));
    return new Holdings(counter.counts);
  }

  public Map<String, Integer> of(Kind kind) {
    return counts.getOrDefault(kind, Map.of());
  }

  public int total(Kind kind) {
    return of(kind).values().stream().mapToInt(Integer::intValue).sum();
  }

  /// What `this` has more (positive) or less than `earlier`, by kind and label; what did not change
  /// is left out.
  public Map<Kind, Map<String, Integer>> since(Holdings earlier) {
    Map<Kind, Map<String, Integer>> differences = new EnumMap<>(Kind.class);
    for (Kind kind : Kind.values()) {
      Map<String, Integer> difference = new TreeMap<>(of(kind));
      earlier.of(kind).forEach((label, count) -> difference.merge(label, -count, Integer::sum));
      difference.values().removeIf(count -> count == 0);
      if (!difference.isEmpty()) {
        differences.put(kind, difference);
      }
    }
    return differences;
  }

  private static int threads(ProcessEntry process) {
    return process.lines("status").stream()
        .filter(line -> line.startsWith("Threads:"))
        .mapToInt(line -> Integer.parseInt(line.substring(8).strip()))
        .findFirst()
        .orElse(0);
  }

  private static String kindOf(String target) {
    return NUMBERS.matcher(target).replaceAll("N");
  }

  private static void countSockets(
      ProcessEntry process, Map<Integer, String> descriptors, Set<String> seen, Counter counter) {
    Set<String> inodes = new HashSet<>();
    for (String target : descriptors.values()) {
      if (target.startsWith("socket:[")) {
        inodes.add(target.substring(8, target.length() - 1));
      }
    }
    if (inodes.isEmpty()) {
      return;
    }
    for (String line : process.lines("net/unix")) {
      String[] words = line.strip().split("\\s+", 8);
      // Flags 00010000 (__SO_ACCEPTCON): it listens. Without it a name may still be bound.
      if (words.length == 8
          && words[3].equals("00010000")
          && inodes.contains(words[6])
          && seen.add("unix " + words[6])) {
        counter.add(Kind.SOCKETS, "unix " + kindOf(words[7]));
      }
    }
    for (String table : List.of("tcp", "tcp6", "udp", "udp6")) {
      for (String line : process.lines("net/" + table)) {
        String[] words = line.strip().split("\\s+", -1);
        boolean listens =
            words.length > 9 && words[3].equals(table.startsWith("tcp") ? "0A" : "07");
        if (listens && inodes.contains(words[9]) && seen.add("inet " + words[9])) {
          counter.add(Kind.SOCKETS, table + " " + words[1]);
        }
      }
    }
  }

  /// A listener that was handed into another network namespace is in the table of the one it was
  /// made in, with its maker's uid.
  private static void countListeners(
      ProcessEntry self, int uid, Set<String> seen, Counter counter) {
    for (String table : List.of("tcp", "tcp6")) {
      for (String line : self.lines("net/" + table)) {
        String[] words = line.strip().split("\\s+", -1);
        if (words.length > 9
            && words[3].equals("0A")
            && words[7].equals(Integer.toString(uid))
            && seen.add("inet " + words[9])) {
          counter.add(Kind.SOCKETS, table + " " + words[1]);
        }
      }
    }
  }

  /// Columns of /proc/sysvipc/*: key, id, perms, …; the owner's uid is the eighth of shm, the fifth
  /// of sem and the eighth of msg.
  private static void countSharedMemory(int uid, Counter counter) {
    Map<String, Integer> uidColumns = Map.of("shm", 7, "sem", 4, "msg", 7);
    uidColumns.forEach(
        (table, column) -> {
          try {
            for (String line : Files.readAllLines(Path.of("/proc/sysvipc", table))) {
              String[] words = line.strip().split("\\s+", -1);
              if (words.length > column && words[column].equals(Integer.toString(uid))) {
                counter.add(Kind.SHARED_MEMORY, table);
              }
            }
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  private static boolean mentions(String line, List<Path> directories) {
    return directories.stream()
        .filter(directory -> directory.getNameCount() > 1)
        .anyMatch(directory -> line.contains(directory.toString()));
  }

  private static void countFiles(int uid, Path directory, Counter counter) {
    if (!Files.isDirectory(directory)) {
      return;
    }
    try {
      Files.walkFileTree(
          directory,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path visited, BasicFileAttributes attributes) {
              count(visited);
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
              count(file);
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException e) {
              return FileVisitResult.CONTINUE; // gone meanwhile
            }

            @Override
            public FileVisitResult postVisitDirectory(
                Path visited, @org.jspecify.annotations.Nullable IOException e) {
              return FileVisitResult.CONTINUE;
            }

            private void count(Path path) {
              try {
                Object owner = Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS);
                if (Objects.equals(owner, uid)) {
                  counter.add(Kind.FILES, path.toString());
                }
              } catch (IOException e) {
                return; // gone meanwhile
              }
            }
          });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static final class Counter {
    final Map<Kind, Map<String, Integer>> counts = new EnumMap<>(Kind.class);

    void add(Kind kind, String label) {
      add(kind, label, 1);
    }

    void add(Kind kind, String label, int count) {
      counts.computeIfAbsent(kind, _ -> new HashMap<>()).merge(label, count, Integer::sum);
    }
  }
}
