package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.casement.testkit.Await;
import org.casement.testkit.Place;
import org.casement.testkit.Probe;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What the guest's root reaches: the guest API and the share, and nothing else of the namespace or
/// the node, whichever optional layer is off.
final class GuestIsolationTest {
  /// An IPv6 address and route, whether QEMU offers any or not: the guest's root can make them.
  static final String FORCE_IPV6 =
      """
      ip -6 address add fec0::15/64 dev eth0 nodad
      ip -6 route add default via fec0::2
      true
      """;

  private static NodeAddresses addresses;

  @BeforeAll
  static void addAddress() {
    addresses = NodeAddresses.withSecondLoopback();
  }

  @AfterAll
  static void removeAddress() {
    addresses.close();
  }

  @Test
  void theSameProbesReachEverythingFromAPlainGuest() {
    try (GuestTargets node = GuestTargets.open(Place.node(), NodeAddresses.real());
        PlainGuest plain = PlainGuest.boot("ipv4=on,ipv6=on");
        GuestShell shell = plain.shell()) {
      shell.run(FORCE_IPV6).orFail();
      Await.until(
          "the plain guest reaches every canary",
          Duration.ofSeconds(60),
          () -> node.reached(shell.probe(node.probes())).size() == node.probes().size(),
          () -> shell.probe(node.probes()).toString());
    }
  }

  @ParameterizedTest
  @EnumSource(Layers.class)
  void theGuestsRootReachesOnlyApiAndShare(Layers layers) {
    try (TestUser user = TestUser.create();
        Session session = Session.start(user, layers.in(Settings.standard().withTestPort()));
        GuestTargets node = GuestTargets.open(Place.node(), NodeAddresses.real());
        GuestTargets inside =
            GuestTargets.open(Place.inside(session.supervisor(), user, "net", "user"), List.of());
        GuestShell shell = session.guestShell()) {
      session.awaitState("booting", Session.READY_LIMIT);
      shell.run(FORCE_IPV6).orFail();
      List<Probe> probes = new ArrayList<>();
      node.probes().forEach(probe -> probes.add(renamed("node:", probe)));
      inside.probes().forEach(probe -> probes.add(renamed("inside:", probe)));
      Probe.Results results = shell.probe(probes);

      assertThat(results.reached()).filteredOn(name -> name.startsWith("node:")).isEmpty();
      assertThat(node.canaries().contacted()).isEmpty();
      assertThat(results.reached())
          .filteredOn(name -> name.startsWith("inside:"))
          .containsExactlyInAnyOrderElementsOf(
              inside.probes().stream()
                  .map(Probe::name)
                  .filter(mayReach(layers))
                  .map(name -> "inside:" + name)
                  .toList());

      // What is meant to be reached is: the refusals above are not those of a dead network.
      assertThat(
              answer(
                  shell,
                  "curl -s -o /dev/null -w '%{http_code}' -X POST"
                      + " -H 'Content-Type: application/json' -d '{}' http://169.254.100.2:54321/v1/heartbeat"))
          .isEqualTo("401");
      assertThat(
              answer(
                  shell, "timeout 5 socat -u OPEN:/dev/null TCP4:169.254.100.2:445 && echo open"))
          .isEqualTo("open");
    }
  }

  /// Without both layers the guest reaches what listens on the namespace's IPv4 loopback, of which
  /// there is nothing but its own (docs/architecture.md); without nftables UDP of it, because
  /// Landlock knows TCP only. ::1 is beyond its reach in any case.
  private static Predicate<String> mayReach(Layers layers) {
    return switch (layers) {
      case ALL, WITHOUT_LANDLOCK -> _ -> false;
      case WITHOUT_NFTABLES -> name -> name.startsWith("udp") && !name.contains(":");
      case NONE -> name -> !name.contains(":");
    };
  }

  private static Probe renamed(String prefix, Probe probe) {
    return new Probe(prefix + probe.name(), probe.kind(), probe.arguments());
  }

  private static String answer(GuestShell shell, String script) {
    return shell.run(script).out().strip();
  }
}
