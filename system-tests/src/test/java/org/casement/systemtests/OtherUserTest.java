package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.casement.testkit.Command;
import org.casement.testkit.Place;
import org.casement.testkit.Probe;
import org.casement.testkit.ProcessEntry;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Another user of the node finds the listeners and nothing else, and from the listeners no byte of
/// the machine.
final class OtherUserTest {
  private static final Duration ANSWER_LIMIT = Duration.ofSeconds(20);

  private static TestUser user;
  private static TestUser stranger;
  private static Session session;

  @BeforeAll
  static void startSession() {
    user = TestUser.create();
    stranger = TestUser.create();
    session = Session.start(user, Settings.standard().withTestPort());
    session.awaitReady();
  }

  @AfterAll
  static void endSession() {
    session.close();
    stranger.close();
    user.close();
  }

  private static List<Probe> attempts() {
    List<Probe> attempts = new ArrayList<>();
    attempts.add(Probe.of("runtime", "list", session.runtime()));
    attempts.add(Probe.of("control", "path-connect", session.runtime().resolve("control")));
    attempts.add(Probe.of("home", "list", session.home()));
    attempts.add(Probe.of("link", "read", session.home().resolve("link")));
    attempts.add(Probe.of("log", "read", session.home().resolve("log")));
    for (ProcessEntry process : ProcessEntry.ofUser(user.uid())) {
      String who = process.name() + "-" + process.pid() + "-";
      attempts.add(Probe.of(who + "signal", "signal", process.pid()));
      attempts.add(Probe.of(who + "environ", "environ", process.pid()));
      attempts.add(Probe.of(who + "ptrace", "ptrace", process.pid()));
      attempts.add(Probe.of(who + "network", "setns", "/proc/" + process.pid() + "/ns/net"));
    }
    return attempts;
  }

  @Test
  void anotherUserReachesNothingOfASession() {
    List<Probe> attempts = attempts();
    assertThat(attempts).hasSizeGreaterThan(5 + 4 * 5);
    assertThat(Probe.run(Place.of(stranger), attempts).reached()).isEmpty();
    // The twin: root, who may.
    assertThat(Probe.run(Place.node(), attempts).reached())
        .contains("runtime", "control", "home", "link", "log");
  }

  @Test
  void aListenerRelaysNothingToAnotherUser() {
    for (String route : List.of("events", "rdp")) {
      assertThat(upgrade(session.link().getPort(), route))
          .as(route)
          .containsPattern("^HTTP/1.1 40[34]");
    }
    assertThat(upgrade(session.console().orElseThrow().getPort(), "vnc"))
        .containsPattern("^HTTP/1.1 40[34]");
  }

  private static String upgrade(int port, String route) {
    String script =
        "exec 3<>/dev/tcp/127.0.0.1/%1$d; printf 'GET /ws/%2$s HTTP/1.1\\r\\nHost: 127.0.0.1:%1$d\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nOrigin: http://127.0.0.1:%1$d\\r\\n\\r\\n' >&3; head -n 1 <&3"
            .formatted(port, route);
    return Command.run(
            Place.of(stranger).process(List.of("/bin/bash", "-c", script)), "", ANSWER_LIMIT)
        .orFail();
  }
}
