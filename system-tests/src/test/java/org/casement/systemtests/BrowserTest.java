package org.casement.systemtests;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import com.microsoft.playwright.Locator;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.casement.testkit.Await;
import org.casement.testkit.SecretSearch;
import org.casement.testkit.TcpRelay;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What a person with a browser sees. Screenshots are kept in target/screenshots.
final class BrowserTest {
  private static final Path SCREENSHOTS = Path.of("target/screenshots");

  /// Login, X server and window manager, in software.
  private static final Duration DESKTOP_LIMIT = Duration.ofSeconds(90);

  private static final Duration PAGE_LIMIT = Duration.ofSeconds(30);

  /// Longer than the page waits for a server to follow (pages/web/follow.js).
  private static final double FOLLOW_MS = 4_000;

  static final String FILLS =
      """
      () => {
        const stage = document.getElementById('stage');
        const canvas = document.querySelector('iron-remote-desktop').shadowRoot.querySelector('canvas').getBoundingClientRect();
        const [right, below] = [stage.clientWidth - canvas.width, stage.clientHeight - canvas.height];
        return Math.min(right, below) >= -1 && Math.min(right, below) <= 5;
      }
      """;

  private static TestUser user;
  private static Session session;

  @BeforeAll
  static void startSession() throws IOException {
    Files.createDirectories(SCREENSHOTS);
    user = TestUser.create();
    session = Session.start(user, Settings.standard().withTestPort());
  }

  @AfterAll
  static void endSession() {
    session.close();
    user.close();
  }

  private static URI through(TcpRelay relay, URI link) {
    return URI.create(
        link.toString().replace(":" + link.getPort() + "/", ":" + relay.port() + "/"));
  }

  /// Into the terminal at the desktop's top left. `>` needs its own shift: the engine goes by keys,
  /// and Playwright types a character without pressing shift for it.
  private static void type(Browser browser, String line) {
    browser.page().locator("#stage canvas").click(new Locator.ClickOptions().setPosition(200, 100));
    for (String part : line.splitWithDelimiters(">", 0)) {
      if (part.equals(">")) {
        browser.page().keyboard().press("Shift+Period");
      } else {
        browser.page().keyboard().type(part);
      }
    }
    browser.page().keyboard().press("Enter");
  }

  /// The terminal may not be there yet, or come in the middle of it: then it is typed again.
  static boolean typed(Browser browser, String line, BooleanSupplier arrived) {
    type(browser, line);
    return arrives(arrived);
  }

  static boolean arrives(BooleanSupplier arrived) {
    try {
      Await.until("it arrives", Duration.ofSeconds(6), arrived);
      return true;
    } catch (AssertionError e) {
      return false;
    }
  }

  /// Over the demo guest's two tempers: TLS with a desktop that follows the window, and network
  /// level authentication with one of a fixed size.
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void fromTheLinkToTheEndPage(boolean shadow) {
    Settings settings = Settings.standard();
    String name = shadow ? "shadow-" : "";
    try (TestUser own = TestUser.create();
        Session whole = Session.start(own, shadow ? settings.withShadow() : settings);
        TcpRelay wire = TcpRelay.to(whole.link().getPort());
        Browser browser = Browser.open(SCREENSHOTS)) {
      browser.go(through(wire, whole.link()));
      browser.awaitPhase("waiting", PAGE_LIMIT);
      Await.until(
          "a step is done and a later one is not",
          PAGE_LIMIT,
          () ->
              browser.page().locator("#steps li[data-status=done]").count() > 0
                  && browser.page().locator("#steps li[data-status=running]").count() > 0);
      assertThat(browser.page().url()).doesNotContain("#");
      browser.screenshot(name + "1-progress");

      browser.awaitPhase("desktop", Session.READY_LIMIT);
      browser.awaitNonce(whole.nonce(), DESKTOP_LIMIT);
      browser.screenshot(name + "2-desktop");

      String word = "typed-" + ThreadLocalRandom.current().nextInt(1_000_000);
      Path typed = own.home().resolve("casement/typed.txt");
      String line = "echo " + word + " >typed.txt";
      Await.until(
          "the typed text is in a file on the share",
          DESKTOP_LIMIT,
          () -> typed(browser, line, () -> read(typed).equals(word + "\n")),
          () -> "'" + read(typed) + "', see " + browser.screenshot("failed-typing"));
      fillsAnotherWindow(browser, whole.nonce(), shadow);

      wire.cut();
      browser.awaitPhase("reconnecting", PAGE_LIMIT);
      browser.screenshot(name + "3-reconnecting");
      wire.restore();
      browser.awaitPhase("desktop", PAGE_LIMIT);
      browser.awaitNonce(whole.nonce(), DESKTOP_LIMIT);

      browser.page().locator("#end").click();
      browser.page().locator("#end-yes").click();
      browser.awaitPhase("ended", Session.END_LIMIT);
      assertThat(browser.text()).contains("You ended the session");
      browser.screenshot(name + "4-ended");
      assertThat(whole.awaitExit(Session.END_LIMIT).status()).isZero();
    }
  }

  /// A desktop that cannot follow is scaled, and stays connected.
  private static void fillsAnotherWindow(Browser browser, String nonce, boolean fixed) {
    browser.page().evaluate(DesktopPageTests.WATCH_PHASES);
    String before = DesktopPageTests.canvasSize(browser.page());
    browser.page().setViewportSize(1000, 700);
    Await.until(
        "the desktop fills the window in one direction at least",
        PAGE_LIMIT,
        () ->
            Boolean.TRUE.equals(browser.page().evaluate(FILLS))
                && before.equals(DesktopPageTests.canvasSize(browser.page())) == fixed,
        () -> DesktopPageTests.canvasSize(browser.page()) + browser.screenshot("failed-fills"));
    browser.page().waitForTimeout(FOLLOW_MS);
    assertThat(browser.page().evaluate(FILLS)).isEqualTo(true);
    assertThat(DesktopPageTests.phases(browser.page())).containsOnly("desktop");
    browser.screenshot(fixed ? "shadow-2-smaller" : "2-smaller");
    browser.page().setViewportSize(1280, 800);
    browser.awaitNonce(nonce, DESKTOP_LIMIT);
  }

  /// Empty where it is not there (yet).
  static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      return "";
    }
  }

  @Test
  void aWrongPasswordNeverShowsTheNonceAndTheRightOneDoes() {
    session.awaitReady();
    try (GuestShell guest = session.guestShell();
        Browser browser = Browser.open(SCREENSHOTS)) {
      guest
          .run("cp /etc/shadow /run/shadow && sed -i 's|^user:[^:]*:|user:*:|' /etc/shadow")
          .orFail();
      // Lines that other tests' logins have left say nothing of this one.
      guest.run("wc -l </var/log/xrdp-sesman.log >/run/lines").orFail();
      browser.go(session.anotherLink());
      Await.until(
          "the guest has refused this login",
          DESKTOP_LIMIT,
          () ->
              guest
                      .run(
                          "tail -n +$(($(cat /run/lines) + 1)) /var/log/xrdp-sesman.log"
                              + " | grep -q 'pam_authenticate failed: Authentication failure'")
                      .status()
                  == 0,
          () -> guest.run("cat /run/lines; tail -n 20 /var/log/xrdp-sesman.log").out());
      for (int i = 0; i < 5; i++) {
        assertThat(browser.nonces()).doesNotContain(session.nonce());
        browser.page().waitForTimeout(1000);
      }
      browser.screenshot("5-wrong-password");
      guest.run("cat /run/shadow >/etc/shadow").orFail();
      browser.page().reload();
      browser.awaitNonce(session.nonce(), DESKTOP_LIMIT);
    }
  }

  @Test
  void aLinkOpensOnce() {
    URI link = session.anotherLink();
    try (Browser first = Browser.open(SCREENSHOTS);
        Browser second = Browser.open(SCREENSHOTS)) {
      first.go(link);
      Await.until("the first is in", PAGE_LIMIT, () -> !first.phase().equals("entering"));
      assertThat(first.phase()).isNotEqualTo("refused");
      second.go(link);
      second.awaitPhase("refused", PAGE_LIMIT);
      assertThat(second.text()).contains("casement link");
      second.screenshot("6-used-link");
      // A reload of the first is still in.
      first.page().reload();
      Await.until(
          "the first is in again",
          PAGE_LIMIT,
          () -> !first.phase().equals("entering") && !first.phase().equals("refused"));
    }
  }

  @Test
  void aLinkWorksBelowAnyPathPrefix() {
    URI link = session.anotherLink();
    try (Browser browser = Browser.open(SCREENSHOTS)) {
      browser.go(URI.create(link.toString().replace("/#", "/node/c001/" + link.getPort() + "/#")));
      Await.until(
          "the session is shown",
          PAGE_LIMIT,
          () -> browser.page().locator("#steps li, #stage canvas").count() > 0);
      assertThat(browser.phase()).isNotEqualTo("refused");
    }
  }

  @Test
  void theCookieWithoutTheTabSecretIsNotEnoughNorIsAnotherOrigin() {
    int port = session.link().getPort();
    try (Browser browser = Browser.open(SCREENSHOTS)) {
      browser.go(session.anotherLink());
      Await.until("in", PAGE_LIMIT, () -> !browser.context().cookies().isEmpty());
      String cookie =
          browser.context().cookies().stream()
              .map(one -> one.name + "=" + one.value)
              .collect(Collectors.joining("; "));
      assertThat(browser.context().cookies()).allMatch(one -> one.httpOnly);
      String own = "http://127.0.0.1:" + port;
      for (String route : new String[] {"events", "rdp"}) {
        assertThat(RawHttp.status(RawHttp.upgrade(port, route, Map.of("Origin", own))))
            .as("%s without cookie", route)
            .isEqualTo(403);
        assertThat(
                RawHttp.status(
                    RawHttp.upgrade(
                        port, route, Map.of("Origin", "http://evil.example", "Cookie", cookie))))
            .as("%s from another origin", route)
            .isEqualTo(403);
        // With both the socket opens, and says nothing before the proof.
        String opened = RawHttp.upgrade(port, route, Map.of("Origin", own, "Cookie", cookie));
        assertThat(RawHttp.status(opened)).isEqualTo(101);
        assertThat(opened.substring(opened.indexOf("\r\n\r\n") + 4)).isEmpty();
      }
      // A page that has the cookie, in a tab without the secret.
      try (var tab = browser.context().newPage()) {
        tab.navigate(own + "/");
        Await.until(
            "the tab is refused",
            PAGE_LIMIT,
            () -> "refused".equals(tab.locator("html").getAttribute("data-casement")));
      }
    }
  }

  @Test
  void aStrangersServerOnThePortLearnsNothingAndIsRecognised() throws IOException {
    try (Browser browser = Browser.open(SCREENSHOTS)) {
      int port;
      URI link = session.anotherLink();
      TcpRelay wire = TcpRelay.to(link.getPort());
      try (wire) {
        port = wire.port();
        browser.go(through(wire, link));
        Await.until("in", PAGE_LIMIT, () -> browser.page().locator("#steps li").count() > 0);
      }
      try (Impostor impostor = Impostor.on(port)) {
        browser.awaitPhase("impostor", PAGE_LIMIT);
        browser.screenshot("7-impostor");
        assertThat(impostor.heard()).isNotEmpty();
        String secret =
            String.valueOf(
                browser.page().evaluate("() => Object.values(sessionStorage)[0].split('.')[1]"));
        assertThat(secret).hasSize(43);
        SecretSearch search =
            new SecretSearch()
                .add("tab secret", secret)
                .add("token", link.getFragment().substring(2));
        impostor.heard().forEach(bytes -> search.in("what the stranger heard", bytes));
        assertThat(search.findings()).isEmpty();
        assertThat(new String(impostor.heard().getFirst(), ISO_8859_1)).contains("GET ");
      }
    }
  }
}
