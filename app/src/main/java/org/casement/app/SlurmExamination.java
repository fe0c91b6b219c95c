package org.casement.app;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.casement.isolation.Loopholes;
import org.casement.node.NodeProgram;
import org.casement.session.SessionException;
import org.casement.supervisor.Finding;
import org.casement.supervisor.Finding.Subject;

/// What `casement doctor` says of sealed jobs: whether there are any here, and what a network
/// namespace leaves open (docs/iso_netns.md), which is the site's to close.
final class SlurmExamination {
  /// Whoever may speak to one of these has machines or containers made, with a network.
  private static final Pattern POWERFUL =
      Pattern.compile(".*/(docker|containerd|crio|podman|libvirt|incus|lxd)[^/]*(/.*)?");

  private static final int SHOWN = 3;

  private final Slurm slurm;

  SlurmExamination(Slurm slurm) {
    this.slurm = slurm;
  }

  List<Finding> examine() throws IOException {
    if (!slurm.isHere()) {
      return List.of(Finding.ok(Subject.SLURM, "no sbatch: sessions start with casement run"));
    }
    try {
      if (!slurm.hasPlugin()) {
        return List.of(
            Finding.warning(
                Subject.SLURM,
                "sbatch does not know --iso-netns: a submitted session is sealed the weaker way",
                "install iso_netns.so, see docs/iso_netns.md"));
      }
    } catch (SessionException e) {
      return List.of(
          Finding.warning(Subject.SLURM, String.valueOf(e.getMessage()), "mend Slurm's commands"));
    }
    List<Finding> findings = new ArrayList<>();
    findings.add(Finding.ok(Subject.SLURM, "sbatch knows --iso-netns"));
    if (Files.exists(NodeProgram.SOCKET) || isComputeNode()) {
      findings.add(agent());
    }
    findings.addAll(loopholes());
    return findings;
  }

  /// Whether a slurmd runs here, as far as we are shown.
  private static boolean isComputeNode() throws IOException {
    try (DirectoryStream<Path> processes = Files.newDirectoryStream(Path.of("/proc"), "[1-9]*")) {
      for (Path process : processes) {
        try {
          if (Files.readString(process.resolve("comm")).strip().equals("slurmd")) {
            return true;
          }
        } catch (IOException e) {
          // it has gone, or is not for us to see
        }
      }
    }
    return false;
  }

  private static Finding agent() {
    return Files.exists(NodeProgram.SOCKET)
        ? Finding.ok(Subject.NODE_AGENT, NodeProgram.SOCKET + " is there")
        : Finding.error(
            Subject.NODE_AGENT,
            "slurmd runs, and there is no "
                + NodeProgram.SOCKET
                + ": jobs that ask to be sealed are refused",
            "systemctl enable --now casement-node");
  }

  private static List<Finding> loopholes() {
    Set<Path> servers = Loopholes.localServers();
    List<Path> powerful =
        servers.stream().filter(path -> POWERFUL.matcher(path.toString()).matches()).toList();
    return List.of(
        open(
            Subject.TRACING,
            Loopholes.tracing(),
            "a sealed job may trace your other processes and use their network",
            "sysctl kernel.yama.ptrace_scope=1",
            "processes trace only those that they have started"),
        open(
            Subject.PROC_NET,
            Loopholes.othersNetwork(),
            "/proc/PID/net shows everybody's connections to sealed jobs, and theirs to everybody",
            "mount -o remount,hidepid=invisible /proc",
            "/proc shows nobody the network of others' processes"),
        open(
            Subject.VSOCK,
            Loopholes.vsock(),
            "AF_VSOCK can be opened, and no network namespace holds it back",
            "echo install vsock /bin/false >/etc/modprobe.d/no-vsock.conf, and reboot",
            "AF_VSOCK cannot be opened"),
        open(
            Subject.LOCAL_SOCKETS,
            !powerful.isEmpty(),
            "you may have containers or machines made, which have a network: " + some(powerful),
            "let only administrators write to it",
            "servers on unix sockets that a sealed job may speak to: "
                + (servers.isEmpty() ? "none" : some(List.copyOf(servers)))));
  }

  private static Finding open(
      Subject subject, boolean open, String found, String remedy, String closed) {
    return open ? Finding.warning(subject, found, remedy) : Finding.ok(subject, closed);
  }

  private static String some(List<Path> paths) {
    String shown =
        paths.stream().limit(SHOWN).map(Path::toString).collect(Collectors.joining(", "));
    return paths.size() > SHOWN ? shown + " and " + (paths.size() - SHOWN) + " more" : shown;
  }
}
