package org.casement.node;

import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.casement.settings.ConfigurationException;
import org.casement.settings.SettingsSection;

/// The table `[node]` of the configuration.
///
/// @param relayAccount as whom listeners are relayed where nft cannot seal them
/// @param slurmConf SLURM_CONF for squeue
public record NodeSettings(
    Policy policy,
    Listening listening,
    Path nft,
    String relayAccount,
    Path squeue,
    Optional<Path> slurmConf) {

  /// Which jobs are sealed without asking, and who joins them.
  ///
  /// @param reportOnly to say which those would be, and to seal none of them
  public record Policy(
      Set<String> partitions,
      Set<String> accounts,
      Set<String> qos,
      Set<String> reservations,
      boolean reportOnly,
      Outside outside) {

    /// Whether only the controller knows enough to decide.
    boolean needsController() {
      return !accounts.isEmpty() || !qos.isEmpty() || !reservations.isEmpty();
    }

    boolean sealsNothing() {
      return partitions.isEmpty() && !needsController();
    }

    /// Why a job is sealed; empty where it is not.
    Optional<String> reason(JobFacts job) {
      return first("partition", partitions, job.partition())
          .or(() -> first("account", accounts, job.account()))
          .or(() -> first("QOS", qos, job.qos()))
          .or(() -> first("reservation", reservations, job.reservation()));
    }

    private static Optional<String> first(String kind, Set<String> sealed, String name) {
      return sealed.contains(name) ? Optional.of(kind + " " + name) : Optional.empty();
    }
  }

  /// What becomes of a step of a sealed job that does not ask to be sealed itself: one from another
  /// shell, `srun --overlap --jobid`.
  public enum Outside {
    JOIN,
    OPEN,
    NEVER
  }

  /// Jobs' listeners.
  ///
  /// @param limit of a job's, for each protocol
  /// @param backlog connections that wait for accept(2)
  /// @param rest how long after its job a port stays unused
  public record Listening(
      InetAddress address, int firstPort, int lastPort, int limit, int backlog, Duration rest) {}

  public static NodeSettings of(SettingsSection section) throws ConfigurationException {
    SettingsSection.Range ports = section.range("listener_ports", "21000-21999", 1, 65535);
    NodeSettings settings =
        new NodeSettings(
            new Policy(
                Set.copyOf(section.strings("sealed_partitions", List.of())),
                Set.copyOf(section.strings("sealed_accounts", List.of())),
                Set.copyOf(section.strings("sealed_qos", List.of())),
                Set.copyOf(section.strings("sealed_reservations", List.of())),
                section.bool("report_only", false),
                section.choice("steps_from_outside", Outside.JOIN)),
            new Listening(
                section.address("listener_address", "127.0.0.1"),
                ports.first(),
                ports.last(),
                section.integer("listener_limit", 20, 0, TaskRequest.Listeners.LIMIT),
                section.integer("listener_backlog", 128, 1, 65535),
                section.duration("listener_rest", "60s")),
            section.absolutePath("nft", "/usr/sbin/nft"),
            section.string("relay_account", "casement-relay"),
            section.absolutePath("squeue", "/usr/bin/squeue"),
            file(section));
    section.end();
    return settings;
  }

  private static Optional<Path> file(SettingsSection section) throws ConfigurationException {
    String text = section.string("slurm_conf", "");
    return text.isEmpty() ? Optional.empty() : Optional.of(section.absolutePath("slurm_conf", ""));
  }

  /// The command that asks the controller, without its arguments.
  List<String> ask() {
    return slurmConf
        .map(file -> List.of("/usr/bin/env", "SLURM_CONF=" + file, squeue.toString()))
        .orElse(List.of(squeue.toString()));
  }
}
