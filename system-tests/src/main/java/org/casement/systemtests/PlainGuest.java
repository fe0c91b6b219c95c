package org.casement.systemtests;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.casement.testkit.Await;
import org.casement.testkit.Command;

/// The demo guest under plain QEMU, with nothing around it: what a session is compared with.
public final class PlainGuest implements AutoCloseable {
  private final Process qemu;
  private final Path directory;

  private PlainGuest(Process qemu, Path directory) {
    this.qemu = qemu;
    this.directory = directory;
  }

  /// How to boot it.
  ///
  /// @param netdev QEMU's `-netdev`, with the id `net`; see [#userNetwork]
  /// @param acceleration `tcg` or `kvm`
  /// @param bootToken a file with the one string of SMBIOS type 11
  /// @param testPort whether [#shell] will be asked for
  public record Options(
      String netdev, String acceleration, Optional<Path> bootToken, boolean testPort) {
    private List<String> more(Path directory) {
      List<String> more = new ArrayList<>();
      bootToken.ifPresent(file -> more.addAll(List.of("-smbios", "type=11,path=" + file)));
      if (testPort) {
        more.addAll(
            List.of(
                "-device",
                "virtio-serial-pci",
                "-chardev",
                "socket,id=test,server=on,wait=off,path=" + directory.resolve("test"),
                "-device",
                "virtserialport,chardev=test,name=org.casement.test"));
      }
      return more;
    }
  }

  /// Boots on the node itself, as root, in software and with root's shell.
  ///
  /// @param network options of QEMU's user network, such as `ipv4=on,ipv6=on`
  public static PlainGuest boot(String network) {
    return boot(new Options(userNetwork(network), "tcg", Optional.empty(), true));
  }

  /// QEMU's user network, with the addresses that the demo guest expects.
  ///
  /// @param options such as `ipv4=on,ipv6=on`
  public static String userNetwork(String options) {
    return "user,id=net,net=169.254.100.0/24,host=169.254.100.2,dhcpstart=169.254.100.15,"
        + options;
  }

  public static PlainGuest boot(Options options) {
    try {
      Path directory = Files.createTempDirectory("casement-plain-guest-");
      Path image = Program.image();
      Map<String, Object> manifest =
          JSON.std.mapFrom(Files.readString(image.resolve("manifest.json")));
      Path overlay = directory.resolve("overlay.qcow2");
      Command.run(
              "qemu-img",
              "create",
              "-q",
              "-f",
              "qcow2",
              "-F",
              "qcow2",
              "-b",
              image.resolve(text(manifest, "disk")).toString(),
              overlay.toString())
          .orFail();
      List<String> line =
          new ArrayList<>(
              List.of(
                  "qemu-system-x86_64",
                  "-nodefaults",
                  "-machine",
                  "q35",
                  "-accel",
                  options.acceleration(),
                  "-cpu",
                  options.acceleration().equals("kvm") ? "host" : "Nehalem",
                  "-smp",
                  text(manifest, "cpus"),
                  "-m",
                  text(manifest, "memoryMiB"),
                  "-kernel",
                  image.resolve(text(manifest, "kernel")).toString(),
                  "-initrd",
                  image.resolve(text(manifest, "initrd")).toString(),
                  "-append",
                  text(manifest, "append"),
                  "-drive",
                  "if=none,id=disk,cache=unsafe,file=" + overlay,
                  "-device",
                  "virtio-blk-pci,drive=disk",
                  "-netdev",
                  options.netdev(),
                  "-device",
                  "virtio-net-pci,netdev=net,romfile=",
                  "-device",
                  "virtio-rng-pci",
                  "-vga",
                  "std",
                  "-serial",
                  "file:" + directory.resolve("serial"),
                  "-display",
                  "none"));
      line.addAll(options.more(directory));
      Process qemu =
          new ProcessBuilder(line)
              .redirectErrorStream(true)
              .redirectOutput(directory.resolve("qemu.log").toFile())
              .start();
      return new PlainGuest(qemu, directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String text(Map<String, Object> manifest, String key) {
    return Objects.requireNonNull(manifest.get(key), key).toString();
  }

  public GuestShell shell() {
    Path log = directory.resolve("qemu.log");
    Await.until(
        "QEMU runs",
        Duration.ofSeconds(10),
        () -> Files.exists(directory.resolve("test")) || !qemu.isAlive());
    if (!qemu.isAlive()) {
      throw new AssertionError("QEMU did not start: " + Command.run("cat", log.toString()).out());
    }
    return GuestShell.open(directory.resolve("test"));
  }

  @Override
  public void close() {
    qemu.destroyForcibly();
    try {
      qemu.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Command.run("rm", "-rf", directory.toString()).orFail();
  }
}
