package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What the demo guest's two tempers refuse: one takes TLS only, the other network level
/// authentication only. What both show is [BrowserTest]'s.
final class NetworkLevelAuthenticationTest {
  private static final Path SCREENSHOTS = Path.of("target/screenshots");

  private static final Duration DESKTOP_LIMIT = Duration.ofSeconds(90);
  private static final Duration PAGE_LIMIT = Duration.ofSeconds(60);

  @BeforeAll
  static void screenshots() throws IOException {
    Files.createDirectories(SCREENSHOTS);
  }

  @Test
  void aWrongPasswordIsNamed() {
    try (TestUser user = TestUser.create();
        Session session = Session.start(user, Settings.standard().withShadow().withTestPort());
        Browser browser = Browser.open(SCREENSHOTS)) {
      browser.go(session.link());
      browser.awaitPhase("desktop", Session.READY_LIMIT);
      browser.awaitNonce(session.nonce(), DESKTOP_LIMIT);
      browser.screenshot("8-nla-desktop");
      try (GuestShell guest = session.guestShell()) {
        guest.run("cp -p /run/shadow/sam /run/sam").orFail();
        // Into the file that is there: it is the user's.
        guest
            .run("sed 's/[0-9a-f]\\{32\\}/" + "0".repeat(32) + "/' /run/sam >/run/shadow/sam")
            .orFail();
        browser.page().reload();
        browser.awaitPhase("disconnected", PAGE_LIMIT);
        assertThat(browser.text()).contains("Wrong password");
        assertThat(browser.nonces()).doesNotContain(session.nonce());
        assertThat(session.log()).contains("desktop-refused").contains("wrong-password");
        browser.screenshot("9-nla-wrong-password");
        guest.run("cat /run/sam >/run/shadow/sam").orFail();
      }
      browser.page().locator("#again").click();
      browser.awaitNonce(session.nonce(), DESKTOP_LIMIT);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "false, nla, refuses network level authentication, tls",
    "true,  tls, demands network level authentication, nla"
  })
  void aGuestOfTheOtherKindIsAnsweredWithWhatToChange(
      boolean shadow, String set, String said, String remedy) {
    Settings settings = Settings.standard().with("machine", "rdp_security", set);
    try (TestUser user = TestUser.create();
        Session session = Session.start(user, shadow ? settings.withShadow() : settings);
        Browser browser = Browser.open(SCREENSHOTS)) {
      browser.go(session.link());
      browser.awaitPhase("disconnected", Session.READY_LIMIT);
      assertThat(browser.text())
          .contains(said)
          .contains("rdp_security = \"" + remedy + "\"")
          .contains("Connect again");
      assertThat(session.log()).contains("rdp_security").contains("desktop-refused");
      browser.screenshot("10-nla-" + set);
    }
  }
}
