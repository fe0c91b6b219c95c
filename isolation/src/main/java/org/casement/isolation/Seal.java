package org.casement.isolation;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// The first process in fresh namespaces (`casement seal`): makes the network namespace what a
/// session needs, or finds it so where root made it, gives up every capability, and becomes the
/// supervisor by execve(2). It reads nothing that a guest or a network wrote. If any of it fails
/// nothing runs.
public final class Seal {
  /// In the supervisor's environment: what held, for its log (`namespaces=fresh nftables=on
  /// listener-filter=on`).
  public static final String LAYERS_VARIABLE = "CASEMENT_LAYERS";

  private Seal() {}

  /// Does not return. The caller prints the exception's line and exits.
  ///
  /// @param command the supervisor, absolute path first
  /// @param environment for the supervisor; the listeners' variables are in it already
  public static void enter(SealPlan plan, List<String> command, Map<String, String> environment)
      throws IsolationException {
    boolean fresh = plan.network() == SealPlan.Network.FRESH;
    if (fresh && ProcessHandle.current().pid() != 1) {
      throw new IsolationException(
          "not the first process of a pid namespace: start a session by casement run");
    }
    if (SealPlan.currentNetwork().equals(plan.outerNetwork()) == fresh) {
      throw new IsolationException(
          fresh ? "still in the node's network namespace" : "not in the job's network namespace");
    }
    String layers = fresh ? configure(plan) : verify(plan);
    // SECURITY: from here on only this thread matters: it becomes the supervisor.
    Privileges.dropAll(fresh);
    Privileges.dieWithParent();
    Privileges.unblockSignals();
    Privileges.closeOnExec(3 + plan.listeners());
    Map<String, String> variables = new TreeMap<>(environment);
    variables.merge(LAYERS_VARIABLE, layers, (of, ours) -> ours + " " + of);
    throw Privileges.exec(command, variables);
  }

  private static String configure(SealPlan plan) throws IsolationException {
    Loopback.verifyNothingElse();
    GuestFirewall firewall = GuestFirewall.begin(plan.nftables(), plan.nft(), plan.guestPorts());
    Loopback.configure();
    String nftables = firewall.finish();
    Loopback.verifyNothingElse();
    return "namespaces=fresh " + nftables;
  }

  /// Nobody in here may lay rules in a network that is root's.
  private static String verify(SealPlan plan) throws IsolationException {
    Loopback.verifyNothingElse();
    Loopback.verifyConfigured();
    if (plan.nftables() == Layers.Use.REQUIRED) {
      throw new IsolationException(
          "the configuration requires nftables, which a session cannot lay in a network that the"
              + " node agent made; set [isolation] nftables to \"auto\" there");
    }
    return "namespaces=job nftables=absent";
  }
}
