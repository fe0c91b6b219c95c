package org.casement.isolation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Real namespaces, made by whoever runs the tests. What runs inside is a shell script.
@Timeout(90)
class SealedRunTest {
  private static final InetAddress LOCAL = InetAddress.ofLiteral("127.0.0.1");

  @TempDir Path directory;

  @Test
  void thisNodeCanSeal() {
    assertThat(SealedRun.problem()).isEqualTo(Optional.empty());
  }

  @Test
  void insideThereIsOnlyLoopbackAndNoPrivilege() throws Exception {
    String inside =
        inside(
            Layers.Use.AUTO,
            "cat /proc/self/status; ls /proc/self/fd; cat /proc/net/dev; ip -br addr; ip route;"
                + " cat /proc/sys/net/ipv4/ip_unprivileged_port_start; echo pid $$;"
                + " echo processes $(ls /proc | grep -c '^[0-9]'); env");
    for (String set : new String[] {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
      assertThat(inside).containsPattern(set + ":\\s+0000000000000000\n");
    }
    assertThat(inside)
        .containsPattern("NoNewPrivs:\\s+1\n")
        .containsPattern("SigBlk:\\s+0+\n")
        .containsPattern("SigIgn:\\s+0+\n")
        .containsPattern("lo +UNKNOWN +127.0.0.1/8 10.255.0.1/32 ::1/128")
        .contains("\n0\npid 1\n")
        .contains("CASEMENT_LAYERS=namespaces=fresh nftables=on")
        .doesNotContain("eth0", "default");
  }

  @Test
  void theNodesServicesAreNotReachedFromInside() throws Exception {
    try (ServerSocket canary = new ServerSocket(0, 50, LOCAL)) {
      String target = "TCP4:127.0.0.1:" + canary.getLocalPort() + ",connect-timeout=3";
      String probe = "socat -u /dev/null " + target + " && echo REACHED";
      assertThat(inside(Layers.Use.OFF, probe)).doesNotContain("REACHED");
      Process twin = new ProcessBuilder("sh", "-c", probe).start(); // outside
      assertThat(new String(twin.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
          .contains("REACHED");
    }
  }

  @Test
  void theFirewallLeavesOnlyTheGuestsPortsOnLoopback() throws Exception {
    String probes =
        """
        probe() {
          socat -u "$1,reuseaddr" /dev/null & l=$!
          until grep -q ' 0A ' /proc/net/tcp /proc/net/tcp6; do kill -0 $l || return; done
          socat -u /dev/null "$2,connect-timeout=2" && echo "reached $2"
          kill $l; wait $l
        }
        probe TCP4-LISTEN:445,bind=127.0.0.1 TCP4:127.0.0.1:445
        probe TCP4-LISTEN:8080,bind=127.0.0.1 TCP4:127.0.0.1:8080
        probe TCP4-LISTEN:445,bind=10.255.0.1 TCP4:10.255.0.1:445
        probe TCP6-LISTEN:8080,bind=[::1] TCP6:[::1]:8080
        """;
    String closed = inside(Layers.Use.REQUIRED, probes);
    assertThat(closed).contains("reached TCP4:127.0.0.1:445", "reached TCP6:[::1]:8080");
    assertThat(closed).doesNotContain("reached TCP4:127.0.0.1:8080", "reached TCP4:10.255.0.1:445");
    assertThat(inside(Layers.Use.OFF, probes)) // the twin: the layer off
        .contains("reached TCP4:127.0.0.1:8080", "reached TCP4:10.255.0.1:445");
  }

  @Test
  void onlyTheListenersComeIn() throws Exception {
    try (Listener listener = Listener.open(LOCAL, SealMain.PORTS)) {
      Path output = directory.resolve("fds");
      List<String> script =
          List.of("/bin/sh", "-c", "ls -l /proc/$$/fd >" + output + "; env >>" + output);
      try (SealedRun run = SealMain.start(List.of(listener), Layers.Use.AUTO, script)) {
        assertThat(run.waitFor()).isZero();
      }
      List<String> lines = Files.readAllLines(output);
      List<String> fds =
          lines.stream()
              .filter(l -> l.contains(" -> "))
              .map(l -> l.replaceAll(".* (\\d+) -> .*", "$1"))
              .toList();
      assertThat(fds).isSubsetOf("0", "1", "2", "3", "10").contains("3"); // 10: dash's own
      assertThat(lines)
          .contains(
              InheritedListeners.FD + "0=3", InheritedListeners.PORT + "0=" + listener.port());
    }
  }

  @Test
  void theSupervisorInheritsAListenerThatWorks() throws Exception {
    try (Listener listener = Listener.open(LOCAL, SealMain.PORTS)) {
      Path output = directory.resolve("inherited");
      List<String> script =
          new java.util.ArrayList<>(List.of("/usr/bin/env", "-C", directory.toString()));
      script.addAll(SealMain.java("accept"));
      try (SealedRun run = SealMain.start(List.of(listener), Layers.Use.AUTO, script)) {
        assertThat(run.waitFor()).isZero();
      }
      assertThat(output).hasContent(Integer.toString(listener.port()));
    }
  }

  @Test
  void theStatusAndSignalsComeThrough() throws Exception {
    assertThat(status("exit 5")).isEqualTo(5);
    Path ready = directory.resolve("ready");
    for (int signal : new int[] {15, 2, 1}) {
      Files.deleteIfExists(ready);
      String script =
          "trap 'exit 42' TERM; trap 'exit 43' INT; trap 'exit 44' HUP; >%s; while :; do sleep 60 & wait; done"
              .formatted(ready);
      try (SealedRun run = start(script)) {
        ConfinedProcessTest.await(() -> Files.exists(ready));
        run.signal(signal);
        assertThat(run.waitFor()).isEqualTo(Map.of(15, 42, 2, 43, 1, 44).get(signal));
      }
    }
  }

  @Test
  void aSignalBeforeItIsSealedEndsIt() throws Exception {
    Path ran = directory.resolve("ran");
    try (SealedRun run = start(">" + ran + "; sleep 60")) {
      run.signal(15);
      assertThat(run.waitFor()).isNotZero();
    }
    assertThat(ran).doesNotExist();
  }

  @Test
  void whoeverIsKilledEverythingIsGone() throws Exception {
    for (String victim : new String[] {"outer", "unshare", "inner"}) {
      String mark = Long.toString(600_000 + System.nanoTime() % 99_999);
      Path work = Files.createTempDirectory(directory, victim);
      List<String> line =
          SealMain.java("watch", "AUTO", "/bin/sh", "-c", "sleep " + mark + " & sleep " + mark);
      Process outer = new ProcessBuilder(line).directory(work.toFile()).inheritIO().start();
      try {
        ConfinedProcessTest.await(() -> withArgument(mark).count() >= 2);
        ProcessHandle unshare = outer.children().findFirst().orElseThrow();
        ProcessHandle inner = unshare.children().findFirst().orElseThrow();
        (switch (victim) {
              case "outer" -> outer.toHandle();
              case "unshare" -> unshare;
              default -> inner;
            })
            .destroyForcibly();
        ConfinedProcessTest.await(() -> withArgument(mark).findAny().isEmpty());
        assertThat(outer.waitFor(20, TimeUnit.SECONDS)).as(victim).isTrue();
        // Orphans of the outer process are reaped by the system's init, in its own time.
        ConfinedProcessTest.await(() -> !inner.isAlive() && !unshare.isAlive());
      } finally {
        outer.destroyForcibly();
      }
    }
  }

  @Test
  void withoutFreshNamespacesNothingRuns() throws Exception {
    Path ran = directory.resolve("ran");
    SealPlan plan =
        SealPlan.here(
            SealPlan.Network.FRESH, 0, Layers.Use.AUTO, Path.of("/usr/sbin/nft"), Set.of(445));
    List<String> line = SealMain.java("seal", plan.argument(), "/bin/touch", ran.toString());
    Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
    assertThat(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines())
        .singleElement()
        .asString()
        .contains("not the first process of a pid namespace");
    assertThat(process.waitFor()).isEqualTo(70);
    assertThat(ran).doesNotExist();
  }

  @Test
  void aRequiredFirewallThatIsNotThereStopsTheStart() throws Exception {
    Path ran = directory.resolve("ran");
    SealPlan plan =
        SealPlan.here(
            SealPlan.Network.FRESH, 0, Layers.Use.REQUIRED, Path.of("/no/nft"), Set.of(445));
    List<String> line = SealMain.java("seal", plan.argument(), "/bin/touch", ran.toString());
    try (SealedRun run = SealedRun.start(SealPlan.Network.FRESH, List.of(), line, Map.of())) {
      assertThat(run.waitFor()).isEqualTo(70);
    }
    assertThat(ran).doesNotExist();
  }

  @Test
  void aPlanSurvivesTheCommandLine() {
    SealPlan plan =
        new SealPlan(
            SealPlan.Network.GIVEN,
            "net:[1]",
            2,
            Layers.Use.OFF,
            Path.of("/usr/sbin/nft"),
            Set.of(445, 3389));
    assertThat(SealPlan.parse(plan.argument())).isEqualTo(plan);
    assertThatThrownBy(() -> SealPlan.parse("net:[1] 2"))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static Stream<ProcessHandle> withArgument(String mark) {
    return ProcessHandle.allProcesses()
        .filter(
            p -> p.info().arguments().map(a -> a.length == 1 && a[0].equals(mark)).orElse(false));
  }

  private SealedRun start(String script) throws IOException {
    return SealMain.start(List.of(), Layers.Use.AUTO, List.of("/bin/bash", "-c", script));
  }

  private int status(String script) throws Exception {
    try (SealedRun run = start(script)) {
      return run.waitFor();
    }
  }

  private String inside(Layers.Use nftables, String script) throws Exception {
    Path output = Files.createTempFile(directory, "inside", "");
    List<String> command =
        List.of("/bin/bash", "-c", "exec >" + output + " 2>&1; " + script + "\ntrue");
    try (SealedRun run = SealMain.start(List.of(), nftables, command)) {
      assertThat(run.waitFor()).isZero();
    }
    return Files.readString(output);
  }
}
