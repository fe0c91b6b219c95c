package org.casement.node;

import java.util.List;
import org.casement.isolation.IsolationException;
import org.casement.isolation.ListenerRelay;
import org.casement.isolation.PacketSocket;
import org.casement.isolation.ProcessHardening;

/// `casement relay COUNT`: one job's listeners where the job may not have them itself. The agent
/// starts it ([Relays]) within the job's namespace, with the socket that it reports to at
/// descriptor 3 and the listeners from 4 on.
public final class RelayProgram {
  private static final int AGENT = 3;
  private static final int FIRST = 4;

  private RelayProgram() {}

  /// Returns only where it cannot serve; else the job's end kills it.
  ///
  /// @return 64 or 69
  public static int main(List<String> arguments) {
    if (arguments.size() != 1 || !arguments.getFirst().matches("[0-9]{1,3}")) {
      System.err.println("casement relay COUNT: the node agent starts it");
      return 64;
    }
    try (PacketSocket agent = PacketSocket.adopt(AGENT)) {
      // SECURITY: the other jobs' relays have the same account.
      ProcessHardening.nonDumpable();
      new ListenerRelay().serve(FIRST, Integer.parseInt(arguments.getFirst()));
      agent.send(Relays.READY, List.of());
    } catch (IsolationException e) {
      System.err.println("casement relay: " + e.getMessage());
      return 69;
    }
    while (true) {
      try {
        Thread.sleep(Long.MAX_VALUE);
      } catch (InterruptedException e) { // nobody does
      }
    }
  }
}
