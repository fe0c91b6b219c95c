package org.casement.app;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Stream;
import org.casement.session.SessionId;

/// One session's place in the user's home: `HOME/sessions/ID/` with `session.json` (where it runs),
/// `link` (into it, good for one entry; a new one takes the place of one that was used), `console`
/// (the same to the console) and `log`. A session that is a job has `job` (its number), `key` (the
/// private half of its key) and `job.log` as well, for as long as Slurm knows the job. When a
/// session ends only the logs stay, and of them the newest twenty.
record SessionHome(Path directory) {
  private static final Set<PosixFilePermission> PRIVATE_DIRECTORY =
      PosixFilePermissions.fromString("rwx------");
  private static final Set<PosixFilePermission> PRIVATE_FILE =
      PosixFilePermissions.fromString("rw-------");
  private static final int LOGS_KEPT = 20;

  /// What `session.json` says.
  ///
  /// @param node host name of the node it runs on
  /// @param runtime its runtime directory there
  record Whereabouts(SessionId id, String node, Path runtime) {}

  static SessionHome create(Path home, SessionId id) throws IOException {
    Path sessions = home.resolve("sessions");
    Files.createDirectories(sessions, PosixFilePermissions.asFileAttribute(PRIVATE_DIRECTORY));
    prune(sessions);
    Path directory = sessions.resolve(id.value());
    Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(PRIVATE_DIRECTORY));
    return new SessionHome(directory);
  }

  /// The user's sessions, whatever became of them.
  static List<SessionHome> all(Path home) throws IOException {
    Path sessions = home.resolve("sessions");
    if (!Files.isDirectory(sessions)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(sessions)) {
      return entries.filter(Files::isDirectory).sorted().map(SessionHome::new).toList();
    }
  }

  /// The home of a session that was submitted.
  static SessionHome submitted(Path home, SessionId id) throws IOException {
    SessionHome session = new SessionHome(home.resolve("sessions").resolve(id.value()));
    if (session.job().isEmpty() && !Files.exists(session.key())) {
      throw new NoSuchFileException(session.key().toString());
    }
    return session;
  }

  SessionId id() {
    return new SessionId(directory.getFileName().toString());
  }

  Path key() {
    return directory.resolve("key");
  }

  Path console() {
    return directory.resolve("console");
  }

  void writeJob(long job) throws IOException {
    writePrivately(directory.resolve("job"), job + "\n");
  }

  /// The job that it is, if it is one.
  OptionalLong job() {
    try {
      String text = Files.readString(directory.resolve("job")).strip();
      return text.matches("[0-9]{1,18}")
          ? OptionalLong.of(Long.parseLong(text))
          : OptionalLong.empty();
    } catch (IOException e) {
      return OptionalLong.empty();
    }
  }

  /// Slurm knows its job no more.
  void forget() throws IOException {
    tidy();
    Files.deleteIfExists(directory.resolve("job"));
    Files.deleteIfExists(key());
  }

  Path log() {
    return directory.resolve("log");
  }

  Path link() {
    return directory.resolve("link");
  }

  void write(Whereabouts whereabouts) throws IOException {
    String json =
        JSON.std.asString(
            Map.of(
                "id", whereabouts.id().value(),
                "node", whereabouts.node(),
                "runtime", whereabouts.runtime().toString()));
    writePrivately(directory.resolve("session.json"), json + "\n");
  }

  /// Empty where the session has ended, or its file is not one of ours.
  Optional<Whereabouts> whereabouts() {
    try {
      Map<String, Object> json =
          JSON.std.mapFrom(Files.readString(directory.resolve("session.json")));
      return Optional.of(
          new Whereabouts(
              new SessionId(String.valueOf(json.get("id"))),
              String.valueOf(json.get("node")),
              Path.of(String.valueOf(json.get("runtime")))));
    } catch (IOException | IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  /// Writes `text` so that a reader sees all of it or none, and nobody else sees any.
  static void writePrivately(Path file, String text) throws IOException {
    Path fresh = file.resolveSibling(file.getFileName() + ".new");
    Files.deleteIfExists(fresh);
    Files.createFile(fresh, PosixFilePermissions.asFileAttribute(PRIVATE_FILE));
    Files.writeString(fresh, text, StandardOpenOption.WRITE);
    Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
  }

  /// Tidies the homes of sessions that died on `node` without doing so.
  static void tidyDead(Path home, String node) throws IOException {
    for (SessionHome session : all(home)) {
      Optional<Whereabouts> where = session.whereabouts();
      if (where.isPresent()
          && where.get().node().equals(node)
          && !Files.exists(where.get().runtime())) {
        session.tidy();
      }
    }
  }

  /// What an ended session leaves is its log.
  void tidy() throws IOException {
    Files.deleteIfExists(link());
    Files.deleteIfExists(console());
    Files.deleteIfExists(directory.resolve("session.json"));
  }

  private static void prune(Path sessions) throws IOException {
    List<Path> ended;
    try (Stream<Path> entries = Files.list(sessions)) {
      ended =
          entries
              .filter(entry -> Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS))
              .filter(entry -> !Files.exists(entry.resolve("session.json")))
              .filter(entry -> !Files.exists(entry.resolve("key")))
              .sorted(Comparator.comparingLong(SessionHome::modified).reversed())
              .skip(LOGS_KEPT)
              .toList();
    }
    for (Path entry : ended) {
      deleteRecursively(entry);
    }
  }

  private static long modified(Path path) {
    try {
      return Files.getLastModifiedTime(path).toMillis();
    } catch (IOException e) {
      return 0; // gone meanwhile: another start prunes too
    }
  }

  static void deleteRecursively(Path directory) throws IOException {
    Files.walkFileTree(
        directory,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.deleteIfExists(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(
              Path visited, @org.jspecify.annotations.Nullable IOException e) throws IOException {
            Files.deleteIfExists(visited);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
