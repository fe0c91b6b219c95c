package org.casement.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.BindException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import org.casement.isolation.IsolationException;
import org.casement.isolation.SealedSocket;
import org.casement.isolation.SealedSocket.Protocol;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What needs an agent, a job and time in the cluster's tests. As root: the sockets have a mark.
final class HeldPortsTest {
  private static final InetAddress ADDRESS = InetAddress.ofLiteral("127.0.0.7");
  private static final int FIRST = 21200;
  private static final NodeSettings.Listening LISTENING =
      new NodeSettings.Listening(ADDRESS, FIRST, FIRST + 2, 20, 16, Duration.ofMinutes(1));

  @TempDir Path resting;

  private static void bind(int port) throws Exception {
    new DatagramSocket(new InetSocketAddress(ADDRESS, port)).close();
  }

  @Test
  void whatAJobClosesOverUdpIsHeldAgain() throws Exception {
    SealedSocket jobs = SealedSocket.open(Protocol.UDP, ADDRESS, FIRST, 16);
    try (HeldPorts ports = new HeldPorts(LISTENING, resting, Set.of(FIRST, FIRST + 1))) {
      // That of a job which has none over UDP is held from the start.
      assertThatThrownBy(() -> bind(FIRST + 1)).isInstanceOf(BindException.class);
      ports.holdWhatJobsHaveClosed();
      assertThatThrownBy(() -> bind(FIRST)).isInstanceOf(BindException.class);
      jobs.close();
      assertThatCode(() -> bind(FIRST)).doesNotThrowAnyException();
      ports.holdWhatJobsHaveClosed();
      assertThatThrownBy(() -> bind(FIRST)).isInstanceOf(BindException.class);
      // A later step of the job gets it all the same.
      try (SealedSocket again = ports.open(Protocol.UDP, FIRST)) {
        assertThat(again.port()).isEqualTo(FIRST);
      }
    }
    assertThatCode(() -> bind(FIRST + 1)).doesNotThrowAnyException();
  }

  @Test
  void thereAreNoMoreThanThereAre() throws Exception {
    try (HeldPorts ports = new HeldPorts(LISTENING, resting, Set.of())) {
      assertThat(ports.count()).isEqualTo(3);
      assertThat(ports.take(2)).containsExactly(FIRST, FIRST + 1);
      assertThatThrownBy(() -> ports.take(2))
          .isInstanceOf(IsolationException.class)
          .hasMessageContaining("all listener ports of this node are in use");
      assertThat(ports.take(1)).containsExactly(FIRST + 2);
    }
  }
}
