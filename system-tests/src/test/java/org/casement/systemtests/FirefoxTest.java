package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import org.casement.testkit.Await;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.Test;

/// The other kind of browser, once from the link to the end page.
final class FirefoxTest {
  private static final Path SCREENSHOTS = Path.of("target/screenshots");
  private static final Duration DESKTOP_LIMIT = Duration.ofSeconds(90);

  @Test
  void fromTheLinkToTheEndPage() throws IOException {
    Files.createDirectories(SCREENSHOTS);
    try (TestUser user = TestUser.create();
        Session session = Session.start(user, Settings.standard());
        Firefox firefox = Firefox.open()) {
      firefox.go(session.link());
      firefox.awaitPhase("desktop", Session.READY_LIMIT);
      assertThat(firefox.evaluate("location.hash")).isEmpty();
      firefox.awaitNonce(session.nonce(), DESKTOP_LIMIT);
      String word = "typed-" + ThreadLocalRandom.current().nextInt(1_000_000);
      Path typed = user.home().resolve("casement/typed.txt");
      Await.until(
          "the typed text is in a file on the share",
          DESKTOP_LIMIT,
          () -> {
            firefox.click(200, 150);
            firefox.type("echo " + word + " >typed.txt");
            return BrowserTest.arrives(() -> BrowserTest.read(typed).equals(word + "\n"));
          },
          () ->
              "'%s', see %s"
                  .formatted(
                      BrowserTest.read(typed),
                      firefox.screenshot(SCREENSHOTS.resolve("failed-firefox.png"))));
      firefox.screenshot(SCREENSHOTS.resolve("11-firefox.png"));
      firefox.click("#end");
      firefox.click("#end-yes");
      firefox.awaitPhase("ended", Session.END_LIMIT);
      assertThat(firefox.text()).contains("You ended the session");
      assertThat(session.awaitExit(Session.END_LIMIT).status()).isZero();
    }
  }
}
