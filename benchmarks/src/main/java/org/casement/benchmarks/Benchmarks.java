package org.casement.benchmarks;

import java.io.IOException;
import java.util.Locale;
import org.casement.testkit.TestUser;

/// The figures of docs/figures.md, each beside its peer, as Markdown tables. `benchmarks/run`
/// starts it.
public final class Benchmarks {
  private static final int DESKTOP_RUNS = 5;
  private static final int START_RUNS = 10;

  private Benchmarks() {}

  /// Takes one argument: how often each desktop is waited for; 0 leaves the desktops out.
  public static void main(String[] arguments) throws IOException {
    int runs = arguments.length > 0 ? Integer.parseInt(arguments[0]) : DESKTOP_RUNS;
    try (TestUser user = TestUser.create()) {
      StartBenchmark.Figures start = StartBenchmark.run(user, START_RUNS);
      System.out.println("| figure | Casement | peer | ratio | goal |");
      System.out.println("|---|---|---|---|---|");
      if (runs > 0) {
        DesktopBenchmark.Figures desktop = DesktopBenchmark.run(user, runs);
        row(
            "command to first desktop pixel in a browser (" + desktop.acceleration() + ")",
            desktop.session(),
            desktop.peer() + ", the same guest under plain QEMU, same browser client",
            String.format(
                Locale.ROOT, "%.2f", desktop.session().median() / desktop.peer().median()),
            "≤ 1.2");
      }
      row("command to link", start.commandToLink(), "", "", "");
      row("supervisor's start to listening", start.supervisorToLink(), "", "", "≤ 400 ms");
      row("supervisor's resident memory, ready and idle", start.resident(), "", "", "≤ 110 MB");
      row("of which not shared with others (PSS)", start.proportional(), "", "", "");
    }
  }

  private static void row(String figure, Samples casement, String peer, String ratio, String goal) {
    System.out.println(
        "| " + String.join(" | ", figure, casement.toString(), peer, ratio, goal) + " |");
  }
}
