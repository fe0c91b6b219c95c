package org.casement.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.casement.systemtests.Browser;
import org.casement.systemtests.Session;
import org.casement.systemtests.Settings;
import org.casement.testkit.Await;
import org.casement.testkit.TestUser;

/// From the command to the first pixel of the desktop in a browser that is already open: the
/// session's nonce, read from the canvas. The peer is the same guest under plain QEMU, reached by
/// the same pages through the same connector; see [PeerDesktop]. Runs alternate, so that a change
/// of the machine's mood meets both.
final class DesktopBenchmark {
  private static final Duration LIMIT = Duration.ofMinutes(3);

  /// Chromium goes on starting after it can be driven, on all processors: it is open when it rests.
  private static final Duration REST = Duration.ofSeconds(4);

  record Figures(String acceleration, Samples session, Samples peer) {}

  private DesktopBenchmark() {}

  static Figures run(TestUser user, int runs) throws IOException {
    Path screenshots = Files.createTempDirectory("casement-bench-");
    List<Double> sessions = new ArrayList<>();
    List<Double> peers = new ArrayList<>();
    String acceleration = "";
    for (int i = 0; i < runs; i++) {
      try (Browser browser = Browser.open(screenshots)) {
        Await.pause(REST);
        long start = System.nanoTime();
        try (Session session = Session.start(user, Settings.standard())) {
          browser.go(session.link());
          browser.awaitNonce(session.nonce(), LIMIT);
          sessions.add((System.nanoTime() - start) / 1e9);
          acceleration = String.valueOf(session.status().get("acceleration"));
        }
      }
      try (Browser browser = Browser.open(screenshots);
          PeerDesktop peer = PeerDesktop.open()) {
        Await.pause(REST);
        long start = System.nanoTime();
        peer.boot(acceleration);
        browser.go(peer.link());
        browser.awaitNonce(peer.nonce(), LIMIT);
        peers.add((System.nanoTime() - start) / 1e9);
      }
    }
    Files.delete(screenshots);
    return new Figures(acceleration, new Samples("s", sessions), new Samples("s", peers));
  }
}
