package org.casement.isolation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class ListenerTest {
  private static final InetAddress LOCAL = InetAddress.ofLiteral("127.0.0.1");
  private static final PortRange RANGE = new PortRange(41_000, 41_999);

  @Test
  void aClientIsAcceptedAndServed() throws Exception {
    for (String address : new String[] {"127.0.0.1", "::1"}) {
      try (Listener listener = Listener.open(InetAddress.ofLiteral(address), RANGE);
          Socket client = new Socket(listener.address(), listener.port())) {
        assertThat(client.isConnected()).isTrue();
      }
    }
  }

  @Test
  void theNextFreePortOfTheRangeIsTaken() throws Exception {
    try (Listener first = Listener.open(LOCAL, RANGE);
        Listener second = Listener.open(LOCAL, RANGE)) {
      assertThat(second.port()).isGreaterThan(first.port()).isLessThanOrEqualTo(RANGE.last());
    }
  }

  @Test
  void aTakenPortIsSaid() throws Exception {
    try (Listener first = Listener.open(LOCAL, RANGE)) {
      assertThatThrownBy(() -> Listener.open(LOCAL, PortRange.of(first.port())))
          .isInstanceOf(IsolationException.class)
          .hasMessage(
              "cannot listen on 127.0.0.1: port %d on 127.0.0.1 is taken; choose another in the configuration"
                  .formatted(first.port()));
    }
  }

  @Test
  void aForeignAddressIsSaid() {
    assertThatThrownBy(() -> Listener.open(InetAddress.ofLiteral("192.0.2.1"), RANGE))
        .hasMessageContaining("this node does not have the address");
  }

  /// An ordinary user's filter is refused by some kernels; then the listener must say so.
  @Test
  void aTurnedListenerReachesNothingWhereTheFilterHolds() throws Exception {
    boolean root = Linux.call(Linux.Call.GETUID) == 0;
    try (Listener listener = Listener.open(LOCAL, RANGE)) {
      boolean sealed = listener.layers().equals("listener-filter=on");
      assertThat(sealed || !root).isTrue();
      assertThat(reachesCanaryWhenTurned(listener.descriptor())).isEqualTo(!sealed);
    }
    try (Listener weak = Listener.open(LOCAL, RANGE, Layers.Use.OFF)) { // the twin
      assertThat(weak.layers()).isEqualTo("listener-filter=off");
      assertThat(reachesCanaryWhenTurned(weak.descriptor())).isTrue();
    }
  }

  @Test
  void aRequiredFilterIsOnOrNothingListens() {
    try (Listener listener = Listener.open(LOCAL, RANGE, Layers.Use.REQUIRED)) {
      assertThat(listener.layers()).isEqualTo("listener-filter=on");
    } catch (IsolationException e) {
      assertThat(e).hasMessageContaining("the sealed filter is refused");
      assertThat(Linux.call(Linux.Call.GETUID)).isNotZero();
    }
  }

  @Test
  void theFilterCannotBeTakenOff() throws Exception {
    int detach = 27; // SO_DETACH_FILTER
    try (Arena arena = Arena.ofConfined();
        Listener listener = Listener.open(LOCAL, RANGE)) {
      long value = arena.allocate(4, 4).address();
      boolean sealed = listener.layers().equals("listener-filter=on");
      assertThat(Linux.call(Linux.Call.SETSOCKOPT, listener.descriptor(), 1, detach, value, 4))
          .isEqualTo(sealed ? -Linux.EPERM : -Linux.ENOENT);
    }
  }

  @Test
  void anInheritedListenerIsCheckedAndMadeSafe() throws Exception {
    try (Listener listener = Listener.open(LOCAL, RANGE)) {
      int descriptor = listener.descriptor();
      Linux.call(Linux.Call.FCNTL, descriptor, 2, 0); // as it comes: not close-on-exec, blocking
      Linux.call(Linux.Call.FCNTL, descriptor, 4, 2);
      Map<String, String> environment = variables(descriptor, listener.port(), "tcp");
      assertThat(InheritedListeners.fromEnvironment(environment))
          .isEqualTo(List.of(new InheritedListener(descriptor, LOCAL, listener.port())));
      assertThat(Linux.call(Linux.Call.FCNTL, descriptor, 1)).isEqualTo(1);
      assertThat(Linux.call(Linux.Call.FCNTL, descriptor, 3) & 0x800).isNotZero();
    }
  }

  @Test
  void whatDoesNotListenIsRefused() throws Exception {
    try (Listener listener = Listener.open(LOCAL, RANGE)) {
      int descriptor = listener.descriptor();
      int port = listener.port();
      refused(variables(descriptor, port + 1, "tcp"), "does not name the port");
      refused(variables(descriptor, port, "udp"), "is udp, not tcp");
      refused(variables(1, port, "tcp"), "standard stream");
      refused(variables(9999, port, "tcp"), "Bad file descriptor");
      refused(Map.of(InheritedListeners.FD + "1", "7"), "not numbered from 0");
      refused(Map.of(InheritedListeners.FD + "0", "x"), "is not a number");
      long socket = Linux.call(Linux.Call.SOCKET, 2, 1, 0);
      refused(variables((int) socket, port, "tcp"), "does not listen");
      Linux.call(Linux.Call.CLOSE, socket);
    }
    assertThat(InheritedListeners.fromEnvironment(Map.of("PATH", "/"))).isEmpty();
  }

  private static void refused(Map<String, String> environment, String why) {
    assertThatThrownBy(() -> InheritedListeners.fromEnvironment(environment))
        .isInstanceOf(IsolationException.class)
        .hasMessageContaining(why);
  }

  private static Map<String, String> variables(int descriptor, int port, String protocol) {
    return Map.of(
        InheritedListeners.FD + "0", Integer.toString(descriptor),
        InheritedListeners.PORT + "0", Integer.toString(port),
        InheritedListeners.PROTO + "0", protocol);
  }

  /// What an escaped guest would do: connect(AF_UNSPEC), then connect() to a service of the node.
  private static boolean reachesCanaryWhenTurned(int descriptor) throws IOException {
    try (Arena arena = Arena.ofConfined();
        ServerSocket canary = new ServerSocket(0, 1, LOCAL)) {
      MemorySegment nowhere = arena.allocate(16, 4);
      assertThat(Linux.call(Linux.Call.CONNECT, descriptor, nowhere.address(), 16)).isZero();
      MemorySegment target = Listener.socketAddress(arena, LOCAL, canary.getLocalPort());
      Linux.call(Linux.Call.CONNECT, descriptor, target.address(), 16);
      canary.setSoTimeout(1000);
      canary.accept().close();
      return true;
    } catch (SocketTimeoutException | ConnectException e) {
      return false;
    }
  }
}
