package org.casement.node;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/// What slurmstepd says through the plugin, which runs as root; that its text has limits all the
/// same is no mistrust of it but of what a user put into it.
///
/// @param tasks of the step on this node
/// @param asked whether the task asked at all
/// @param listeners how many it asked for
/// @param partition of an [Event#BEGIN]; else empty
record TaskRequest(
    Event event,
    long job,
    long step,
    int uid,
    int tasks,
    boolean asked,
    Listeners listeners,
    String partition) {
  enum Event {
    /// A task is about to start.
    TASK,
    /// The job comes to the node.
    BEGIN,
    /// It has left.
    END
  }

  record Listeners(int tcp, int udp) {
    static final Listeners NONE = new Listeners(0, 0);

    /// Of each protocol, as spank_iso_netns.
    static final int LIMIT = 20;

    /// `TCP[,UDP]`, each as strtol(3) takes it, as the plugin does.
    static Optional<Listeners> parse(String text) {
      String[] parts = text.split(",", -1);
      if (parts.length > 2) {
        return Optional.empty();
      }
      int tcp = number(parts[0]);
      int udp = parts.length == 2 ? number(parts[1]) : 0;
      return tcp < 0 || udp < 0 ? Optional.empty() : Optional.of(new Listeners(tcp, udp));
    }

    int total() {
      return tcp + udp;
    }

    private static int number(String text) {
      String digits = text.strip().replaceFirst("^\\+", "");
      if (digits.isEmpty()) {
        return 0;
      }
      if (!digits.matches("0*[0-9]{1,2}")) {
        return -1;
      }
      int number = Integer.parseInt(digits);
      return number <= LIMIT ? number : -1;
    }
  }

  /// Empty where it is not understood.
  static Optional<TaskRequest> parse(String text) {
    String[] lines = text.split("\n", -1);
    Optional<Event> event =
        switch (lines[0]) {
          case "task 1" -> Optional.of(Event.TASK);
          case "begin 1" -> Optional.of(Event.BEGIN);
          case "end 1" -> Optional.of(Event.END);
          default -> Optional.empty();
        };
    Map<String, String> fields = new HashMap<>();
    for (int i = 1; i < lines.length; i++) {
      int space = lines[i].indexOf(' ');
      if (space > 0) {
        fields.put(lines[i].substring(0, space), lines[i].substring(space + 1));
      }
    }
    try {
      Optional<Listeners> listeners = Listeners.parse(fields.getOrDefault("listeners", ""));
      if (event.isEmpty() || listeners.isEmpty()) {
        return Optional.empty();
      }
      return Optional.of(
          new TaskRequest(
              event.get(),
              Integer.toUnsignedLong(Integer.parseUnsignedInt(fields.getOrDefault("job", "x"))),
              Integer.toUnsignedLong(Integer.parseUnsignedInt(fields.getOrDefault("step", "0"))),
              Integer.parseUnsignedInt(fields.getOrDefault("uid", "x")),
              Math.max(1, Integer.parseInt(fields.getOrDefault("tasks", "1"))),
              Integer.parseInt(fields.getOrDefault("asked", "0")) > 0,
              listeners.get(),
              fields.getOrDefault("partition", "")));
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }
}
