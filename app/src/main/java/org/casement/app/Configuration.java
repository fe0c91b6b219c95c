package org.casement.app;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.casement.isolation.Layers;
import org.casement.node.NodeSettings;
import org.casement.protocol.rdp.ClipboardPolicy;
import org.casement.protocol.rdp.RdpSecurity;
import org.casement.session.PowerAction;
import org.casement.settings.ConfigurationException;
import org.casement.settings.ConfigurationFiles;
import org.casement.settings.SettingsReading;
import org.casement.settings.SettingsSection;
import org.casement.supervisor.Share;
import org.casement.supervisor.SupervisorSettings;

/// Everything the configuration says, read once, in two layers: the site's file, and over it, key
/// by key, the user's own. The annotated example `casement.toml` beside this class lists every key
/// with its default; a test holds the two against each other.
record Configuration(
    Session session,
    Path goldenImage,
    Machine machine,
    Firmware firmware,
    Shares shares,
    Listen listen,
    ClipboardPolicy clipboard,
    boolean sound,
    Console console,
    Isolation isolation,
    SlurmUse slurm) {

  private static final String STANDARD_SHARE =
      "[[share]]\nname = \"home\"\npath = \"${HOME}/casement\"\n";

  /// Drive letters E to Z.
  private static final int SHARES_LIMIT = 22;

  /// A text stands some seven times in the session's memory, of which there are 96 MiB.
  private static final int CLIPBOARD_LIMIT_KIBIBYTES = 8192;

  record Session(
      Path home,
      Path runtimeParent,
      Duration walltime,
      Duration bootTimeout,
      Duration drainTimeout,
      ZoneId timezone) {}

  record Machine(
      Path qemu,
      Path qemuImg,
      List<Path> qemuFiles,
      int memoryMebibytes,
      int cpus,
      int overlayLimitGibibytes,
      AccelerationChoice acceleration,
      String user,
      RdpSecurityChoice rdpSecurity,
      boolean testPort) {}

  record Firmware(Path uefiCode, Path uefiVariables, Path secureBootVariables, Path swtpm) {}

  enum AccelerationChoice {
    AUTO,
    TCG
  }

  enum RdpSecurityChoice {
    AUTO,
    TLS,
    NLA;

    /// Empty where the golden image decides.
    Optional<RdpSecurity> chosen() {
      return switch (this) {
        case AUTO -> Optional.empty();
        case TLS -> Optional.of(RdpSecurity.TLS);
        case NLA -> Optional.of(RdpSecurity.NLA);
      };
    }
  }

  record Shares(List<Share> list, List<String> hidden, Path smbd) {}

  record Listen(InetAddress address, int firstPort, int lastPort, boolean web, boolean console) {}

  record Console(Set<PowerAction> power) {}

  record Isolation(Path bwrap, Path nft, Layers.Use nftables, Layers.Use landlock) {}

  /// @param commands where sbatch, squeue and scancel are
  /// @param plugin whether sessions are sealed by iso_netns
  record SlurmUse(Path commands, Layers.Use plugin) {}

  static Configuration find(Optional<Path> named, Map<String, String> environment)
      throws ConfigurationException {
    return read(ConfigurationFiles.find(named, environment), environment);
  }

  /// @param files the one that counts most first
  static Configuration read(List<Path> files, Map<String, String> environment)
      throws ConfigurationException {
    SettingsReading reading = reading(files, environment);
    Configuration configuration = read(reading, files);
    reading.refuseUnknownKeys();
    return configuration;
  }

  static SettingsReading reading(List<Path> files, Map<String, String> environment) {
    return new SettingsReading(
        files,
        Map.of(
            "HOME", environment.getOrDefault("HOME", "/"),
            "USER", environment.getOrDefault("USER", "user")));
  }

  /// As `reading` then knows, with its unknown keys left out.
  static Configuration read(SettingsReading reading, List<Path> files)
      throws ConfigurationException {
    List<SettingsSection.Layer> layers = new ArrayList<>();
    for (Path file : files) {
      layers.add(new SettingsSection.Layer(Optional.of(file), ConfigurationFiles.parse(file)));
    }
    return of(new SettingsSection("", layers, reading));
  }

  static Configuration of(SettingsSection root) throws ConfigurationException {
    Configuration configuration =
        new Configuration(
            session(root.section("session")),
            golden(root.section("golden")),
            machine(root.section("machine")),
            firmware(root.section("firmware")),
            shares(root.section("shares")),
            listen(root.section("listen")),
            clipboard(root.section("clipboard")),
            sound(root.section("sound")),
            console(root.section("console")),
            isolation(root.section("isolation")),
            slurm(root.section("slurm")));
    // The node agent reads its table itself, in the site's file alone.
    NodeSettings _ = NodeSettings.of(root.section("node"));
    root.end();
    return configuration;
  }

  /// In the supervisor's terms.
  ///
  /// @param runtime the runtime directory, which exists
  SupervisorSettings supervisorSettings(Path runtime) throws IOException {
    Path home = session.home();
    return new SupervisorSettings(
        runtime.toRealPath(),
        List.of(Files.exists(home) ? home.toRealPath() : home, runtime.toRealPath()),
        goldenImage,
        new SupervisorSettings.Machine(
            machine.qemu(),
            machine.qemuImg(),
            machine.qemuFiles(),
            machine.memoryMebibytes(),
            machine.cpus(),
            machine.overlayLimitGibibytes(),
            machine.acceleration() == AccelerationChoice.TCG,
            machine.user(),
            machine.rdpSecurity().chosen(),
            machine.testPort()),
        new SupervisorSettings.Firmware(
            firmware.uefiCode(),
            firmware.uefiVariables(),
            firmware.secureBootVariables(),
            firmware.swtpm()),
        new SupervisorSettings.Shares(shares.list(), shares.hidden(), shares.smbd()),
        new SupervisorSettings.Helpers(isolation.bwrap(), isolation.landlock()),
        listen.web(),
        session.bootTimeout(),
        session.drainTimeout(),
        session.timezone());
  }

  private static Session session(SettingsSection section) throws ConfigurationException {
    Session session =
        new Session(
            section.absolutePath("home", "${HOME}/.local/state/casement"),
            section.absolutePath("runtime_parent", "/tmp"),
            section.duration("walltime", "8h"),
            section.duration("boot_timeout", "10m"),
            section.duration("drain_timeout", "30s"),
            zone(section));
    section.end();
    return session;
  }

  private static ZoneId zone(SettingsSection section) throws ConfigurationException {
    String name = section.string("timezone", "");
    try {
      ZoneId zone = name.isEmpty() ? ZoneId.systemDefault() : ZoneId.of(name);
      if (zone instanceof ZoneOffset || !ZoneId.getAvailableZoneIds().contains(zone.getId())) {
        if (name.isEmpty()) {
          return ZoneId.of("Etc/UTC");
        }
        throw section.wrong("timezone", "is an IANA name such as \"Europe/Berlin\"");
      }
      return zone;
    } catch (DateTimeException e) {
      throw section.wrong("timezone", "is an IANA name such as \"Europe/Berlin\"");
    }
  }

  private static Path golden(SettingsSection section) throws ConfigurationException {
    Path image = section.requiredPath("image");
    section.end();
    return image;
  }

  private static Machine machine(SettingsSection section) throws ConfigurationException {
    String user = section.string("user", "user");
    if (!user.matches("[a-z][a-z0-9]{0,19}")) {
      throw section.wrong("user", "is 1 to 20 of a-z and 0-9, starting with a letter");
    }
    Machine machine =
        new Machine(
            section.absolutePath("qemu", "/usr/bin/qemu-system-x86_64"),
            section.absolutePath("qemu_img", "/usr/bin/qemu-img"),
            section.absolutePaths("qemu_files", List.of("/usr/share/qemu", "/usr/share/seabios")),
            section.integer("memory_mib", 0, 0, 4 * 1024 * 1024),
            section.integer("cpus", 0, 0, 1024),
            section.integer("overlay_limit_gib", 40, 1, 65536),
            section.choice("acceleration", AccelerationChoice.AUTO),
            user,
            section.choice("rdp_security", RdpSecurityChoice.AUTO),
            section.bool("test_port", false));
    section.end();
    return machine;
  }

  private static Firmware firmware(SettingsSection section) throws ConfigurationException {
    Firmware firmware =
        new Firmware(
            section.absolutePath("uefi_code", "/usr/share/OVMF/OVMF_CODE_4M.ms.fd"),
            section.absolutePath("uefi_variables", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
            section.absolutePath("secure_boot_variables", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"),
            section.absolutePath("swtpm", "/usr/bin/swtpm"));
    section.end();
    return firmware;
  }

  private static Shares shares(SettingsSection section) throws ConfigurationException {
    List<String> hidden = section.strings("hidden", List.of("ondemand"));
    if (!hidden.stream().allMatch(name -> name.matches("[^/\\\\\"%*?\\p{Cntrl}]{1,255}"))) {
      throw section.wrong(
          "hidden", "lists names of files or directories, without slashes, %, * or ?");
    }
    Path smbd = section.absolutePath("smbd", "/usr/sbin/smbd");
    List<Share> list = new ArrayList<>();
    for (SettingsSection share : section.sections("share", STANDARD_SHARE)) {
      share.head();
      String name = share.required("name");
      Path path = share.requiredPath("path");
      share.end();
      try {
        list.add(new Share(name, path));
      } catch (IllegalArgumentException e) {
        throw share.wrong("name", String.valueOf(e.getMessage()));
      }
    }
    if (list.size() > SHARES_LIMIT) {
      throw section.wrong("share", "is listed at most " + SHARES_LIMIT + " times: a drive each");
    }
    section.end();
    return new Shares(List.copyOf(list), hidden, smbd);
  }

  private static Listen listen(SettingsSection section) throws ConfigurationException {
    SettingsSection.Range ports = section.range("ports", "20000-20999", 1, 65535);
    Listen listen =
        new Listen(
            section.address("address", "127.0.0.1"),
            ports.first(),
            ports.last(),
            section.bool("web", true),
            section.bool("console", true));
    section.end();
    return listen;
  }

  private static ClipboardPolicy clipboard(SettingsSection section) throws ConfigurationException {
    ClipboardPolicy clipboard =
        new ClipboardPolicy(
            section.bool("from_desktop", true),
            section.bool("to_desktop", true),
            section.integer("limit_kib", 4096, 1, CLIPBOARD_LIMIT_KIBIBYTES) * 1024);
    section.end();
    return clipboard;
  }

  private static boolean sound(SettingsSection section) throws ConfigurationException {
    boolean enabled = section.bool("enabled", false);
    section.end();
    return enabled;
  }

  private static Console console(SettingsSection section) throws ConfigurationException {
    Set<PowerAction> power = EnumSet.noneOf(PowerAction.class);
    for (String code : section.strings("power", List.of("shutdown", "reset"))) {
      power.add(
          PowerAction.of(code)
              .orElseThrow(
                  () ->
                      section.wrong(
                          "power", "lists any of \"shutdown\", \"reset\" and \"poweroff\"")));
    }
    section.end();
    return new Console(power);
  }

  private static Isolation isolation(SettingsSection section) throws ConfigurationException {
    Isolation isolation =
        new Isolation(
            section.absolutePath("bwrap", "/usr/bin/bwrap"),
            section.absolutePath("nft", "/usr/sbin/nft"),
            section.choice("nftables", Layers.Use.AUTO),
            section.choice("landlock", Layers.Use.AUTO));
    section.end();
    return isolation;
  }

  private static SlurmUse slurm(SettingsSection section) throws ConfigurationException {
    SlurmUse slurm =
        new SlurmUse(
            section.absolutePath("commands", "/usr/bin"),
            section.choice("plugin", Layers.Use.AUTO));
    section.end();
    return slurm;
  }
}
