package org.casement.testkit;

import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;
import org.casement.testkit.Holdings.Kind;

/// Says whether everything a user held more than at a chosen moment has been given back. The check
/// that can fail has a twin, [#assertMore], so that a count that is blind cannot pass.
public final class Leaks {
  private final int uid;
  private final List<Path> directories;
  private final Set<Kind> kinds;
  private final Pattern expected;
  private final Holdings baseline;

  private Leaks(
      int uid, List<Path> directories, Set<Kind> kinds, Pattern expected, Holdings baseline) {
    this.uid = uid;
    this.directories = directories;
    this.kinds = kinds;
    this.expected = expected;
    this.baseline = baseline;
  }

  /// Starts from what `user` holds now.
  ///
  /// @param directories where files are counted, beside the user's home and the usual places
  public static Leaks watch(TestUser user, Path... directories) {
    List<Path> all =
        new java.util.ArrayList<>(
            List.of(
                user.home(),
                Path.of("/tmp"),
                Path.of("/var/tmp"),
                Path.of("/run"),
                Path.of("/dev/shm")));
    all.addAll(List.of(directories));
    return new Leaks(
        user.uid(),
        all,
        EnumSet.allOf(Kind.class),
        Pattern.compile("(?!)"),
        Holdings.of(user.uid(), all));
  }

  /// The same from now on, with a new baseline: for a count that must come back *during* a session.
  public Leaks rebased() {
    return new Leaks(uid, directories, kinds, expected, Holdings.of(uid, directories));
  }

  public Leaks only(Kind first, Kind... more) {
    return new Leaks(uid, directories, EnumSet.of(first, more), expected, baseline);
  }

  /// Labels (paths, for files) that may stay: what a session is meant to leave.
  public Leaks exceptFor(String labels) {
    return new Leaks(uid, directories, kinds, Pattern.compile(labels), baseline);
  }

  public Holdings now() {
    return Holdings.of(uid, directories);
  }

  /// Fails if anything is more or less than at the baseline, and stays so for `limit`.
  public void awaitBack(Duration limit) {
    AtomicReference<Map<Kind, Map<String, Integer>>> last = new AtomicReference<>(Map.of());
    Await.until(
        "everything is back at its count",
        limit,
        () -> {
          last.set(differences());
          return last.get().isEmpty();
        },
        () -> "since the baseline: " + last.get());
  }

  /// Fails unless there is more of each of `kinds` than at the baseline.
  public void assertMore(Kind... kinds) {
    Holdings now = now();
    for (Kind kind : kinds) {
      if (now.total(kind) <= baseline.total(kind)) {
        throw new AssertionError(
            "no more "
                + kind
                + " than before: "
                + now.of(kind)
                + "; the count must not be blind while a session runs");
      }
    }
  }

  private Map<Kind, Map<String, Integer>> differences() {
    Map<Kind, Map<String, Integer>> differences = new TreeMap<>(now().since(baseline));
    differences.keySet().retainAll(kinds);
    differences
        .values()
        .forEach(labels -> labels.keySet().removeIf(l -> expected.matcher(l).matches()));
    differences.values().removeIf(Map::isEmpty);
    return differences;
  }
}
