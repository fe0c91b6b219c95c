package org.casement.isolation;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Set;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// A session's directory on the node: 0700, with a name nobody can foresee, below a parent in which
/// nobody else can put something in its place. Who needs it holds a shared flock(2) on it; a
/// directory that nobody holds is left over, and the next start sweeps it. systemd-tmpfiles spares
/// what is locked, so that a long session in /tmp is not taken for old.
public final class RuntimeDirectory implements AutoCloseable {
  /// Being made: it gets its name once it is locked, so that no sweep sees it without.
  private static final String UNFINISHED = ".new";

  private static final Set<PosixFilePermission> OWNERS =
      PosixFilePermissions.fromString("rwx------");

  private static final Duration UNFINISHED_AGE = Duration.ofHours(1);

  /// Twelve bytes: 2^96 names; short because a unix socket's path has 107 bytes.
  private static final int NAME_BYTES = 12;

  /// What a helper may nest at most before it takes the sweep more than it is worth.
  private static final int DEPTH_LIMIT = 100;

  private static final int O_CLOEXEC = 0x80000;
  private static final int AT_FDCWD = -100;
  private static final int LOCK_SH_NB = 1 | 4;
  private static final int LOCK_EX_NB = 2 | 4;

  private final Path path;
  private final long lock;
  private boolean closed;

  private RuntimeDirectory(Path path, long lock) {
    this.path = path;
    this.lock = lock;
  }

  /// Makes one below `parent` and holds it.
  public static RuntimeDirectory create(Path parent) throws IOException {
    Path real = checked(parent);
    byte[] random = new byte[NAME_BYTES];
    new SecureRandom().nextBytes(random);
    Path path = real.resolve(prefix() + HexFormat.of().formatHex(random));
    Path unfinished = Path.of(path + UNFINISHED);
    Files.createDirectory(
        unfinished,
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    long lock = lock(unfinished, LOCK_SH_NB);
    Files.move(unfinished, path);
    return new RuntimeDirectory(path, lock);
  }

  /// Holds one that another process made: the supervisor, beside the outer process.
  public static RuntimeDirectory hold(Path path) throws IOException {
    return new RuntimeDirectory(path, lock(path, LOCK_SH_NB));
  }

  /// Removes what dead sessions of this user left below `parent`; returns how many.
  ///
  /// @param failed told what could not be removed, and why
  public static int sweep(Path parent, BiConsumer<Path, IOException> failed) throws IOException {
    int removed = 0;
    try (DirectoryStream<Path> left = Files.newDirectoryStream(checked(parent), prefix() + "*")) {
      for (Path path : left) {
        try {
          if (isOurs(path) && isAbandoned(path)) {
            delete(path);
            removed++;
          }
        } catch (IOException e) {
          // Gone meanwhile, or made undeletable by a helper: no reason to refuse a new session.
          failed.accept(path, e);
        }
      }
    }
    return removed;
  }

  public Path path() {
    return path;
  }

  /// Gives up the hold; the directory stays for whoever else holds it, or for the sweep.
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      Linux.call(Linux.Call.CLOSE, lock);
    }
  }

  /// Removes the directory and all in it, without following a link. For the survivor.
  public void remove() throws IOException {
    delete(path);
    close();
  }

  private static String prefix() {
    return "casement-" + Linux.call(Linux.Call.GETUID) + "-";
  }

  private static boolean isOurs(Path path) throws IOException {
    return Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)
        && owner(path) == Linux.call(Linux.Call.GETUID);
  }

  private static int owner(Path path) throws IOException {
    return (Integer) Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS);
  }

  private static boolean isAbandoned(Path path) throws IOException {
    if (path.toString().endsWith(UNFINISHED)) {
      FileTime made = Files.getLastModifiedTime(path, LinkOption.NOFOLLOW_LINKS);
      return made.toInstant().isBefore(Instant.now().minus(UNFINISHED_AGE));
    }
    try {
      Linux.call(Linux.Call.CLOSE, lock(path, LOCK_EX_NB));
      return true;
    } catch (NoSuchFileException e) {
      return false; // gone
    } catch (IsolationException e) {
      return false; // held
    }
  }

  private static long lock(Path directory, int operation) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      long name = arena.allocateFrom(directory.toString()).address();
      boolean arm = System.getProperty("os.arch", "").equals("aarch64");
      int directoryOnly = arm ? 0x4000 : 0x10000; // O_DIRECTORY
      int noFollow = arm ? 0x8000 : 0x20000; // O_NOFOLLOW
      long descriptor =
          Linux.call(Linux.Call.OPENAT, AT_FDCWD, name, O_CLOEXEC | directoryOnly | noFollow, 0);
      if (descriptor == -Linux.ENOENT) {
        throw new NoSuchFileException(directory.toString());
      }
      if (descriptor < 0) {
        throw Linux.failure("open " + directory, (int) -descriptor);
      }
      long result = Linux.call(Linux.Call.FLOCK, descriptor, operation);
      if (result < 0) {
        Linux.call(Linux.Call.CLOSE, descriptor);
        throw Linux.failure("lock " + directory, (int) -result);
      }
      return descriptor;
    }
  }

  /// SECURITY: whoever can rename in the parent, or above it, can put a directory of theirs where
  /// ours was: each must be root's or ours, and what others can write must be sticky.
  private static Path checked(Path parent) throws IOException {
    Path real = parent.toRealPath();
    for (Path step = real; step != null; step = step.getParent()) {
      int owner = owner(step);
      int mode = (Integer) Files.getAttribute(step, "unix:mode", LinkOption.NOFOLLOW_LINKS);
      boolean ours = owner == 0 || owner == Linux.call(Linux.Call.GETUID);
      if (!ours || ((mode & 022) != 0 && (mode & 01000) == 0)) {
        throw new IsolationException(
            "cannot use %s for runtime directories: others can rename in %s (owner %d, mode %o)"
                .formatted(parent, step, owner, mode & 07777));
      }
    }
    return real;
  }

  private static void delete(Path path) throws IOException {
    Path parent = path.getParent();
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(parent)) {
      if (!(stream instanceof SecureDirectoryStream<Path> directory)) {
        throw new IsolationException("cannot open " + parent + " without following links");
      }
      delete(directory, path.getFileName(), DEPTH_LIMIT);
    } catch (NoSuchFileException e) {
      // the other survivor was faster
    }
  }

  /// Relative to open directories (openat, unlinkat): a helper that still runs cannot turn a
  /// directory into a link in between.
  private static void delete(SecureDirectoryStream<Path> parent, @Nullable Path name, int depthLeft)
      throws IOException {
    if (name == null || depthLeft == 0) {
      throw new IsolationException("cannot remove a directory that is nested too deeply: " + name);
    }
    // A helper may have taken its own rights away. Nothing of the session runs any more, so nobody
    // puts a link here in between.
    PosixFileAttributeView view =
        parent.getFileAttributeView(name, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
    if (!view.readAttributes().permissions().containsAll(OWNERS)) {
      parent.getFileAttributeView(name, PosixFileAttributeView.class).setPermissions(OWNERS);
    }
    try (SecureDirectoryStream<Path> directory =
        parent.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS)) {
      for (Path entry : directory) {
        Path child = entry.getFileName();
        BasicFileAttributes attributes =
            directory
                .getFileAttributeView(
                    child, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                .readAttributes();
        if (attributes.isDirectory()) {
          delete(directory, child, depthLeft - 1);
        } else {
          directory.deleteFile(child);
        }
      }
    }
    parent.deleteDirectory(name);
  }
}
