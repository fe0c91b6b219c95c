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

  /// Boots on the node itself, as root.
  ///
  /// @param network options of QEMU's user network, such as `ipv4=on,ipv6=on`
  public static PlainGuest boot(String network) {
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
                  "tcg",
                  "-cpu",
                  "Nehalem",
                  "-smp",
                  "2",
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
                  "user,id=net,net=169.254.100.0/24,host=169.254.100.2,"
                      + "dhcpstart=169.254.100.15,"
                      + network,
                  "-device",
                  "virtio-net-pci,netdev=net,romfile=",
                  "-device",
                  "virtio-rng-pci",
                  "-device",
                  "virtio-serial-pci",
                  "-chardev",
                  "socket,id=test,server=on,wait=off,path=" + directory.resolve("test"),
                  "-device",
                  "virtserialport,chardev=test,name=org.casement.test",
                  "-vga",
                  "std",
                  "-serial",
                  "file:" + directory.resolve("serial"),
                  "-display",
                  "none"));
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
