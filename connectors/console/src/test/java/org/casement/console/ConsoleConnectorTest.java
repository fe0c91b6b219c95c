package org.casement.console;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.casement.relay.TestBrowser;
import org.casement.relay.TestSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A unix socket plays QEMU's part: what matters here is bytes, not RFB.
class ConsoleConnectorTest {
  @TempDir private Path directory;

  private ServerSocketChannel listen(Path socket) throws IOException {
    return ServerSocketChannel.open(StandardProtocolFamily.UNIX)
        .bind(UnixDomainSocketAddress.of(socket));
  }

  @Test
  void bytesPassBothWaysOnlyAfterTheProof() throws Exception {
    Path vnc = directory.resolve("vnc");
    try (TestSession session = new TestSession();
        ServerSocketChannel qemu = listen(vnc)) {
      ConsoleConnector console =
          session.closing(ConsoleConnector.open(session.desk, TestSession.listener(), vnc));
      TestBrowser browser = session.entered(console.address());
      TestBrowser.Socket unproven = browser.connect("vnc");
      unproven.hello();
      qemu.configureBlocking(false);
      TestBrowser.Socket page = browser.open("vnc");
      qemu.configureBlocking(true);
      try (SocketChannel screen = qemu.accept()) {
        screen.write(ByteBuffer.wrap("RFB 003.008\n".getBytes(UTF_8)));
        assertThat(page.nextBytes()).asString(UTF_8).isEqualTo("RFB 003.008\n");
        page.send("RFB 003.008\n".getBytes(UTF_8));
        ByteBuffer received = ByteBuffer.allocate(12);
        while (received.hasRemaining() && screen.read(received) >= 0) {}
        assertThat(received.array()).asString(UTF_8).isEqualTo("RFB 003.008\n");
        screen.write(ByteBuffer.wrap("last words".getBytes(UTF_8)));
      }
      assertThat(page.nextBytes()).asString(UTF_8).isEqualTo("last words");
      assertThat(page.closeCode()).isEqualTo(1000);
      // The unproven page had no connection of its own.
      qemu.configureBlocking(false);
      assertThat(qemu.accept()).isNull();
    }
  }

  @Test
  void aPageThatGoesTakesTheConnectionWithIt() throws Exception {
    Path vnc = directory.resolve("vnc");
    try (TestSession session = new TestSession();
        ServerSocketChannel qemu = listen(vnc)) {
      ConsoleConnector console =
          session.closing(ConsoleConnector.open(session.desk, TestSession.listener(), vnc));
      TestBrowser.Socket page = session.entered(console.address()).open("vnc");
      try (SocketChannel screen = qemu.accept()) {
        page.abort();
        assertThat(screen.read(ByteBuffer.allocate(1))).isEqualTo(-1);
      }
    }
  }

  @Test
  void aScreenThatIsNotThereIsSaid() throws Exception {
    try (TestSession session = new TestSession()) {
      ConsoleConnector console =
          session.closing(
              ConsoleConnector.open(
                  session.desk, TestSession.listener(), directory.resolve("none")));
      TestBrowser.Socket page = session.entered(console.address()).open("vnc");
      assertThat(page.closeCode()).isEqualTo(4503);
    }
  }

  @Test
  void textIsNoTraffic() throws Exception {
    Path vnc = directory.resolve("vnc");
    try (TestSession session = new TestSession();
        ServerSocketChannel qemu = listen(vnc)) {
      ConsoleConnector console =
          session.closing(ConsoleConnector.open(session.desk, TestSession.listener(), vnc));
      TestBrowser.Socket page = session.entered(console.address()).open("vnc");
      try (SocketChannel screen = qemu.accept()) {
        screen.write(ByteBuffer.wrap(new byte[1]));
        page.nextBytes();
        page.send("text");
        assertThat(page.closeCode()).isEqualTo(4400);
      }
    }
  }

  /// 64 MB fit into no socket buffer and not twice into this JVM's idea of a small queue; they wait
  /// at their source until the page reads again, and all arrive.
  @Test
  void aPageThatDoesNotReadPausesTheScreen() throws Exception {
    Path vnc = directory.resolve("vnc");
    int total = 64 << 20;
    try (TestSession session = new TestSession();
        ServerSocketChannel qemu = listen(vnc)) {
      ConsoleConnector console =
          session.closing(ConsoleConnector.open(session.desk, TestSession.listener(), vnc));
      TestBrowser.Socket page = session.entered(console.address()).open("vnc");
      page.stall();
      try (SocketChannel screen = qemu.accept()) {
        CompletableFuture<Void> written =
            CompletableFuture.runAsync(
                () -> {
                  ByteBuffer frame = ByteBuffer.allocate(total);
                  try {
                    while (frame.hasRemaining()) {
                      screen.write(frame);
                    }
                  } catch (IOException broken) {
                    throw new java.io.UncheckedIOException(broken);
                  }
                });
        assertThatThrownBy(() -> written.get(2, TimeUnit.SECONDS))
            .isInstanceOf(TimeoutException.class);
        page.resume();
        int arrived = 0;
        while (arrived < total) {
          arrived += page.nextBytes().length;
        }
        written.get(10, TimeUnit.SECONDS);
        assertThat(arrived).isEqualTo(total);
      }
    }
  }

  /// What a page leaves unread lies in the kernel's socket buffers and, within Pump's water mark,
  /// in ours; the rest stays with QEMU. Another page is served meanwhile.
  @Test
  void aPageThatNeverReadsCostsLittleAndNobodyElse() throws Exception {
    Path vnc = directory.resolve("vnc");
    int chunk = 64 * 1024;
    try (TestSession session = new TestSession();
        ServerSocketChannel qemu = listen(vnc)) {
      ConsoleConnector console =
          session.closing(ConsoleConnector.open(session.desk, TestSession.listener(), vnc));
      TestBrowser browser = session.entered(console.address());
      TestBrowser.Socket deaf = browser.open("vnc");
      deaf.stall();
      long before = usedDirectMemory();
      try (SocketChannel screen = qemu.accept()) {
        screen.configureBlocking(false);
        long taken = 0;
        long lastTaken = System.nanoTime();
        while (System.nanoTime() - lastTaken < TimeUnit.SECONDS.toNanos(2)) {
          int n = screen.write(ByteBuffer.allocate(chunk));
          if (n > 0) {
            taken += n;
            lastTaken = System.nanoTime();
          } else {
            Thread.sleep(10);
          }
        }
        assertThat(taken).isLessThan(32 << 20); // tcp_wmem and tcp_rmem, at most some 10 MiB
        assertThat(usedDirectMemory() - before).isLessThan(8 << 20); // the allocator's chunks
        TestBrowser.Socket other = browser.open("vnc");
        try (SocketChannel otherScreen = qemu.accept()) {
          otherScreen.write(ByteBuffer.wrap("still served".getBytes(UTF_8)));
          assertThat(other.nextBytes()).asString(UTF_8).isEqualTo("still served");
        }
        deaf.abort();
        screen.configureBlocking(true); // until the connection, and what it held, has gone
        assertThat(hasEnded(screen)).isTrue();
      }
    }
  }

  /// A connection with bytes unread ends by a reset.
  private static boolean hasEnded(SocketChannel channel) {
    try {
      return channel.read(ByteBuffer.allocate(1)) == -1;
    } catch (IOException reset) {
      return true;
    }
  }

  private static long usedDirectMemory() {
    return ((ByteBufAllocatorMetricProvider) ByteBufAllocator.DEFAULT).metric().usedDirectMemory();
  }
}
