package org.casement.protocol.guestapi;

import java.time.Duration;

/// Something that the guest shall show to its user, in the answers to heartbeats until the user has
/// seen it.
///
/// @param id counts up in a session, from 1
/// @param kind what it is about; so far only `walltime`
public record Notice(long id, String kind, long secondsLeft, String text) {
  public Notice {
    if (id < 1 || secondsLeft < 0) {
      throw new IllegalArgumentException("no notice: id " + id + ", seconds left " + secondsLeft);
    }
  }

  /// The session will end by itself in `left`.
  public static Notice ofWalltime(long id, Duration left, String text) {
    return new Notice(id, "walltime", Math.max(0, left.toSeconds()), text);
  }
}
