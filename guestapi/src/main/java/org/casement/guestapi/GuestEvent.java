package org.casement.guestapi;

import org.casement.protocol.guestapi.GuestRequest;
import org.casement.session.GuestText;

/// What the session learns from the agent in its guest.
public sealed interface GuestEvent {
  /// The agent has the session document: the guest's system runs. Comes again after a reset.
  record Traded(GuestText agent) implements GuestEvent {}

  /// Something to show to the user.
  record Progressed(GuestRequest.Progress.Code code, GuestText text) implements GuestEvent {}

  /// Account and drives are there, and if `rdp` the RDP server.
  record Ready(boolean rdp) implements GuestEvent {}

  /// The guest lives.
  ///
  /// @param idleSeconds since the last key press or mouse movement, −1 if unknown
  record Heartbeat(int idleSeconds) implements GuestEvent {}
}
