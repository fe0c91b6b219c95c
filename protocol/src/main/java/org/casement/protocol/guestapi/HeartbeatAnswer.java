package org.casement.protocol.guestapi;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What the guest hears to a heartbeat: the notices that its user has not seen.
public record HeartbeatAnswer(List<Notice> notices) {
  public HeartbeatAnswer {
    notices = List.copyOf(notices);
  }

  public byte[] json() {
    try {
      return JSON.std.asBytes(
          Map.of("notices", notices.stream().map(HeartbeatAnswer::json).toList()));
    } catch (IOException impossible) {
      throw new UncheckedIOException("writing JSON into memory", impossible);
    }
  }

  private static Map<String, Object> json(Notice notice) {
    Map<String, Object> members = new LinkedHashMap<>();
    members.put("id", notice.id());
    members.put("kind", notice.kind());
    members.put("secondsLeft", notice.secondsLeft());
    members.put("text", notice.text());
    return members;
  }
}
