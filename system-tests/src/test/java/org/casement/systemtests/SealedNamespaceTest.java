package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.casement.testkit.Command;
import org.casement.testkit.Place;
import org.casement.testkit.Probe;
import org.casement.testkit.ProcessEntry;
import org.casement.testkit.TestUser;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The seal itself, probed by an ordinary process of the user's in the namespace of a running
/// session, once with each optional layer switched off.
final class SealedNamespaceTest {
  /// The issue asks for 30; there are more where the node has more addresses.
  private static final int PROBES_AT_LEAST = 30;

  @ParameterizedTest
  @EnumSource(Layers.class)
  void theNamespaceIsSealedInBothDirections(Layers layers) {
    try (TestUser user = TestUser.create();
        TestUser stranger = TestUser.create();
        NodeAddresses _ = NodeAddresses.withSecondLoopback();
        Session session = Session.start(user, layers.in(Settings.standard()))) {
      ProcessEntry supervisor = session.supervisor();
      Place sealed = Place.inside(supervisor, user, "net", "user");
      // All of the session's namespaces but the sealed one.
      Place weakened = Place.inside(supervisor, user, "user", "pid", "mnt");
      nothingOutsideIsReached(sealed, weakened);
      nothingInsideIsReached(
          layers, sealed, List.of(Place.of(user), Place.of(stranger), Place.node(), weakened));
      thereIsOnlyLoopback(sealed);
      nobodyInsideHasCapabilities(supervisor);
    }
  }

  private static void nothingOutsideIsReached(Place sealed, Place weakened) {
    try (Targets targets = Targets.onTheNode()) {
      assertThat(targets.probes()).hasSizeGreaterThanOrEqualTo(PROBES_AT_LEAST);
      targets.assertAllReached(Probe.run(weakened, targets.probes()));
      targets.canaries().forget();
      targets.assertNoneReached(Probe.run(sealed, targets.probes()));
    }
  }

  private static void nothingInsideIsReached(Layers layers, Place sealed, List<Place> outside) {
    try (Targets targets = Targets.inside(sealed)) {
      // With nftables nobody inside reaches anything over IPv4 either, but for the guest's ports.
      targets.assertReached(
          Probe.run(sealed, targets.probes()),
          name ->
              !layers.nftables()
                  || name.startsWith("abstract")
                  || name.contains("to-::1:")
                  || name.contains("to-:::"));
      targets.canaries().forget();
      for (Place place : outside) {
        targets.assertNoneReached(Probe.run(place, targets.probes()));
      }
    }
  }

  private static void thereIsOnlyLoopback(Place sealed) {
    assertThat(run(sealed, "ip", "-o", "link").lines()).hasSize(1).allMatch(l -> l.contains("lo:"));
    assertThat(run(sealed, "ip", "route")).isEmpty();
    assertThat(run(sealed, "ip", "-6", "route", "show", "default")).isEmpty();
    assertThat(run(sealed, "ip", "-o", "address"))
        .contains("127.0.0.1/8", "::1/128", NodeAddresses.SECOND);
    assertThat(run(Place.node(), "ip", "-o", "link").lines()).hasSizeGreaterThan(1);
    // What would make a way out needs rights that nobody inside has.
    assertThat(
            Command.run(
                    sealed.process(List.of("/usr/sbin/ip", "link", "add", "out", "type", "dummy")),
                    "",
                    Duration.ofSeconds(20))
                .err())
        .contains("Operation not permitted");
  }

  private static String run(Place place, String program, String... arguments) {
    List<String> command = new java.util.ArrayList<>(List.of("/usr/sbin/" + program));
    command.addAll(List.of(arguments));
    return Command.run(place.process(command), "", Duration.ofSeconds(20)).orFail();
  }

  private static void nobodyInsideHasCapabilities(ProcessEntry supervisor) {
    List<ProcessEntry> inside = ProcessEntry.tree(supervisor.pid());
    assertThat(inside).isNotEmpty();
    for (ProcessEntry process : inside) {
      Map<String, String> status =
          process.lines("status").stream()
              .map(line -> line.split(":\\s*", 2))
              .collect(Collectors.toMap(words -> words[0], words -> words[1]));
      for (String set : List.of("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")) {
        assertThat(status.get(set)).as("%s of %s", set, process).isEqualTo("0000000000000000");
      }
      assertThat(status.get("NoNewPrivs")).as("no_new_privs of %s", process).isEqualTo("1");
    }
  }
}
