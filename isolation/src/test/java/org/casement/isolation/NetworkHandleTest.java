package org.casement.isolation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class NetworkHandleTest {
  /// At once, and always: the kernel may take its time over an IPv6 address.
  @ParameterizedTest
  @ValueSource(strings = {"127.0.0.1", "::", "192.0.2.7", "fd77::11"})
  void anAddressOfTheNodesIsListenedOnWithin(String address) throws Exception {
    for (int i = 0; i < 40; i++) {
      try (Network network = new Network()) {
        network.handle.listen(InetAddress.ofLiteral(address), 21_000, 5).close();
        network.handle.listen(InetAddress.ofLiteral(address), 21_001, 5).close();
      }
    }
  }

  @Test
  void anAddressThatIsALinksIsRefused() throws Exception {
    try (Network network = new Network()) {
      assertThatThrownBy(() -> network.handle.listen(InetAddress.ofLiteral("fe80::1"), 21_000, 5))
          .isInstanceOf(IsolationException.class)
          .hasMessageContaining("cannot give a job's loopback the link-local");
    }
  }

  /// A new one, configured, which goes with its process.
  private static final class Network implements AutoCloseable {
    private final Process process =
        new ProcessBuilder("unshare", "-n", "sh", "-c", "echo up; read x").start();
    final NetworkHandle handle;

    Network() throws IOException {
      assertThat(process.inputReader().readLine()).isEqualTo("up");
      handle = NetworkHandle.pinned(Path.of("/proc/" + process.pid() + "/ns/net"));
      handle.configure();
    }

    @Override
    public void close() {
      handle.close();
      process.destroyForcibly().onExit().join();
    }
  }
}
