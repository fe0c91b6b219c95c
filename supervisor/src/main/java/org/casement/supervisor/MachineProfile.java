package org.casement.supervisor;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.InputStream;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.casement.protocol.rdp.RdpSecurity;

/// The virtual hardware a golden image was installed on, and what else depends on the guest's
/// system. The profiles are data: `profiles.json` beside this class, explained in
/// `docs/machine-profiles.md`; a test holds the two against each other.
///
/// @param hyperV whether the guest knows Hyper-V's interfaces, which make Windows fast under KVM
/// @param disk QEMU's device model; `network` and `display` as well
/// @param usb QEMU's model of the USB controller that the console's pointer, a tablet, is plugged
///   into; empty for none
/// @param clock what the machine's real-time clock shows
/// @param rdpSecurity what the guest's RDP server asks for, where the manifest does not say it
/// @param memoryMebibytes where neither manifest nor configuration says it; so is `cpus`
record MachineProfile(
    String name,
    Firmware firmware,
    boolean tpm,
    boolean hyperV,
    String disk,
    String network,
    String display,
    String usb,
    Clock clock,
    SmbDialect smbMinimum,
    RdpSecurity rdpSecurity,
    int memoryMebibytes,
    int cpus) {
  enum Firmware {
    BIOS,
    /// Without keys: it boots what is not signed.
    UEFI,
    /// With Microsoft's keys: it boots only what they have signed.
    UEFI_SECURE_BOOT
  }

  enum Clock {
    UTC,
    /// The time of the session's time zone: Windows expects it.
    LOCALTIME
  }

  /// By the names that smb.conf(5) gives them.
  enum SmbDialect {
    SMB2_10,
    SMB3_00,
    SMB3_11
  }

  private static final Set<String> KEYS =
      Set.of(
          "firmware",
          "tpm",
          "hyperV",
          "disk",
          "network",
          "display",
          "usb",
          "clock",
          "smbMinimum",
          "rdpSecurity",
          "memoryMiB",
          "cpus");

  private static final Map<String, MachineProfile> ALL = read();

  static Map<String, MachineProfile> all() {
    return ALL;
  }

  /// The one called `name`; empty if this version knows none.
  static Optional<MachineProfile> called(String name) {
    return Optional.ofNullable(ALL.get(name));
  }

  /// What an image gets that names no profile.
  static MachineProfile plain() {
    return called("demo-linux").orElseThrow();
  }

  /// What an image gets that names a profile which this version does not know: an unknown Windows
  /// is newer than those that are known; anything else gets the plain machine.
  static MachineProfile baseOf(String unknown) {
    return unknown.startsWith("windows") ? called("windows-11").orElseThrow() : plain();
  }

  private static Map<String, MachineProfile> read() {
    try (InputStream in = MachineProfile.class.getResourceAsStream("profiles.json")) {
      if (in == null) {
        throw new IllegalStateException("profiles.json is not in the program");
      }
      Map<String, MachineProfile> profiles = new LinkedHashMap<>();
      JSON.std
          .mapFrom(in)
          .forEach((name, members) -> profiles.put(name, parse(name, (Map<?, ?>) members)));
      return Collections.unmodifiableMap(profiles);
    } catch (IOException e) {
      throw new IllegalStateException("profiles.json cannot be read", e);
    }
  }

  /// Strict: a member that is missing, unknown or of another kind is a defect of the program.
  @SuppressWarnings("NullAway") // SAFETY: no member is missing
  private static MachineProfile parse(String name, Map<?, ?> members) {
    if (!members.keySet().equals(KEYS)) {
      throw new IllegalStateException("profiles.json: " + name + " has not exactly " + KEYS);
    }
    return new MachineProfile(
        name,
        Firmware.valueOf((String) members.get("firmware")),
        (Boolean) members.get("tpm"),
        (Boolean) members.get("hyperV"),
        (String) members.get("disk"),
        (String) members.get("network"),
        (String) members.get("display"),
        (String) members.get("usb"),
        Clock.valueOf((String) members.get("clock")),
        SmbDialect.valueOf((String) members.get("smbMinimum")),
        RdpSecurity.valueOf((String) members.get("rdpSecurity")),
        (Integer) members.get("memoryMiB"),
        (Integer) members.get("cpus"));
  }
}
