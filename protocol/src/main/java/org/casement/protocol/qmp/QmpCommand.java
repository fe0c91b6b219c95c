package org.casement.protocol.qmp;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/// One command to QEMU.
///
/// @param id comes back with the answer; never negative
/// @param arguments maps, lists, strings, numbers, booleans
public record QmpCommand(long id, String name, Map<String, Object> arguments) {
  public QmpCommand {
    if (id < 0) {
      throw new IllegalArgumentException("negative id: " + id);
    }
    arguments = Map.copyOf(arguments);
  }

  /// As it goes over the socket, end of line included.
  public byte[] line() {
    Map<String, Object> members = new LinkedHashMap<>();
    members.put("execute", name);
    if (!arguments.isEmpty()) {
      members.put("arguments", arguments);
    }
    members.put("id", id);
    try {
      return (JSON.std.asString(members) + "\n").getBytes(UTF_8);
    } catch (IOException e) {
      throw new IllegalArgumentException("arguments of " + name + " cannot be written as JSON", e);
    }
  }
}
