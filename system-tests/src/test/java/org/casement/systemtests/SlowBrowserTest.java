package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.TimeoutError;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.casement.testkit.Await;
import org.casement.testkit.TestUser;
import org.casement.testkit.ThinWire;
import org.junit.jupiter.api.Test;

/// A browser behind a thin line: 2 Mbit/s, 100 ms, 1 % of the packets lost; and one whose line goes
/// silent for half a minute. The line is a relay of the tests: it loses whole round trips where
/// netem would lose packets.
final class SlowBrowserTest {
  private static final Path SCREENSHOTS = Path.of("target/screenshots");
  private static final ThinWire.Quality THIN =
      new ThinWire.Quality(2_000_000, Duration.ofMillis(100), 0.01);

  /// The page has 1.6 MB: 7 s at this rate; then a whole desktop.
  private static final Duration OPEN_LIMIT = Duration.ofSeconds(90);

  private static final int KEYS = 15;

  /// From a key to its picture: a round trip, what the guest needs in software, and what lies
  /// before it on the wire.
  private static final Duration KEY_LIMIT = Duration.ofSeconds(2);

  /// A whole desktop before it on the wire, and a guest that shares its processors. Single pictures
  /// may take long; it is the median that is felt.
  private static final double PICTURE_LIMIT_MS = 30_000;

  private static final Duration CUT = Duration.ofSeconds(30);

  /// The page notices after 15 s.
  private static final Duration NOTICE_LIMIT = Duration.ofSeconds(25);

  private static final Duration BACK_LIMIT = Duration.ofSeconds(60);

  /// What the terminal at the desktop's top left shows, as a number that changes with it.
  private static final String TERMINAL =
      """
      () => {
        const look = (root) => [...root.querySelectorAll('*')].flatMap((e) => [...(e.tagName === 'CANVAS' ? [e] : []), ...(e.shadowRoot ? look(e.shadowRoot) : [])]);
        const canvas = look(document).sort((a, b) => b.width * b.height - a.width * a.height)[0];
        const copy = new OffscreenCanvas(500, 300).getContext('2d', { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        let hash = 0;
        for (const value of new Uint32Array(copy.getImageData(0, 0, 500, 300).data.buffer)) hash = (hash * 31 + value) | 0;
        return hash;
      }
      """;

  private static Duration keyToPicture(Page page) {
    Object before = page.evaluate(TERMINAL);
    long start = System.nanoTime();
    page.keyboard().press("x");
    page.waitForFunction(
        "before => (" + TERMINAL + ")() !== before",
        before,
        new Page.WaitForFunctionOptions().setPollingInterval(20).setTimeout(PICTURE_LIMIT_MS));
    return Duration.ofNanos(System.nanoTime() - start);
  }

  /// The terminal comes some time after the desktop.
  private static void awaitTerminal(Browser browser) {
    Await.until(
        "the terminal shows a key",
        OPEN_LIMIT,
        () -> {
          browser
              .page()
              .locator("#stage canvas")
              .click(new Locator.ClickOptions().setPosition(200, 100));
          try {
            keyToPicture(browser.page());
            return true;
          } catch (TimeoutError e) {
            return false;
          }
        },
        () -> "see " + browser.screenshot("failed-thin-line"));
  }

  private static String status(Browser browser) {
    return browser.page().locator("#status").innerText();
  }

  private static Duration median(List<Duration> durations) {
    return durations.stream().sorted().toList().get(durations.size() / 2);
  }

  @Test
  void aThinLineIsUsableAndASilentOneComesBack() throws IOException {
    Files.createDirectories(SCREENSHOTS);
    try (TestUser user = TestUser.create();
        Session session = Session.start(user, Settings.standard());
        ThinWire wire = ThinWire.to(session.link().getPort(), THIN);
        Browser browser = Browser.open(SCREENSHOTS)) {
      session.awaitReady();
      browser.go(
          URI.create(
              session
                  .link()
                  .toString()
                  .replace(":" + session.link().getPort() + "/", ":" + wire.port() + "/")));
      browser.awaitPhase("desktop", OPEN_LIMIT);
      browser.awaitNonce(session.nonce(), OPEN_LIMIT);
      awaitTerminal(browser);

      List<Duration> keys = new ArrayList<>();
      for (int i = 0; i < KEYS; i++) {
        keys.add(keyToPicture(browser.page()));
      }
      System.out.println("key to picture over the thin line: " + keys);
      assertThat(median(keys)).isLessThan(KEY_LIMIT);
      browser.screenshot("thin-line");

      long cut = System.nanoTime();
      wire.silence();
      // The last picture stays; that it is the last is said in the bar.
      Await.until("the page says so", NOTICE_LIMIT, () -> status(browser).equals("reconnecting"));
      browser.screenshot("thin-line-silent");
      Await.pause(CUT.minusNanos(System.nanoTime() - cut));
      assertThat(status(browser)).isEqualTo("reconnecting");
      wire.restore();
      Await.until("it is back", BACK_LIMIT, () -> status(browser).equals("connected"));
      browser.awaitNonce(session.nonce(), BACK_LIMIT);
      awaitTerminal(browser);
      assertThat(session.status()).containsEntry("state", "ready");
    }
  }
}
