package org.casement.clustertests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.casement.testkit.Command;
import org.junit.jupiter.api.Test;

/// The package of the plugin and the node agent alone: what is in it, and that it does.
final class PackageTest {
  @Test
  void itNeedsNeitherTheGuestsProgramsNorTheRestOfOursAndSealsAJob() throws IOException {
    Path place = Files.createTempDirectory(Path.of("/var/tmp"), "ct-package-");
    try (Cluster cluster = Cluster.start()) {
      Path tree = unpacked(place);
      Command.run("chmod", "-R", "a+rX", place.toString()).orFail();
      cluster.write(
          "/run/cluster/plugstack.conf",
          "required %s/usr/lib/casement/slurm-%s/iso_netns.so\n".formatted(tree, release()));
      String program =
          "env JAVA_HOME=%s %s/usr/bin/casement ".formatted(System.getProperty("java.home"), tree);
      assertThat(cluster.as("alice", "srun --iso-netns true").status()).isNotZero();
      cluster.useLauncher(tree.resolve("usr/bin/casement"));
      cluster.startAgent("n1");
      assertThat(
              cluster.alice(
                  "srun --iso-netns-listeners=1 %s activate -- sh -c 'echo $LISTEN_FDS; readlink /proc/self/fd/3; grep -c : /proc/net/dev'"
                      .formatted(program)))
          .matches("1\nsocket:\\[[0-9]+]\n1\n");
      cluster.signalAgent("n1", "TERM");
      cluster.startAgent("n1", "nft = \"/nonexistent/nft\"");
      assertThat(
              cluster.alice(
                  "srun --iso-netns-listeners=1 sh -c 'echo $SPANK_ISO_NETNS_LISTENING_PORT_0'"))
          .matches("[0-9]+\n");
      assertThat(cluster.agentLog("n1")).contains(", relayed");
      Command.Outcome other = cluster.as("alice", program + " run");
      assertThat(other.status()).isEqualTo(64);
      assertThat(other.err()).contains("sessions need the whole program");
    } finally {
      Command.run("rm", "-rf", place.toString()).orFail();
    }
  }

  private static String release() {
    return Command.run("slurmd", "-V")
        .orFail()
        .replaceFirst("(?s)[^0-9]*([0-9]+\\.[0-9]+).*", "$1");
  }

  /// Both ways have the same content.
  private static Path unpacked(Path place) {
    Path out = place.resolve("out");
    Command.run(
            Cluster.repository().resolve("packaging/iso-netns").toString(),
            System.getProperty("casement.program", ""),
            out.toString())
        .orFail();
    String script =
        "mkdir {0}/tree {0}/deb; tar -C {0}/tree -xzf {0}/out/*.tar.gz; dpkg-deb -x {0}/out/*.deb {0}/deb; diff -r {0}/tree {0}/deb && dpkg-deb -f {0}/out/*.deb"
            .replace("{0}", place.toString());
    String control = Command.run("sh", "-c", script).orFail();
    assertThat(control)
        .contains("Package: casement-iso-netns\n")
        .doesNotContain("qemu")
        .doesNotContain("samba");
    String content = Command.run("sh", "-c", "cd " + place + "/tree; find").orFail();
    assertThat(content.lines())
        .contains(
            "./usr/lib/systemd/system/casement-node.service",
            "./usr/lib/sysusers.d/casement-iso-netns.conf",
            "./usr/share/doc/casement-iso-netns/iso_netns.md")
        .noneMatch(file -> file.matches(".*(netty|supervisor|relay|pages|wants).*"));
    return place.resolve("tree");
  }
}
