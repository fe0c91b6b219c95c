package org.casement.session;

import java.io.PrintStream;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.locks.ReentrantLock;

/// The log: one line an event, `time level event=name key=value …`, the same names everywhere. A
/// value with a space, quote or control character is quoted and escaped, so that one event can
/// never look like two. No secret is ever passed in.
public final class EventLog {
  /// A value's longest form; what is longer ends in `…`.
  static final int VALUE_LIMIT_CHARS = 600;

  private final PrintStream out;
  private final InstantSource clock;
  private final ReentrantLock lock = new ReentrantLock();

  public EventLog(PrintStream out, InstantSource clock) {
    this.out = out;
    this.clock = clock;
  }

  /// `keysAndValues` alternate: `info("ready", "session", id, "boot", "41s")`.
  public void info(String event, Object... keysAndValues) {
    write("info", event, keysAndValues);
  }

  public void warn(String event, Object... keysAndValues) {
    write("warn", event, keysAndValues);
  }

  public void error(String event, Object... keysAndValues) {
    write("error", event, keysAndValues);
  }

  private void write(String level, String event, Object... keysAndValues) {
    StringBuilder line = new StringBuilder(120);
    line.append(clock.instant().truncatedTo(ChronoUnit.MILLIS)).append(' ').append(level);
    line.append(" event=").append(event);
    for (int i = 0; i + 1 < keysAndValues.length; i += 2) {
      line.append(' ').append(keysAndValues[i]).append('=');
      appendValue(line, String.valueOf(keysAndValues[i + 1]));
    }
    lock.lock();
    try {
      out.println(line);
      out.flush();
    } finally {
      lock.unlock();
    }
  }

  private static void appendValue(StringBuilder line, String value) {
    boolean bare = !value.isEmpty();
    for (int i = 0; i < value.length() && bare; i++) {
      char c = value.charAt(i);
      bare = c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
    }
    if (bare && value.length() <= VALUE_LIMIT_CHARS) {
      line.append(value);
      return;
    }
    line.append('"');
    for (int i = 0; i < Math.min(value.length(), VALUE_LIMIT_CHARS); i++) {
      char c = value.charAt(i);
      switch (c) {
        case '"' -> line.append("\\\"");
        case '\\' -> line.append("\\\\");
        case '\n' -> line.append("\\n");
        case '\r' -> line.append("\\r");
        case '\t' -> line.append("\\t");
        default -> {
          int type = Character.getType(c);
          if (c < ' '
              || type == Character.CONTROL
              || type == Character.FORMAT
              || type == Character.LINE_SEPARATOR
              || type == Character.PARAGRAPH_SEPARATOR) {
            line.append(String.format("\\u%04x", (int) c));
          } else {
            line.append(c);
          }
        }
      }
    }
    line.append(value.length() > VALUE_LIMIT_CHARS ? "…\"" : "\"");
  }
}
