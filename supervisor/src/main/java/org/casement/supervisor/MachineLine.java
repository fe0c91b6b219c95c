package org.casement.supervisor;

import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;

/// QEMU's command line, qemu-system-x86_64(1), from an image's profile and how the guest's code is
/// run. What it names lies where [Machine] binds it in the confinement.
final class MachineLine {
  static final Path DISK = Path.of("/golden/disk");
  static final Path KERNEL = Path.of("/golden/kernel");
  static final Path INITRD = Path.of("/golden/initrd");
  static final Path OVERLAYS = Path.of("/disk");
  static final Path SOCKETS = Path.of("/sockets");
  static final Path SMBIOS = Path.of("/smbios");
  static final Path PICTURE = Path.of("/screen/picture");
  static final Path FIRMWARE = Path.of("/firmware/code");
  static final Path VARIABLES = Path.of("/variables");
  static final Path TPM = Path.of("/tpm");

  /// What Windows asks of Hyper-V under KVM (QEMU docs, system/i386/hyperv). TCG has none of it: it
  /// refuses some, and takes the others without effect.
  private static final String HYPER_V =
      ",migratable=on,hv-relaxed,hv-vapic,hv-spinlocks=0x1fff,hv-vpindex,hv-runtime,hv-time"
          + ",hv-synic,hv-stimer,hv-tlbflush,hv-ipi,hv-frequencies,hv-reset";

  private final MachineProfile profile;
  private final GoldenImage image;
  private final SupervisorSettings.Machine settings;
  private final List<String> line = new ArrayList<>();

  private MachineLine(
      MachineProfile profile, GoldenImage image, SupervisorSettings.Machine settings) {
    this.profile = profile;
    this.image = image;
    this.settings = settings;
  }

  /// @param now the local time of the session's time zone: in its confinement QEMU knows none
  static List<String> of(
      GoldenImage image,
      Acceleration acceleration,
      SupervisorSettings.Machine settings,
      LocalDateTime now) {
    MachineLine made = new MachineLine(image.profile(), image, settings);
    made.board(acceleration, now);
    made.firmware();
    made.boot();
    made.disk();
    made.network();
    made.devices();
    made.control();
    return made.line;
  }

  private void add(String... words) {
    line.addAll(List.of(words));
  }

  private void board(Acceleration acceleration, LocalDateTime now) {
    int cpus = settings.cpus() == 0 ? image.cpus() : settings.cpus();
    int memory =
        settings.memoryMebibytes() == 0 ? image.memoryMebibytes() : settings.memoryMebibytes();
    boolean uefi = profile.firmware() != MachineProfile.Firmware.BIOS;
    add("-nodefaults", "-no-user-config", "-name", "casement", "-display", "none");
    add(
        "-machine",
        "q35,vmport=off"
            + (profile.hyperV() ? ",hpet=off" : "") // it has a better clock
            + (uefi ? ",smm=on,pflash0=code,pflash1=variables" : ""));
    add("-accel", acceleration.option());
    boolean hyperV = profile.hyperV() && acceleration == Acceleration.KVM;
    add("-cpu", acceleration.cpu() + (hyperV ? HYPER_V : ""));
    // One socket: a Windows for desktops uses no more than two.
    add("-smp", cpus + ",sockets=1,cores=" + cpus + ",threads=1");
    add("-m", Integer.toString(memory));
    // A session that sleeps would not be woken up by anybody.
    add("-global", "ICH9-LPC.disable_s3=1", "-global", "ICH9-LPC.disable_s4=1");
    if (profile.clock() == MachineProfile.Clock.LOCALTIME) {
      add(
          "-rtc",
          "base="
              + DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss").format(now)
              + ",driftfix=slew");
    }
  }

  private void firmware() {
    if (profile.firmware() == MachineProfile.Firmware.BIOS) {
      return;
    }
    add(
        "-blockdev",
        "driver=file,filename=" + FIRMWARE + ",node-name=code-file,read-only=on,locking=off");
    add("-blockdev", "driver=raw,file=code-file,node-name=code,read-only=on");
    add("-blockdev", "driver=file,filename=" + VARIABLES + "/variables,node-name=variables-file");
    add("-blockdev", "driver=raw,file=variables-file,node-name=variables");
    // SECURITY: only the firmware itself, in system management mode, writes the variables: who
    // could, could switch Secure Boot off.
    add("-global", "driver=cfi.pflash01,property=secure,value=on");
  }

  private void boot() {
    image
        .boot()
        .ifPresent(
            boot ->
                add(
                    "-kernel",
                    KERNEL.toString(),
                    "-initrd",
                    INITRD.toString(),
                    "-append",
                    boot.append()));
    add("-boot", "strict=on"); // from the disk or not at all
    add("-smbios", "type=11,path=" + SMBIOS + "/token");
  }

  private void disk() {
    // The golden image is opened read-only and not locked: all sessions share it.
    add(
        "-blockdev",
        "driver=file,filename=" + DISK + ",node-name=golden-file,read-only=on,locking=off");
    add("-blockdev", "driver=qcow2,file=golden-file,node-name=golden,read-only=on");
    add(
        "-blockdev",
        "driver=file,filename=" + OVERLAYS + "/overlay.qcow2,node-name=overlay-file,discard=unmap");
    add(
        "-blockdev",
        "driver=qcow2,file=overlay-file,backing=golden,node-name=disk,discard=unmap,"
            + "detect-zeroes=unmap,cache.no-flush=on");
    // A full disk stops the machine instead of failing the guest's writes.
    add("-device", profile.disk() + ",drive=disk,bootindex=1,werror=stop,rerror=stop");
  }

  private void network() {
    add(
        "-netdev",
        "user,id=net,ipv6=off,net=169.254.100.0/24,dhcpstart=%s,host=%s,hostfwd=tcp:127.0.0.1:%d-%s:%d"
            .formatted(
                Machine.GUEST_ADDRESS,
                Machine.HOST_ALIAS,
                Machine.RDP_PORT,
                Machine.GUEST_ADDRESS,
                Machine.RDP_PORT));
    add("-device", profile.network() + ",netdev=net,romfile=");
  }

  private void devices() {
    add("-device", "virtio-rng-pci", "-device", profile.display());
    if (!profile.usb().isEmpty()) {
      add("-device", profile.usb() + ",id=usb", "-device", "usb-tablet,bus=usb.0");
    }
    if (profile.tpm()) {
      add("-chardev", "socket,id=tpm,path=" + TPM + "/" + Tpm.SOCKET);
      add("-tpmdev", "emulator,id=tpm,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm");
    }
    if (settings.testPort()) {
      add("-device", "virtio-serial-pci");
      add("-chardev", "socket,id=test,path=" + SOCKETS + "/test,server=on,wait=off");
      add("-device", "virtserialport,chardev=test,name=org.casement.test");
    }
  }

  private void control() {
    add("-vnc", "unix:" + SOCKETS + "/vnc", "-qmp", "unix:" + SOCKETS + "/qmp,server=on,wait=off");
    add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
  }
}
