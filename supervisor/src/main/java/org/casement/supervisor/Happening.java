package org.casement.supervisor;

import org.casement.guestapi.GuestEvent;
import org.casement.isolation.ConfinedProcess;
import org.casement.protocol.qmp.QmpMessage;
import org.casement.session.EndReason;
import org.casement.session.PowerAction;

/// Whatever the supervisor's one thread has to know of, from wherever it comes.
sealed interface Happening {
  /// The user, a signal, or the page wants the session to end.
  record EndAsked(EndReason reason) implements Happening {}

  /// A button of the machine was pressed on its console.
  record PowerAsked(PowerAction action) implements Happening {}

  record OfGuest(GuestEvent event) implements Happening {}

  record OfQemu(QmpMessage.Event event) implements Happening {}

  record HelperEnded(ConfinedProcess helper, int status) implements Happening {}

  record HelperChanged(ConfinedProcess helper, HelperWatch.Change change) implements Happening {}

  /// QMP is closed: QEMU has ended, or misbehaves.
  record ControlLost(ConfinedProcess helper, String why) implements Happening {}

  /// The guest's RDP server answered.
  record DesktopAnswered() implements Happening {}
}
