package org.casement.isolation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
      Process inside = new ProcessBuilder("unshare", "-n", "sh", "-c", "echo up; read x").start();
      try (var said = inside.inputReader()) {
        assertThat(said.readLine()).isEqualTo("up");
        try (NetworkHandle handle = NetworkHandle.pinned(ofProcess(inside))) {
          handle.configure();
          handle.listen(InetAddress.ofLiteral(address), 21_000, 5).close();
          handle.listen(InetAddress.ofLiteral(address), 21_001, 5).close();
        }
      } finally {
        inside.destroyForcibly().waitFor();
      }
    }
  }

  @Test
  void anAddressThatIsALinksIsRefused() throws Exception {
    Process inside = new ProcessBuilder("unshare", "-n", "sh", "-c", "echo up; read x").start();
    try (var said = inside.inputReader()) {
      assertThat(said.readLine()).isEqualTo("up");
      try (NetworkHandle handle = NetworkHandle.pinned(ofProcess(inside))) {
        handle.configure();
        assertThatThrownBy(() -> handle.listen(InetAddress.ofLiteral("fe80::1"), 21_000, 5))
            .isInstanceOf(IsolationException.class)
            .hasMessageContaining("cannot give a job's loopback the link-local");
      }
    } finally {
      inside.destroyForcibly().waitFor();
    }
  }

  private static Path ofProcess(Process process) {
    return Path.of("/proc/" + process.pid() + "/ns/net");
  }
}
