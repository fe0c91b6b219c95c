package org.casement.benchmarks;

import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.casement.benchmarks.SlurmBenchmark.Way;
import org.casement.testkit.TestUser;

/// The figures of docs/promises.md, each beside its peer, as Markdown tables. `benchmarks/run`
/// starts it.
public final class Benchmarks {
  private static final int DESKTOP_RUNS = 5;
  private static final int START_RUNS = 10;
  private static final int CONSOLE_RUNS = 3;
  private static final int SLURM_RUNS = 30;

  private Benchmarks() {}

  /// Takes the names of what to measure, and how often each desktop is waited for; all of them and
  /// [#DESKTOP_RUNS] where nothing is said.
  public static void main(String[] arguments) throws IOException, InterruptedException {
    List<String> words = List.of(arguments);
    int runs =
        words.stream()
            .filter(word -> word.matches("\\d+"))
            .mapToInt(Integer::parseInt)
            .findFirst()
            .orElse(DESKTOP_RUNS);
    List<String> names = words.stream().filter(word -> !word.matches("\\d+")).toList();
    System.out.println("| figure | Casement | peer | ratio | goal |");
    System.out.println("|---|---|---|---|---|");
    if (wanted(names, "console")) {
      console();
    }
    if (wanted(names, "slurm")) {
      slurm();
    }
    try (TestUser user = TestUser.create()) {
      if (wanted(names, "desktop")) {
        desktop(user, runs);
      }
      if (wanted(names, "web")) {
        web(user);
      }
      if (wanted(names, "share")) {
        share(user);
      }
      if (wanted(names, "start")) {
        start(user);
      }
    }
  }

  private static boolean wanted(List<String> names, String name) {
    return names.isEmpty() || names.contains(name);
  }

  private static void console() throws IOException, InterruptedException {
    ConsoleBenchmark.Comparison measured = ConsoleBenchmark.run(CONSOLE_RUNS);
    ConsoleBenchmark.Figures ours = measured.casement();
    ConsoleBenchmark.Figures theirs = measured.websockify();
    String peer = ", websockify";
    beside("console relay, as fast as it goes", ours.bulk(), theirs.bulk(), peer, "≥ 5");
    beside("the same", ours.bulk(), measured.nothing(), ", nothing between screen and client", "");
    beside("processor for that", ours.bulkCost(), theirs.bulkCost(), peer, "< 1");
    beside("processor for 1 KiB, 2000 a second", ours.paceCost(), theirs.paceCost(), peer, "< 1");
    beside("console relay, from the client", ours.back(), theirs.back(), peer, "≥ 5");
    beside("processor for that", ours.backCost(), theirs.backCost(), peer, "< 1");
  }

  private static void desktop(TestUser user, int runs) throws IOException {
    DesktopBenchmark.Figures desktop = DesktopBenchmark.run(user, runs);
    beside(
        "command to first desktop pixel in a browser (" + desktop.acceleration() + ")",
        desktop.session(),
        desktop.peer(),
        ", the same guest under plain QEMU, same browser client",
        "≤ 1.2");
  }

  private static void web(TestUser user) throws IOException {
    WebBenchmark.Figures ours = WebBenchmark.session(user);
    WebBenchmark.Figures theirs = WebBenchmark.peer(ours.acceleration());
    String peer = ", xfreerdp straight at the guest";
    beside("first picture of a ready desktop", ours.first(), theirs.first(), peer, "");
    beside("key to changed pixel", ours.key(), theirs.key(), peer, "");
    pair("key to changed pixel, 99th of a hundred", "ms", ours.keyP99(), theirs.keyP99(), peer);
    ours.loads()
        .forEach(
            (name, load) -> {
              WebBenchmark.Load other = Objects.requireNonNull(theirs.loads().get(name));
              pair(name + ": pictures", "a second", load.frames(), other.frames(), peer);
              pair(name + ": bytes", "kB/s", load.kilobytes(), other.kilobytes(), peer);
              row(
                  name + ": the supervisor's processor",
                  String.format(Locale.ROOT, "%.1f %% of a core", load.processor()),
                  "",
                  "",
                  "");
            });
  }

  private static void share(TestUser user) throws IOException {
    List<ShareBenchmark.Figures> both = ShareBenchmark.run(user);
    String peer = ", the same guest under plain QEMU with passt";
    beside("share, reading", both.getFirst().read(), both.getLast().read(), peer, "");
    beside("share, writing", both.getFirst().write(), both.getLast().write(), peer, "");
  }

  private static void start(TestUser user) {
    StartBenchmark.Figures start = StartBenchmark.run(user, START_RUNS);
    alone("command to link", start.commandToLink(), "");
    alone("supervisor's start to listening", start.supervisorToLink(), "≤ 400 ms");
    alone("supervisor's resident memory, ready and idle", start.resident(), "≤ 110 MB");
    alone("of which not shared with others (PSS)", start.proportional(), "");
  }

  private static void slurm() throws InterruptedException {
    SlurmBenchmark.Figures slurm = SlurmBenchmark.run(SLURM_RUNS);
    latencies("to the task", slurm.toTask());
    latencies("to srun's end", slurm.toEnd());
    SlurmBenchmark.Agent agent = slurm.agent();
    figure("node agent's resident memory", "%.1f MB", agent.resident(), "≤ 64 MB");
    figure("its processor, idle for a minute", "%.3f %% of a core", agent.idle(), "≤ 0.1 %");
    figure(
        "what a thousand sealed jobs add, files in /run with it",
        "%.1f MB",
        agent.jobs(),
        "≤ 5 MB");
  }

  private static void latencies(String what, SlurmBenchmark.Latencies latencies) {
    alone("srun's start " + what + ", without a plugin", latencies.of(Way.NO_PLUGIN), "");
    more("with the plugin, not asked for", latencies.added(Way.INACTIVE, Way.NO_PLUGIN), "≤ 1 ms");
    double hook = latencies.added(Way.HOOK, Way.NO_PLUGIN);
    double sealed = latencies.added(Way.ACTIVE, Way.NO_PLUGIN);
    row(
        "sealed with a listener, more than without",
        String.format(Locale.ROOT, "%.2f ms", sealed),
        String.format(Locale.ROOT, "%.2f ms, the same steps by a bash hook", hook),
        String.format(Locale.ROOT, "%.2f", sealed / hook),
        "≤ 3 ms");
    alone(
        "one more step of a job " + what + ", without a plugin",
        latencies.of(Way.STEP_NO_PLUGIN),
        "");
    more(
        "with the plugin, not asked for",
        latencies.added(Way.STEP_INACTIVE, Way.STEP_NO_PLUGIN),
        "≤ 1 ms");
    more("in a sealed job", latencies.added(Way.STEP_ACTIVE, Way.STEP_NO_PLUGIN), "≤ 3 ms");
  }

  private static void more(String figure, double milliseconds, String goal) {
    figure(figure + ", more than without", "%.2f ms", milliseconds, goal);
  }

  private static void figure(String figure, String format, double value, String goal) {
    row(figure, String.format(Locale.ROOT, format, value), "", "", goal);
  }

  private static void beside(
      String figure, Samples casement, Samples peer, String which, String goal) {
    String ratio = String.format(Locale.ROOT, "%.2f", casement.median() / peer.median());
    row(figure, casement.toString(), peer + which, ratio, goal);
  }

  private static void pair(String figure, String unit, double casement, double peer, String which) {
    row(
        figure,
        String.format(Locale.ROOT, "%.4g %s", casement, unit),
        String.format(Locale.ROOT, "%.4g %s%s", peer, unit, which),
        String.format(Locale.ROOT, "%.2f", casement / peer),
        "");
  }

  private static void alone(String figure, Samples casement, String goal) {
    row(figure, casement.toString(), "", "", goal);
  }

  private static void row(String figure, String casement, String peer, String ratio, String goal) {
    System.out.println("| " + String.join(" | ", figure, casement, peer, ratio, goal) + " |");
  }
}
