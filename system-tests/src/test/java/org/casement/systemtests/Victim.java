package org.casement.systemtests;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.casement.testkit.Place;
import org.casement.testkit.Probe;
import org.casement.testkit.ProcessEntry;

/// A process of the user's with something to steal: a word in its environment, one in its memory,
/// one behind an open descriptor.
final class Victim implements AutoCloseable {
  private static final String SCRIPT =
      """
      syscall(157, 0x59616d61, -1);    # PR_SET_PTRACER: Yama alone must not be what protects it
      my $word = join '', 'word-in-', 'memory';
      open(my $file, '<', $ARGV[0]) or die;
      $| = 1;
      printf "%d %d\\n", fileno($file), unpack('Q', pack('P', $word));
      1 while <STDIN>;
      """;

  private final Process process;
  private final String descriptor;
  private final String address;

  private Victim(Process process, String descriptor, String address) {
    this.process = process;
    this.descriptor = descriptor;
    this.address = address;
  }

  /// @param file what its descriptor leads to; begins with `word-in-file`
  static Victim start(Place place, Path file) {
    ProcessBuilder builder = place.process(List.of("/usr/bin/perl", "-e", SCRIPT, file.toString()));
    builder.environment().put("VICTIM", "word-in-environment");
    try {
      Process process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
      BufferedReader out = process.inputReader();
      String line = out.readLine();
      if (line == null) {
        throw new AssertionError("the victim did not start");
      }
      String[] words = line.split(" ", 2);
      return new Victim(process, words[0], words[1]);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Its number in the innermost pid namespace it lives in.
  int pidInside() {
    return ProcessEntry.tree(Math.toIntExact(process.pid())).getLast().lines("status").stream()
        .filter(line -> line.startsWith("NSpid:"))
        .map(line -> line.substring(line.lastIndexOf('\t') + 1))
        .mapToInt(Integer::parseInt)
        .findFirst()
        .orElseThrow();
  }

  int pidOnNode() {
    return ProcessEntry.tree(Math.toIntExact(process.pid())).getLast().pid();
  }

  /// Every way to steal from it, by the number `pid`.
  List<Probe> probes(String prefix, int pid) {
    List<Probe> probes = new ArrayList<>();
    probes.add(Probe.of(prefix + "signal", "signal", pid));
    probes.add(Probe.of(prefix + "environ", "environ", pid));
    probes.add(Probe.of(prefix + "memory", "memory", pid, address, "word-in-memory".length()));
    probes.add(Probe.of(prefix + "vm-read", "vm-read", pid, address, "word-in-memory".length()));
    probes.add(Probe.of(prefix + "descriptor", "pidfd-getfd", pid, descriptor));
    probes.add(
        Probe.of(prefix + "descriptor-by-proc", "read", "/proc/" + pid + "/fd/" + descriptor));
    probes.add(Probe.of(prefix + "ptrace", "ptrace", pid));
    return probes;
  }

  @Override
  public void close() {
    try {
      process.getOutputStream().close();
    } catch (IOException e) {
      process.destroyForcibly();
    }
  }
}
