package org.casement.supervisor;

import static java.nio.charset.StandardCharsets.UTF_16LE;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.casement.isolation.ConfinedProcess;
import org.casement.isolation.Confinement;
import org.casement.isolation.Layers;
import org.casement.isolation.NetworkRules;
import org.casement.protocol.Md4;
import org.casement.session.Secret;
import org.casement.session.SessionException;
import org.jspecify.annotations.Nullable;

/// smbd for one session (smb.conf(5)): an account of its own with a random password, the listed
/// shares, and a mount namespace in which nothing else exists. That is also what makes symlinks
/// safe: one that leads to a listed share works, because each lies at its own path; any other leads
/// nowhere.
final class ShareServer {
  /// The account smbd knows; it stands for the user's uid.
  static final String USER = "casement";

  static final int PORT = 445;

  private static final InetSocketAddress ADDRESS = new InetSocketAddress(Machine.LOOPBACK, PORT);

  private static final Duration ANSWER_LIMIT = Duration.ofSeconds(2);

  /// 0.15 to 0.33 s on an idle node.
  private static final Duration START_LIMIT = Duration.ofSeconds(20);

  private static final Path SAMBA_DATA = Path.of("/usr/share/samba");

  /// Mounts; a home has some fifty dot entries.
  static final int COVERED_LIMIT = 2000;

  /// What comes and goes by itself is left to its hidden name: bwrap would make it again where it
  /// has gone meanwhile.
  private static final Pattern FLEETING = Pattern.compile("\\.nfs.*|.*(\\.lock|\\.swp|\\.tmp|~)");

  private static final Duration FIRST_PAUSE = Duration.ofMillis(250);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(10);

  /// An smbd that has lived so long is given the first pause again.
  private static final Duration SOUND = Duration.ofMinutes(1);

  private static final Duration END_LIMIT = Duration.ofSeconds(2);

  private final Path directory;
  private final SupervisorSettings settings;
  private final MachineProfile.SmbDialect minimum;
  private final Umask umask;
  private @Nullable ConfinedProcess smbd;
  private long startedNanos;
  private Duration pause = FIRST_PAUSE;

  /// @param directory in the runtime directory; made here
  /// @param minimum the oldest dialect that the guest's system cannot do without
  ShareServer(
      Path directory, SupervisorSettings settings, MachineProfile.SmbDialect minimum, Umask umask) {
    this.directory = directory;
    this.settings = settings;
    this.minimum = minimum;
    this.umask = umask;
  }

  Path log() {
    return directory.resolve("log");
  }

  /// Writes the configuration; once a session.
  void prepare(int uid, int gid, Secret password) throws IOException {
    PrivateFiles.directory(directory);
    Path etc = PrivateFiles.directory(directory.resolve("etc"));
    Path state = PrivateFiles.directory(directory.resolve("state"));
    for (String part : List.of("run", "lock", "state", "cache", "private", "ncalrpc")) {
      PrivateFiles.directory(state.resolve(part));
    }
    PrivateFiles.write(
        etc.resolve("passwd"),
        "root:x:0:0::/:/bin/false\n%s:x:%d:%d::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n"
            .formatted(USER, uid, gid));
    PrivateFiles.write(
        etc.resolve("group"), "root:x:0:\n%s:x:%d:\nnogroup:x:65534:\n".formatted(USER, gid));
    PrivateFiles.write(etc.resolve("nsswitch.conf"), "passwd: files\ngroup: files\n");
    PrivateFiles.write(etc.resolve("smb.conf"), configuration(settings.shares(), minimum, umask));
    PrivateFiles.write(state.resolve("private/smbpasswd"), passwordLine(uid, password));
  }

  /// Starts smbd; [#awaitAnswer] says when it serves.
  ConfinedProcess start() throws IOException {
    startedNanos = System.nanoTime(); // also of one that fails
    Confinement.Builder builder =
        Confinement.of(settings.shares().smbd())
            .readOnly(SAMBA_DATA)
            .readOnly(directory.resolve("etc"), Path.of("/etc"))
            .writable(directory.resolve("state"), Path.of("/smb"));
    for (Share share : settings.shares().list()) {
      for (Path place : places(share)) {
        builder.writable(place, place);
      }
    }
    for (Share share : settings.shares().list()) {
      hide(share, builder);
    }
    builder.arguments(
        "--no-process-group",
        "--configfile=/etc/smb.conf",
        "--foreground",
        "--debug-stdout",
        "--debuglevel=1");
    ConfinedProcess started =
        ConfinedProcess.start(
            "smbd",
            settings.helpers().bwrap(),
            builder.build(),
            new NetworkRules(Set.of(), Set.of(PORT)),
            log(),
            new ConfinedProcess.Options(
                Layers.DEFAULT.withLandlock(settings.helpers().landlock()), OptionalLong.empty()));
    smbd = started;
    return started;
  }

  boolean isServedBy(ConfinedProcess helper) {
    return helper == smbd;
  }

  /// How long to wait before the next start, after an end nobody asked for: longer each time.
  Duration nextPause() {
    if (System.nanoTime() - startedNanos > SOUND.toNanos()) {
      pause = FIRST_PAUSE;
    }
    Duration now = pause;
    Duration twice = pause.multipliedBy(2);
    pause = twice.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : twice;
    return now;
  }

  /// Ends smbd, if it runs, and lets it write what it has not written yet.
  void stop() {
    ConfinedProcess process = smbd;
    smbd = null;
    if (process == null) {
      return;
    }
    process.terminate();
    try {
      var _ = process.waitFor(END_LIMIT);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    process.close();
  }

  /// SECURITY: smbd refuses hidden names, but follows a symlink of the user's own that leads to
  /// one: `profile → .profile`. So those at the top of a share, and the sessions' own directories,
  /// are covered as they are now; what is made later is hidden by its name alone.
  private void hide(Share share, Confinement.Builder builder) throws IOException {
    Path real = share.path().toRealPath();
    try (DirectoryStream<Path> entries =
        Files.newDirectoryStream(real, entry -> settings.shares().hides(name(entry)))) {
      int covered = 0;
      for (Path entry : entries) {
        boolean file = Files.isRegularFile(entry, LinkOption.NOFOLLOW_LINKS);
        boolean directory = Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS);
        if ((!file && !directory) || FLEETING.matcher(name(entry)).matches()) {
          continue;
        }
        if (covered++ == COVERED_LIMIT) {
          throw new IOException(
              "share %s has more than %d hidden entries; share a directory with fewer"
                  .formatted(share.name(), COVERED_LIMIT));
        }
        for (Path place : places(share)) {
          Path inside = place.resolve(name(entry));
          if (directory) {
            builder.hideDirectory(inside);
          } else {
            builder.hideFile(inside);
          }
        }
      }
    }
    for (Path closed : settings.closed()) {
      Path top = closed.startsWith(real) ? real.relativize(closed).getName(0) : real;
      if (closed.startsWith(real) && !settings.shares().hides(top.toString())) {
        places(share)
            .forEach(place -> builder.hideDirectory(place.resolve(real.relativize(closed))));
      }
    }
  }

  private static String name(Path entry) {
    return String.valueOf(entry.getFileName());
  }

  /// Where a share lies: at its path, and at its real path for symlinks that were made by that
  /// name. A path that is a symlink in another share leads to the real one as it is.
  private Set<Path> places(Share share) throws IOException {
    Path real = share.path().toRealPath();
    boolean inAnother =
        settings.shares().list().stream()
            .anyMatch(other -> !other.equals(share) && share.path().startsWith(other.path()));
    return inAnother ? Set.of(real) : new TreeSet<>(List.of(share.path(), real));
  }

  /// Waits until `smbd` serves.
  void awaitAnswer(ConfinedProcess smbd) throws SessionException, InterruptedException {
    long deadline = System.nanoTime() + START_LIMIT.toNanos();
    while (!answers()) {
      if (!smbd.isAlive()) {
        throw new SessionException(
            "the file share did not start: smbd ended with status "
                + smbd.waitFor()
                + HelperLog.lastLine(log()).map(line -> ": " + line).orElse(""));
      }
      if (System.nanoTime() > deadline) {
        throw new SessionException("the file share did not answer within 20 s");
      }
      Thread.sleep(10);
    }
  }

  private static boolean answers() {
    try {
      SmbQuestion.ask(ADDRESS, ANSWER_LIMIT);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  /// Whether `smbd` serves; from any thread. Each client has a process of its own, and one that is
  /// stopped keeps its client waiting while the others answer.
  static HelperWatch.Question heartbeat(ConfinedProcess smbd) {
    return limit -> {
      if (smbd.isStopped()) {
        throw new IOException("a process of smbd is stopped");
      }
      SmbQuestion.ask(ADDRESS, limit);
    };
  }

  static String configuration(
      SupervisorSettings.Shares shares, MachineProfile.SmbDialect minimum, Umask umask) {
    String veto =
        shares.hidden().stream()
            .map(name -> name + "/")
            .collect(Collectors.joining("", "/.*/", ""));
    StringBuilder text =
        new StringBuilder(
            """
            [global]
              server role = standalone server
              security = user
              passdb backend = smbpasswd:/smb/private/smbpasswd
              smb ports = 445
              interfaces = 127.0.0.1/8
              bind interfaces only = yes
              disable netbios = yes
              disable spoolss = yes
              load printers = no
              printing = bsd
              printcap name = /dev/null
              server services = -dns, -nbt
              server min protocol = %s
              server signing = mandatory
              map to guest = Never
              restrict anonymous = 2
              usershare max shares = 0
              unix extensions = no
              rpc start on demand helpers = no
              pid directory = /smb/run
              lock directory = /smb/lock
              state directory = /smb/state
              cache directory = /smb/cache
              private dir = /smb/private
              ncalrpc dir = /smb/ncalrpc
              log level = 1
              follow symlinks = yes
              wide links = yes
              allow insecure wide links = yes
              vfs objects = fake_perms
              map archive = no
              hide dot files = yes
              delete veto files = no
              max smbd processes = 64
            """
                .formatted(minimum));
    // smbd ignores the umask (it uses masks of its own), and fake_perms leaves the kernel to judge:
    // smbd itself does not know the groups of a user namespace that maps one id.
    for (Share share : shares.list()) {
      text.append(
          """
          [%s]
            path = "%s"
            read only = no
            valid users = %s
            veto files = %s
            create mask = %04o
            directory mask = %04o
          """
              .formatted(
                  share.name(), share.path(), USER, veto, umask.ofFiles(), umask.ofDirectories()));
    }
    return text.toString();
  }

  /// One line of smbpasswd(5): the NT hash is MD4 of the password in UTF-16LE.
  static String passwordLine(int uid, Secret password) {
    String hash =
        HexFormat.of()
            .formatHex(Md4.digest(password.text().getBytes(UTF_16LE)))
            .toUpperCase(Locale.ROOT);
    return "%s:%d:%s:%s:[U          ]:LCT-00000001:\n".formatted(USER, uid, "X".repeat(32), hash);
  }
}
