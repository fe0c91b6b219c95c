package org.casement.benchmarks;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.casement.systemtests.Session;
import org.casement.systemtests.Settings;
import org.casement.testkit.Await;
import org.casement.testkit.ProcessEntry;
import org.casement.testkit.TestUser;

/// How long the supervisor takes from the moment it is executed until its connectors listen, which
/// is when the link is printed; and what memory it holds when it has nothing to do.
final class StartBenchmark {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  /// Whoever looks more often takes a processor from what it measures.
  private static final long POLL_NANOS = 5_000_000;

  /// Idle is a supervisor that uses less than 1 % of a processor for so long.
  private static final Duration IDLE = Duration.ofSeconds(3);

  /// Ticks of 10 ms (CLK_TCK of all Linux architectures we know) in that time.
  private static final long IDLE_TICKS = 3;

  record Figures(
      Samples commandToLink, Samples supervisorToLink, Samples resident, Samples proportional) {}

  private StartBenchmark() {}

  static Figures run(TestUser user, int runs) {
    List<Double> commandToLink = new ArrayList<>();
    List<Double> supervisorToLink = new ArrayList<>();
    List<Double> resident = new ArrayList<>();
    List<Double> proportional = new ArrayList<>();
    for (int i = 0; i < runs; i++) {
      long command = System.nanoTime();
      try (Session session = Session.launch(user, Settings.standard())) {
        ProcessEntry inner = inner(session);
        long executed = awaitExec(session, inner);
        while (!session.isAnnounced()) {
          LockSupport.parkNanos(POLL_NANOS);
        }
        long announced = System.nanoTime();
        commandToLink.add((announced - command) / 1e6);
        supervisorToLink.add((announced - executed) / 1e6);
        if (i == runs - 1) {
          session.awaitReady();
          awaitIdle(inner);
          resident.add(kibibytes(inner, "Rss:") / 1000 * 1.024);
          proportional.add(kibibytes(inner, "Pss:") / 1000 * 1.024);
        }
      }
    }
    return new Figures(
        new Samples("ms", commandToLink),
        new Samples("ms", supervisorToLink),
        new Samples("MB", resident),
        new Samples("MB", proportional));
  }

  /// PID 1 of the namespaces, while it is still `casement seal`.
  private static ProcessEntry inner(Session session) {
    return session.supervisor();
  }

  private static long awaitExec(Session session, ProcessEntry inner) {
    if (isSession(inner)) {
      throw new AssertionError("the supervisor was executed before anybody looked");
    }
    long deadline = System.nanoTime() + LIMIT.toNanos();
    while (!isSession(inner)) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("no supervisor was executed\n" + session.story());
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
    return System.nanoTime();
  }

  /// The launcher's arguments: `/bin/sh …/casement session …`; then java's.
  private static boolean isSession(ProcessEntry process) {
    List<String> arguments = process.arguments();
    return arguments.contains("session") && !arguments.contains("seal");
  }

  private static void awaitIdle(ProcessEntry process) {
    AtomicLong since = new AtomicLong(System.nanoTime());
    AtomicLong ticks = new AtomicLong(process.processorTicks());
    Await.until(
        "the supervisor is idle",
        LIMIT,
        () -> {
          if (process.processorTicks() - ticks.get() > IDLE_TICKS) {
            ticks.set(process.processorTicks());
            since.set(System.nanoTime());
          }
          return System.nanoTime() - since.get() > IDLE.toNanos();
        });
  }

  private static double kibibytes(ProcessEntry process, String key) {
    return process.lines("smaps_rollup").stream()
        .filter(line -> line.startsWith(key))
        .mapToDouble(line -> Double.parseDouble(line.replaceAll("[^0-9]", "")))
        .findFirst()
        .orElseThrow();
  }
}
