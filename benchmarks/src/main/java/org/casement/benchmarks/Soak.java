package org.casement.benchmarks;

import com.google.gson.JsonObject;
import com.microsoft.playwright.CDPSession;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.casement.systemtests.Browser;
import org.casement.systemtests.GuestShell;
import org.casement.systemtests.Session;
import org.casement.systemtests.Settings;
import org.casement.testkit.Await;
import org.casement.testkit.ProcessEntry;
import org.casement.testkit.TestUser;

/// A desktop that scrolls and moves for some minutes in a browser: what the supervisor and the page
/// hold must not grow. `./dev soak` starts it, and fails where something grows.
public final class Soak {
  private static final int MINUTES = 10;
  private static final Duration SAMPLE = Duration.ofSeconds(5);
  private static final Duration LIMIT = Duration.ofMinutes(3);

  /// In the second half, by which everything that is loaded once has been loaded. A leak of one
  /// picture a second would be some 60 MB a minute.
  private static final double GROWTH_LIMIT_MEBIBYTES_PER_MINUTE = 1;

  /// Of one thing, in MiB.
  private record Row(String what, List<Double> minutes, List<Double> mebibytes) {
    Row(String what) {
      this(what, new ArrayList<>(), new ArrayList<>());
    }

    void add(double minute, double size) {
      minutes.add(minute);
      mebibytes.add(size);
    }

    /// Least squares over the second half, MiB a minute.
    double growth() {
      int from = minutes.size() / 2;
      List<Double> xs = minutes.subList(from, minutes.size());
      List<Double> ys = mebibytes.subList(from, mebibytes.size());
      double x = mean(xs);
      double y = mean(ys);
      double over = 0;
      double under = 0;
      for (int i = 0; i < xs.size(); i++) {
        over += (xs.get(i) - x) * (ys.get(i) - y);
        under += (xs.get(i) - x) * (xs.get(i) - x);
      }
      return over / under;
    }

    private static double mean(List<Double> values) {
      return values.stream().mapToDouble(value -> value).average().orElseThrow();
    }

    String line() {
      return String.format(
          Locale.ROOT,
          "| %s | %.1f | %.1f | %.1f | %.1f | %+.2f |",
          what,
          mebibytes.getFirst(),
          mebibytes.get(mebibytes.size() / 2),
          mebibytes.getLast(),
          mebibytes.stream().mapToDouble(size -> size).max().orElseThrow(),
          growth());
    }
  }

  private Soak() {}

  /// Takes one argument: how many minutes.
  public static void main(String[] arguments) throws IOException {
    int minutes = arguments.length > 0 ? Integer.parseInt(arguments[0]) : MINUTES;
    Path screenshots = Files.createTempDirectory("casement-soak-");
    try (TestUser user = TestUser.create();
        Session session = Session.start(user, Settings.standard().withTestPort());
        GuestShell guest = session.guestShell();
        Browser browser = Browser.open(screenshots)) {
      browser.go(session.link());
      browser.awaitNonce(session.nonce(), LIMIT);
      for (Motion motion : Motion.values()) {
        motion.start(guest);
      }
      List<Row> rows = sample(session, browser, Duration.ofMinutes(minutes));
      System.out.println("| memory, MiB | first | half-way | last | most | growth a minute |");
      System.out.println("|---|---|---|---|---|---|");
      rows.forEach(row -> System.out.println(row.line()));
      System.out.println("\nthe desktop meanwhile: " + browser.screenshot("soak"));
      if (rows.stream().anyMatch(row -> row.growth() > GROWTH_LIMIT_MEBIBYTES_PER_MINUTE)) {
        throw new AssertionError(
            "more than %.1f MiB a minute".formatted(GROWTH_LIMIT_MEBIBYTES_PER_MINUTE));
      }
    }
  }

  private static List<Row> sample(Session session, Browser browser, Duration length) {
    Row resident = new Row("supervisor, resident");
    Row proportional = new Row("supervisor, not shared with others (PSS)");
    Row heap = new Row("page, JavaScript heap");
    Row renderer = new Row("page, Chromium's process (PSS)");
    CDPSession inspector = browser.context().newCDPSession(browser.page());
    ProcessEntry supervisor = session.supervisor();
    long start = System.nanoTime();
    while (System.nanoTime() - start < length.toNanos()) {
      Await.pause(SAMPLE);
      double minute = (System.nanoTime() - start) / 60e9;
      inspector.send("HeapProfiler.collectGarbage");
      JsonObject usage = inspector.send("Runtime.getHeapUsage");
      resident.add(minute, mebibytes(supervisor, "Rss:"));
      proportional.add(minute, mebibytes(supervisor, "Pss:"));
      heap.add(minute, usage.get("usedSize").getAsDouble() / (1 << 20));
      renderer.add(minute, mebibytes(renderer(), "Pss:"));
    }
    return List.of(resident, proportional, heap, renderer);
  }

  /// Chromium's process of the page, WebAssembly's memory included: the largest. Chromium writes
  /// its children's command lines as one string.
  private static ProcessEntry renderer() {
    return ProcessEntry.all().stream()
        .filter(
            entry -> entry.arguments().stream().anyMatch(text -> text.contains("--type=renderer")))
        .max(Comparator.comparingDouble(entry -> mebibytes(entry, "Pss:")))
        .orElseThrow();
  }

  private static double mebibytes(ProcessEntry process, String key) {
    return process.lines("smaps_rollup").stream()
        .filter(line -> line.startsWith(key))
        .mapToDouble(line -> Double.parseDouble(line.replaceAll("[^0-9]", "")) / 1024)
        .findFirst()
        .orElse(0);
  }
}
