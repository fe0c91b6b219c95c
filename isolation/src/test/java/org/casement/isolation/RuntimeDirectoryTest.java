package org.casement.isolation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RuntimeDirectoryTest {
  @TempDir Path parent;

  @Test
  void itIsPrivateAndItsNameIsNewEachTime() throws Exception {
    try (RuntimeDirectory one = RuntimeDirectory.create(parent);
        RuntimeDirectory two = RuntimeDirectory.create(parent)) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(one.path())))
          .isEqualTo("rwx------");
      assertThat(one.path()).isNotEqualTo(two.path());
      assertThat(one.path().getFileName().toString()).matches("casement-[0-9]+-[0-9a-f]{24}");
    }
  }

  @Test
  void aSweepLeavesWhatSomebodyHoldsAndRemovesTheRest() throws Exception {
    RuntimeDirectory outer = RuntimeDirectory.create(parent);
    RuntimeDirectory inner = RuntimeDirectory.hold(outer.path());
    assertThat(sweep(parent)).isZero();
    outer.close();
    assertThat(sweep(parent)).isZero();
    assertThat(outer.path()).exists();
    inner.close();
    assertThat(sweep(parent)).isEqualTo(1);
    assertThat(outer.path()).doesNotExist();
  }

  @Test
  void removalFollowsNoLink() throws Exception {
    Path outside = Files.createDirectory(parent.resolve("outside"));
    Path precious = Files.writeString(outside.resolve("precious"), "x");
    try (RuntimeDirectory directory = RuntimeDirectory.create(parent)) {
      Path deep = Files.createDirectories(directory.path().resolve("a/b/c"));
      Files.writeString(deep.resolve("file"), "x");
      Files.createSymbolicLink(deep.resolve("link"), outside);
      Files.createSymbolicLink(deep.resolve("file-link"), precious);
      directory.remove();
      assertThat(directory.path()).doesNotExist();
      directory.remove(); // the other survivor
    }
    assertThat(precious).hasContent("x");
  }

  @Test
  void aSweepRegardsOnlyRealDirectoriesWithOurName() throws Exception {
    Path other = Files.createDirectory(parent.resolve("somebody-elses"));
    Path target = Files.createDirectory(parent.resolve("target"));
    String uid = Long.toString(Linux.call(Linux.Call.GETUID));
    Path link = Files.createSymbolicLink(parent.resolve("casement-" + uid + "-link"), target);
    assertThat(sweep(parent)).isZero();
    assertThat(other).exists();
    assertThat(target).exists();
    assertThat(link).exists();
  }

  @Test
  void aParentInWhichOthersCanRenameIsRefused() throws Exception {
    Path open = Files.createDirectory(parent.resolve("open"));
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
    assertThatThrownBy(() -> RuntimeDirectory.create(open))
        .isInstanceOf(IsolationException.class)
        .hasMessageContaining("others can rename in " + open);
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxr-xr-x"));
    RuntimeDirectory.create(open).remove(); // the twin
  }

  private static int sweep(Path parent) throws IOException {
    return RuntimeDirectory.sweep(
        parent,
        (path, e) -> {
          throw new AssertionError(path.toString(), e);
        });
  }

  @Test
  void aHelperThatTookItsOwnRightsAwayDoesNotKeepItsDirectory() throws IOException {
    Path left;
    try (RuntimeDirectory runtime = RuntimeDirectory.create(parent)) {
      left = runtime.path();
      Path closed = Files.createDirectories(left.resolve("a/b"));
      Files.createFile(closed.resolve("file"));
      Files.setPosixFilePermissions(closed, java.util.Set.of());
      Files.setPosixFilePermissions(left.resolve("a"), java.util.Set.of());
    }
    assertThat(sweep(parent)).isEqualTo(1);
    assertThat(left).doesNotExist();
  }

  @Test
  void whatCannotBeRemovedIsToldAndStopsNothing() throws IOException {
    Path deep;
    try (RuntimeDirectory runtime = RuntimeDirectory.create(parent)) {
      deep = runtime.path();
      Files.createDirectories(deep.resolve("d/".repeat(120)));
    }
    try (RuntimeDirectory other = RuntimeDirectory.create(parent)) {
      Files.createFile(other.path().resolve("file"));
    }
    java.util.List<Path> failed = new java.util.ArrayList<>();
    assertThat(RuntimeDirectory.sweep(parent, (path, _) -> failed.add(path))).isEqualTo(1);
    assertThat(failed).containsExactly(deep);
  }
}
