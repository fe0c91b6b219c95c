package org.casement.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.casement.systemtests.GuestShell;
import org.casement.systemtests.PlainGuest;
import org.casement.systemtests.Session;
import org.casement.systemtests.Settings;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.TestUser;

/// The speed of the share from the guest, beside the same guest under plain QEMU whose network is
/// passt, and an smbd on the node with the session's own smb.conf.
final class ShareBenchmark {
  private static final int RUNS = 3;
  private static final int MIB = 64;
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final String NAME = "bench";
  private static final String PASSWORD = "bench";

  /// The guest's own; seconds, in hundredths.
  private static final Pattern CLOCK = Pattern.compile("clock ([0-9.]+)");

  /// @param read megabytes a second
  /// @param write megabytes a second, all of it on the server
  record Figures(Samples read, Samples write) {}

  private ShareBenchmark() {}

  /// The session's figures, then the peer's.
  static List<Figures> run(TestUser user) throws IOException {
    Path shared = Files.createDirectories(user.home().resolve(NAME));
    Command.run("dd", "if=/dev/urandom", "of=" + shared + "/big", "bs=1M", "count=" + MIB).orFail();
    Command.run("chown", "-R", user.name(), shared.toString()).orFail();
    Figures ours;
    String configuration;
    try (Session session =
            Session.start(user, Settings.standard().withTestPort().withShare(NAME, shared));
        GuestShell guest = session.guestShell()) {
      session.awaitReady();
      guest.awaitShare(NAME);
      configuration = Files.readString(session.runtime().resolve("share/etc/smb.conf"));
      ours = measure(guest, "/home/user/" + NAME);
    }
    return List.of(ours, peer(user, configuration));
  }

  private static Figures peer(TestUser user, String configuration) throws IOException {
    Path directory = Files.createTempDirectory("casement-bench-smb-");
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    for (String part : List.of("run", "lock", "state", "cache", "private", "ncalrpc")) {
      Files.createDirectory(directory.resolve(part));
    }
    Path file = directory.resolve("smb.conf");
    Files.writeString(
        file,
        configuration
            .replace("/smb/", directory + "/")
            .replace("valid users = casement", "valid users = " + user.name()));
    Command.run(
            "sh",
            "-c",
            "printf '%s\\n%s\\n' | smbpasswd -c %s -a -s %s"
                .formatted(PASSWORD, PASSWORD, file, user.name()))
        .orFail();
    List<Process> processes = new ArrayList<>();
    Path socket = Path.of("/tmp/casement-bench-passt-" + ProcessHandle.current().pid());
    try {
      processes.add(
          start(
              "smbd",
              "--configfile=" + file,
              "--foreground",
              "--debug-stdout",
              "--no-process-group"));
      processes.add(
          start(
              "passt",
              "--foreground",
              "--quiet",
              "--socket=" + socket,
              "--ipv4-only",
              "--address=169.254.100.15",
              "--netmask=255.255.255.0",
              "--gateway=169.254.100.2"));
      Await.until("passt listens", LIMIT, () -> Files.exists(socket));
      try (PlainGuest guest =
              PlainGuest.boot(
                  new PlainGuest.Options(
                      "stream,id=net,server=off,addr.type=unix,addr.path=" + socket,
                      "tcg",
                      Optional.empty(),
                      true));
          GuestShell shell = guest.shell()) {
        String mount =
            "mkdir -p /run/bench; printf 'username=%s\\npassword=%s\\n' >/run/bench.credentials; mount.cifs //169.254.100.2/%s /run/bench -o credentials=/run/bench.credentials,sec=ntlmssp,vers=3.1.1,uid=1000,gid=1000,nobrl"
                .formatted(user.name(), PASSWORD, NAME);
        Await.until(
            "the peer's share is mounted",
            LIMIT,
            () -> shell.run(mount).status() == 0,
            () -> shell.run(mount + "; dmesg | tail").out());
        return measure(shell, "/run/bench");
      }
    } finally {
      processes.forEach(process -> process.descendants().forEach(ProcessHandle::destroyForcibly));
      processes.forEach(Process::destroyForcibly);
      Files.deleteIfExists(socket);
      Command.run("rm", "-rf", directory.toString()).orFail();
    }
  }

  private static Process start(String... command) throws IOException {
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .start();
  }

  private static Figures measure(GuestShell guest, String directory) {
    List<Double> read = new ArrayList<>();
    List<Double> write = new ArrayList<>();
    for (int i = 0; i < RUNS; i++) {
      read.add(
          rate(
              guest,
              "sync; echo 3 >/proc/sys/vm/drop_caches; dd if=%s/big of=/dev/null bs=1M"
                  .formatted(directory)));
      write.add(
          rate(
              guest,
              "dd if=/dev/zero of=%1$s/out bs=1M count=%2$d conv=fsync; rm %1$s/out"
                  .formatted(directory, MIB)));
    }
    return new Figures(new Samples("MB/s", read), new Samples("MB/s", write));
  }

  private static double rate(GuestShell guest, String script) {
    String clock = "read now _ </proc/uptime; echo \"clock $now\"";
    String said = guest.run(clock + "; " + script + "; " + clock, LIMIT).orFail();
    double[] times =
        CLOCK.matcher(said).results().mapToDouble(at -> Double.parseDouble(at.group(1))).toArray();
    return MIB * 1.048576 / (times[1] - times[0]);
  }
}
