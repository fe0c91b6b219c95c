package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.casement.testkit.Place;
import org.casement.testkit.Probe;
import org.casement.testkit.ProcessEntry;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.Test;

/// Two sessions of two users on one node, at the same time.
final class TwoUsersTest {
  @Test
  void twoSessionsSideBySideDoNotSeeEachOther() {
    try (TestUser alice = TestUser.create();
        TestUser bob = TestUser.create();
        Session first = Session.start(alice, Settings.standard().withTestPort());
        Session second = Session.start(bob, Settings.standard().withTestPort())) {
      first.awaitReady();
      second.awaitReady();
      assertThat(first.link().getPort()).isNotEqualTo(second.link().getPort());
      assertThat(first.id()).isNotEqualTo(second.id());
      assertThat(first.nonce()).hasSize(16).isNotEqualTo(second.nonce());
      assertThat(first.supervisor().namespace("net"))
          .isNotEqualTo(second.supervisor().namespace("net"));
      eachWritesIntoTheirOwnHome(first, second);
      theOtherIsOutOfReach(first, second);
      theOtherIsOutOfReach(second, first);
      // One ends, the other does not notice.
      assertThat(first.stop().status()).isZero();
      assertThat(second.status()).containsEntry("state", "ready");
      assertThat(second.casement("list").orFail()).contains(second.id()).doesNotContain(first.id());
    }
  }

  private static void eachWritesIntoTheirOwnHome(Session first, Session second) {
    for (Session session : List.of(first, second)) {
      Path file = session.user().home().resolve("casement/whose.txt");
      try (GuestShell guest = session.guestShell()) {
        guest.awaitShare("home");
        guest.run("echo " + session.id() + " >/home/user/home/whose.txt").orFail();
      }
      assertThat(file).hasContent(session.id());
    }
  }

  private static void theOtherIsOutOfReach(Session mine, Session other) {
    List<Probe> attempts = new ArrayList<>();
    attempts.add(Probe.of("runtime", "list", other.runtime()));
    attempts.add(Probe.of("home", "list", other.home()));
    for (ProcessEntry process : ProcessEntry.tree(other.outer().pid())) {
      attempts.add(Probe.of("signal-" + process.pid(), "signal", process.pid()));
      attempts.add(Probe.of("environ-" + process.pid(), "environ", process.pid()));
      attempts.add(Probe.of("net-" + process.pid(), "setns", "/proc/" + process.pid() + "/ns/net"));
    }
    assertThat(attempts).hasSizeGreaterThan(12);
    for (Place place :
        List.of(
            Place.of(mine.user()), Place.inside(mine.supervisor(), mine.user(), "user", "net"))) {
      assertThat(Probe.run(place, attempts).reached()).as(place.name()).isEmpty();
    }
    assertThat(Probe.run(Place.node(), attempts).reached()).contains("runtime", "home");
  }
}
