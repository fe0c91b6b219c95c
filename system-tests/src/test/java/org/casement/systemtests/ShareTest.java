package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.Place;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// The user's files from inside the guest, as its root, who may do whatever the share allows.
final class ShareTest {
  private static final Duration MOUNT_LIMIT = Duration.ofSeconds(60);

  private static TestUser user;
  private static int projectGroup;
  private static Path project;
  private static Path work;
  private static Map<String, String> imageBefore = Map.of();
  private static Path image;
  private static Session session;
  private static GuestShell guest;

  @BeforeAll
  static void startSession() throws IOException {
    user = TestUser.create();
    user.write(".ssh/id_test", "private key\n");
    user.write(".bashrc", "the user's own\n");
    user.write("work/plain.txt", "plain\n");
    user.write("work/.bashrc", "hidden\n");
    user.write("work/ondemand/secret", "hidden too\n");
    work = user.home().resolve("work");
    projectGroup = user.joinNewGroup();
    project = Files.createTempDirectory(Path.of("/srv"), "casement-test-project-");
    Command.run("chgrp", Integer.toString(projectGroup), project.toString()).orFail();
    Command.run("chmod", "2770", project.toString()).orFail();
    Files.writeString(project.resolve("theirs.txt"), "project\n");
    for (String[] link :
        new String[][] {
          {user.home().resolve(".ssh").toString(), "out"},
          {"/etc/passwd", "passwd"},
          {"/", "root"},
          {project.toString(), "to-project"},
          {work.resolve(".bashrc").toString(), "to-hidden"}
        }) {
      user.run("ln", "-s", link[0], work.resolve(link[1]).toString()).orFail();
    }
    // The user's own, so that nothing but the session keeps it as it is.
    image = Files.createTempDirectory(Path.of("/var/tmp"), "ct-image-");
    Command.run("cp", "-r", Program.image() + "/.", image.toString()).orFail();
    Command.run("chmod", "-R", "u+rwX", image.toString()).orFail();
    Command.run("chown", "-R", user.name(), image.toString()).orFail();
    imageBefore = hashes();
    session =
        Session.start(
            user,
            Settings.standard()
                .with("golden", "image", image)
                .withTestPort()
                .withUmask("027")
                .withShare("work", work)
                .withShare("project", project));
    guest = session.guestShell();
    session.awaitReady();
    Await.until(
        "both shares are mounted",
        MOUNT_LIMIT,
        () -> guest.run("mount | grep -c cifs").out().strip().equals("2"),
        () -> guest.run("mount; dmesg | tail").out());
  }

  @AfterAll
  static void endSession() throws IOException {
    guest.close();
    session.close();
    assertThat(hashes()).isEqualTo(imageBefore);
    Command.run("rm", "-r", image.toString()).orFail();
    user.close();
    Command.run("rm", "-rf", project.toString()).orFail();
  }

  private static Command.Outcome in(String share, String script) {
    return guest.run("cd /home/user/" + share + " && { " + script + "\n}");
  }

  private static Map<String, String> hashes() throws IOException {
    Map<String, String> hashes = new TreeMap<>();
    try (Stream<Path> files = Files.list(image)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        hashes.put(
            file.getFileName().toString(), Command.run("sha256sum", file.toString()).orFail());
      }
    }
    assertThat(hashes).containsKeys("manifest.json", "disk.qcow2");
    return hashes;
  }

  private static void assertOwned(Path path, int gid, String mode) throws IOException {
    assertThat(Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS))
        .isEqualTo(user.uid());
    assertThat(Files.getAttribute(path, "unix:gid", LinkOption.NOFOLLOW_LINKS)).isEqualTo(gid);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path))).isEqualTo(mode);
  }

  @Test
  void aFileMadeInTheGuestIsTheUsersWithTheirUmask() throws IOException {
    in("work", "echo made >made.txt; mkdir made; echo deep >made/deep.txt").orFail();
    assertThat(work.resolve("made.txt")).hasContent("made");
    assertOwned(work.resolve("made.txt"), user.gid(), "rw-r-----");
    assertOwned(work.resolve("made"), user.gid(), "rwxr-x---");
    assertOwned(work.resolve("made/deep.txt"), user.gid(), "rw-r-----");
  }

  @Test
  void aSetgidDirectoryOfASupplementaryGroupWorksAndKeepsItsGroup() throws IOException {
    assertThat(in("project", "cat theirs.txt").orFail()).isEqualTo("project\n");
    in("project", "echo ours >ours.txt; mkdir ours; rm theirs.txt").orFail();
    assertOwned(project.resolve("ours.txt"), projectGroup, "rw-r-----");
    assertThat(Files.getAttribute(project.resolve("ours"), "unix:gid")).isEqualTo(projectGroup);
    assertThat(project.resolve("theirs.txt")).doesNotExist();
  }

  @Test
  void whatBeginsWithADotIsNeitherSeenNorWritten() {
    assertThat(in("work", "ls -a").orFail().lines())
        .contains("plain.txt")
        .doesNotContain(".bashrc", "ondemand");
    assertThat(in("work", "cat .bashrc").status()).isNotZero();
    assertThat(in("work", "echo evil >.bashrc").status()).isNotZero();
    assertThat(in("work", "echo evil >.profile").status()).isNotZero();
    assertThat(in("work", "mkdir .ssh").status()).isNotZero();
    assertThat(in("work", "mv plain.txt .profile").status()).isNotZero();
    assertThat(in("work", "cat ondemand/secret").status()).isNotZero();
    assertThat(in("work", "echo evil >ondemand/evil").status()).isNotZero();
    assertThat(work.resolve(".bashrc")).hasContent("hidden");
    assertThat(work.resolve(".profile")).doesNotExist();
    assertThat(work.resolve(".ssh")).doesNotExist();
    assertThat(work.resolve("ondemand/evil")).doesNotExist();
    // The twin: the same without the dot.
    in("work", "cat plain.txt; echo good >profile; mkdir ssh; mv profile ssh/profile").orFail();
    assertThat(work.resolve("ssh/profile")).hasContent("good");
  }

  @Test
  void aSymlinkOutLeadsNowhereAndOneToAnotherShareLeadsThere() {
    assertThat(in("work", "cat out/id_test").out()).doesNotContain("private key");
    assertThat(in("work", "echo evil >out/evil").status()).isNotZero();
    assertThat(user.home().resolve(".ssh/evil")).doesNotExist();
    // What smbd itself needs is all there is beside the shares: accounts made up for it, programs.
    assertThat(in("work", "cat passwd").out()).doesNotContain(user.name(), "daemon");
    assertThat(in("work", "ls -a root/home/" + user.name()).out().lines())
        .filteredOn(name -> !name.startsWith("."))
        .containsOnly("work");
    assertThat(in("work", "cat root/home/" + user.name() + "/.ssh/id_test").status()).isNotZero();
    assertThat(in("work", "ls root/run root/proc root/var").status()).isNotZero();
    assertThat(in("work", "cat ../.bashrc ../../.bashrc").status()).isNotZero();
    assertThat(in("work", "cat to-hidden").status()).isNotZero();
    in("work", "echo over >to-project/over.txt").orFail();
    assertThat(project.resolve("over.txt")).hasContent("over");
  }

  @Test
  void theGuestMakesNoSymlinkThatTheNodeFollows() {
    in("work", "ln -s /etc/passwd stolen");
    assertThat(Files.isSymbolicLink(work.resolve("stolen"))).isFalse();
  }

  @Test
  void nobodyIsServedWithoutThePassword() throws IOException {
    assertThat(list("casement%wrong").out() + list("casement%wrong").err())
        .contains("NT_STATUS_LOGON_FAILURE");
    assertThat(list("casement%").status()).isNotZero();
    assertThat(list("%").status()).isNotZero();
    assertThat(list("guest%").status()).isNotZero();
    // The twin: what smbd itself knows of the password.
    String line = Files.readString(session.runtime().resolve("share/state/private/smbpasswd"));
    String hash = line.split(":", -1)[3];
    Command.Outcome served = list("casement%" + hash, "--pw-nt-hash");
    assertThat(served.out()).as(served.err()).contains("plain.txt");
  }

  /// From within the session's own network.
  private static Command.Outcome list(String account, String... options) {
    List<String> line =
        new ArrayList<>(
            List.of("/usr/bin/smbclient", "//127.0.0.1/work", "-U", account, "-c", "ls"));
    line.addAll(List.of(options));
    return Command.run(
        Place.inside(session.supervisor(), user, "net", "user").process(line), "", MOUNT_LIMIT);
  }

  @Test
  void theGoldenImageIsBitIdenticalAfterASessionThatWroteToItsDisk() throws IOException {
    guest.run("dd if=/dev/urandom of=/root/written bs=1M count=8 2>&1 && sync").orFail();
    Path overlay;
    try (Stream<Path> files = Files.walk(session.runtime())) {
      overlay =
          files
              .filter(file -> file.getFileName().toString().contains("overlay"))
              .findFirst()
              .orElseThrow();
    }
    assertThat(Files.size(overlay)).isGreaterThan(8 << 20);
    assertThat(hashes()).isEqualTo(imageBefore);
  }
}
