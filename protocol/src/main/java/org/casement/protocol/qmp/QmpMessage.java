package org.casement.protocol.qmp;

import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.casement.protocol.ProtocolException;
import org.casement.session.GuestText;

/// One line from QEMU. It may have members we do not know: the specification promises new ones. The
/// maps cannot be changed; where QEMU says null, `get` answers as if the member were absent.
///
/// SECURITY: a guest that has broken into QEMU writes these lines itself. Names and descriptions
/// are harmless text already; strings inside a map are not.
public sealed interface QmpMessage {
  /// Longest line, without its end. The longest answers of QEMU 7.2 to commands of ours
  /// (query-block with a chain of three) have 6 KiB; only a broken one comes near.
  int LIMIT_BYTES = 1 << 20;

  /// Deepest nesting. Three levels for most answers, two more for each file of a backing chain.
  int LIMIT_DEPTH = 64;

  /// Longest number, in digits. QEMU's longest is a double of 24.
  int LIMIT_DIGITS = 40;

  /// The first line of a connection.
  record Greeting(int major, int minor, int micro) implements QmpMessage {}

  /// A command succeeded; the answer is mostly a map, empty where there is nothing to say.
  record Return(long id, Object value) implements QmpMessage {}

  /// A command failed.
  record Failure(long id, String errorClass, String description) implements QmpMessage {}

  /// Something happened.
  record Event(String name, Map<String, Object> data, Instant time) implements QmpMessage {}

  static QmpMessage parse(byte[] line) throws ProtocolException {
    Map<String, Object> members = QmpJson.object(line);
    List<String> kinds =
        members.keySet().stream()
            .filter(Set.of("QMP", "return", "error", "event")::contains)
            .toList();
    if (kinds.size() != 1) {
      throw new ProtocolException("QMP: neither greeting nor answer nor event");
    }
    return switch (kinds.getFirst()) {
      case "QMP" -> greeting(map(members, "QMP"));
      case "return" -> new Return(id(members), value(members));
      case "error" -> failure(id(members), map(members, "error"));
      default -> event(members);
    };
  }

  private static Greeting greeting(Map<String, Object> members) throws ProtocolException {
    Map<String, Object> version = map(map(members, "version"), "qemu");
    return new Greeting(
        (int) number(version, "major", 0, 9999),
        (int) number(version, "minor", 0, 9999),
        (int) number(version, "micro", 0, 9999));
  }

  private static Object value(Map<String, Object> members) throws ProtocolException {
    Object value = members.get("return");
    if (value == null) {
      throw new ProtocolException("QMP: an answer of null");
    }
    return value instanceof Map<?, ?> map ? Collections.unmodifiableMap(map) : value;
  }

  private static Failure failure(long id, Map<String, Object> members) throws ProtocolException {
    return new Failure(id, text(members, "class"), text(members, "desc"));
  }

  private static Event event(Map<String, Object> members) throws ProtocolException {
    Map<String, Object> timestamp = map(members, "timestamp");
    // Both are -1 where QEMU could not read its clock.
    long seconds = number(timestamp, "seconds", -1, 1L << 40);
    long microseconds = number(timestamp, "microseconds", -1, 999_999);
    return new Event(
        text(members, "event"),
        members.containsKey("data") ? map(members, "data") : Map.of(),
        Instant.ofEpochSecond(seconds, 1000 * microseconds));
  }

  /// Each of our commands has an id, so QEMU's answer has it, too.
  private static long id(Map<String, Object> members) throws ProtocolException {
    return number(members, "id", 0, Long.MAX_VALUE);
  }

  @SuppressWarnings("unchecked") // SAFETY: JSON objects have string keys
  private static Map<String, Object> map(Map<String, Object> members, String name)
      throws ProtocolException {
    if (members.get(name) instanceof Map<?, ?> map) {
      return Collections.unmodifiableMap((Map<String, Object>) map);
    }
    throw new ProtocolException("QMP: " + name + " is not an object");
  }

  private static String text(Map<String, Object> members, String name) throws ProtocolException {
    if (members.get(name) instanceof String text) {
      return new GuestText(text).value();
    }
    throw new ProtocolException("QMP: " + name + " is not a string");
  }

  private static long number(Map<String, Object> members, String name, long least, long most)
      throws ProtocolException {
    Object value = members.get(name);
    if (value instanceof Integer || value instanceof Long) {
      long number = ((Number) value).longValue();
      if (least <= number && number <= most) {
        return number;
      }
    }
    throw new ProtocolException("QMP: " + name + " is not a number as it should be");
  }
}
