package org.casement.app;

import java.io.PrintStream;
import java.util.Locale;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Consumer;
import org.casement.session.SessionEvent;
import org.casement.session.SessionEvent.StepStatus;
import org.casement.session.SessionState;

/// Tells the person at the terminal how far the session is: links on standard output, the rest on
/// standard error. A terminal that does not read (Ctrl-S) holds up nothing but this: what does not
/// fit into the queue is not said.
final class Announcer implements Consumer<SessionEvent>, AutoCloseable {
  private static final int QUEUE_LIMIT = 100;
  private static final long CLOSE_LIMIT_MS = 500;
  private static final Line END = new Line(System.err, "");

  private record Line(PrintStream stream, String text) {}

  private final BlockingQueue<Line> lines = new LinkedBlockingQueue<>(QUEUE_LIMIT);
  private final Thread writer = Thread.ofPlatform().daemon().name("announcer").start(this::write);

  @Override
  public void accept(SessionEvent event) {
    switch (event) {
      case SessionEvent.StateChanged changed -> state(changed.state());
      case SessionEvent.StepChanged step -> {
        if (step.status() == StepStatus.DONE) {
          double seconds = step.sinceStart().toMillis() / 1000.0;
          say(String.format(Locale.ROOT, "%5.1f s  %s", seconds, step.step().text()));
        }
      }
      case SessionEvent.Warning warning -> say(warning.text());
      case SessionEvent.TroubleBegan began -> say(began.text());
      case SessionEvent.TroubleOver over -> say(over.trouble().code() + ": all is well again");
      case SessionEvent.WalltimeNotice notice ->
          say("this session ends in " + notice.left().toSeconds() + " s");
    }
  }

  private void state(SessionState state) {
    switch (state) {
      case SessionState.Ready _ -> say("the desktop is ready");
      case SessionState.Draining draining -> say("ending: " + draining.reason().text());
      case SessionState.Ended ended -> say(ended.reason().text());
      case SessionState.Preparing _, SessionState.Booting _ -> {}
    }
  }

  private void say(String text) {
    var _ = lines.offer(new Line(System.err, "casement: " + text));
  }

  /// For programs that start a session: `text` alone, on standard output.
  void print(String text) {
    var _ = lines.offer(new Line(System.out, text));
  }

  private void write() {
    try {
      for (Line line = lines.take(); !line.equals(END); line = lines.take()) {
        line.stream().println(line.text());
        line.stream().flush();
      }
    } catch (InterruptedException e) {
      return;
    }
  }

  /// Lets what is queued be written, unless nobody reads.
  @Override
  public void close() {
    var _ = lines.offer(END);
    try {
      writer.join(CLOSE_LIMIT_MS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
