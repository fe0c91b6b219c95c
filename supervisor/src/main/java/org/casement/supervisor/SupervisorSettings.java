package org.casement.supervisor;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.util.List;
import java.util.Optional;
import org.casement.isolation.Layers;
import org.casement.protocol.rdp.RdpSecurity;

/// What one session is to be: the configuration, in the supervisor's terms.
///
/// @param runtime the session's runtime directory, which exists
/// @param closed real paths of directories that no share may show: the session homes, the runtime
///   directory
/// @param desktop whether a connector shows the guest's desktop: readiness waits for it only then
public record SupervisorSettings(
    Path runtime,
    List<Path> closed,
    Path goldenImage,
    Machine machine,
    Firmware firmware,
    Shares shares,
    Helpers helpers,
    boolean desktop,
    Duration bootTimeout,
    Duration drainTimeout,
    ZoneId timezone) {

  public SupervisorSettings {
    closed = List.copyOf(closed);
  }

  SupervisorSettings withShares(List<Share> list) {
    return new SupervisorSettings(
        runtime,
        closed,
        goldenImage,
        machine,
        firmware,
        new Shares(list, shares.hidden(), shares.smbd()),
        helpers,
        desktop,
        bootTimeout,
        drainTimeout,
        timezone);
  }

  /// The virtual machine.
  ///
  /// @param qemuFiles what QEMU needs to see beside its program and the system's libraries
  /// @param memoryMebibytes 0 takes the golden image's figure; so does `cpus`
  /// @param user the account in the guest
  /// @param rdpSecurity empty takes what the golden image says
  /// @param testPort a root shell of the demo guest, for tests
  public record Machine(
      Path qemu,
      Path qemuImg,
      List<Path> qemuFiles,
      int memoryMebibytes,
      int cpus,
      int overlayLimitGibibytes,
      boolean onlyTcg,
      String user,
      Optional<RdpSecurity> rdpSecurity,
      boolean testPort) {
    public Machine {
      qemuFiles =
          qemuFiles.stream().filter(Files::exists).toList(); // see the example configuration
    }
  }

  /// What the machine profiles with UEFI or a TPM need; the others do without.
  ///
  /// @param uefiCode built for Secure Boot; whether it insists is a matter of the variables
  /// @param uefiVariables a template without keys
  /// @param secureBootVariables a template with Microsoft's keys
  public record Firmware(Path uefiCode, Path uefiVariables, Path secureBootVariables, Path swtpm) {}

  /// What the guest sees of the user's files.
  ///
  /// @param hidden names that no share shows, beside all that start with a dot
  public record Shares(List<Share> list, List<String> hidden, Path smbd) {
    public Shares {
      list = List.copyOf(list);
      hidden = List.copyOf(hidden);
    }

    boolean hides(String name) {
      return name.startsWith(".") || hidden.contains(name);
    }
  }

  /// How helpers are confined.
  public record Helpers(Path bwrap, Layers.Use landlock) {}
}
