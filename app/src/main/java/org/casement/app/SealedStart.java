package org.casement.app;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.casement.isolation.InheritedListener;
import org.casement.isolation.InheritedListeners;
import org.casement.isolation.IsolationException;
import org.casement.isolation.Listener;
import org.casement.isolation.NetworkHandle;
import org.casement.isolation.PortRange;
import org.casement.isolation.Seal;
import org.casement.isolation.SealPlan;
import org.casement.isolation.SealedRun;
import org.casement.supervisor.Supervisor;

/// The command lines by which the program follows itself into the namespace: `casement run` starts
/// `casement seal`, which becomes `casement session`.
final class SealedStart {
  /// What of the user's environment the session sees.
  private static final List<String> VARIABLES =
      List.of(
          "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TZ", "JAVA_HOME", "SLURM_JOB_ID");

  /// In the session's environment: what seals it, in the words of the security model.
  static final String STRENGTH = "CASEMENT_STRENGTH";

  private SealedStart() {}

  /// How many the configuration wants.
  static int count(Configuration.Listen listen) {
    return (listen.web() ? 1 : 0) + (listen.console() ? 1 : 0);
  }

  /// The listeners of a job that is sealed already, in the contract's order.
  static List<Listener> given(Configuration.Listen listen, Map<String, String> environment)
      throws IsolationException {
    if (!NetworkHandle.oursIsRoots()) {
      throw new IsolationException(
          "this network namespace is not one that the node agent made; a session makes its own:"
              + " start it without SPANK_ISO_NETNS_ variables");
    }
    List<Listener> listeners = new ArrayList<>();
    try {
      for (InheritedListener inherited : InheritedListeners.fromEnvironment(environment)) {
        listeners.add(Listener.adopt(inherited));
      }
      if (listeners.size() != count(listen)) {
        throw new IsolationException(
            "this job has %d listeners, and [listen] needs %d: submit it with casement submit, or with --iso-netns-tcp-listeners=%d"
                .formatted(listeners.size(), count(listen), count(listen)));
      }
      return listeners;
    } catch (IsolationException e) {
      listeners.forEach(Listener::close);
      throw e;
    }
  }

  /// Opens the listeners that the configuration wants, in the contract's order: web, console.
  static List<Listener> listeners(Configuration.Listen listen) throws IsolationException {
    List<Listener> listeners = new ArrayList<>();
    PortRange ports = new PortRange(listen.firstPort(), listen.lastPort());
    try {
      for (int i = 0; i < count(listen); i++) {
        listeners.add(Listener.open(listen.address(), ports));
      }
      return listeners;
    } catch (IsolationException e) {
      listeners.forEach(Listener::close);
      throw e;
    }
  }

  static SealedRun start(
      SealPlan.Network network,
      Configuration configuration,
      List<Listener> listeners,
      SessionProgram.Arguments session,
      Map<String, String> environment)
      throws IsolationException {
    Map<String, String> variables = variables(environment);
    variables.put(STRENGTH, network == SealPlan.Network.GIVEN ? "node-agent" : "unprivileged");
    return SealedRun.start(
        network,
        listeners,
        line(network, configuration, listeners.size(), session.commandLine()),
        variables);
  }

  /// The same for another subcommand without listeners, and what it says in a file.
  static SealedRun start(
      Configuration configuration,
      List<String> subcommand,
      Map<String, String> environment,
      Path log)
      throws IsolationException {
    return SealedRun.start(
        List.of(),
        line(SealPlan.Network.FRESH, configuration, 0, subcommand),
        variables(environment),
        log);
  }

  private static List<String> line(
      SealPlan.Network network, Configuration configuration, int listeners, List<String> subcommand)
      throws IsolationException {
    String launcher = Objects.requireNonNull(System.getProperty("casement.launcher"));
    SealPlan plan =
        SealPlan.here(
            network,
            listeners,
            configuration.isolation().nftables(),
            configuration.isolation().nft(),
            Supervisor.guestPorts());
    List<String> line = new ArrayList<>(List.of(launcher, "seal", plan.argument(), launcher));
    line.addAll(subcommand);
    return line;
  }

  private static Map<String, String> variables(Map<String, String> environment) {
    Map<String, String> variables = new TreeMap<>(environment);
    variables.keySet().retainAll(VARIABLES);
    // The same JVM all the way: the AOT cache is made for it.
    variables.put("CASEMENT_JAVA", System.getProperty("casement.java", ""));
    return variables;
  }

  /// `casement seal`: returns only if it failed.
  static int seal(List<String> arguments) {
    try {
      SealPlan plan = SealPlan.parse(arguments.getFirst());
      Seal.enter(plan, arguments.subList(1, arguments.size()), System.getenv());
      return Main.OK;
    } catch (IsolationException | IllegalArgumentException e) {
      Main.complain("cannot seal the session: " + e.getMessage());
      return Main.UNAVAILABLE;
    }
  }

  /// The longest a session may take to end once it should.
  static Duration endLimit(Configuration configuration) {
    return configuration.session().drainTimeout().plusSeconds(20);
  }

  static String node() throws IOException {
    return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
  }
}
