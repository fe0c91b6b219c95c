package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.options.ColorScheme;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.casement.testkit.Await;
import org.casement.testkit.Place;
import org.casement.testkit.Probe;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// The machine's console: typing for the user, the machine's buttons, and its screen as a small
/// picture while it boots. Screenshots are kept in target/screenshots.
final class ConsoleTest {
  private static final Path SCREENSHOTS = Path.of("target/screenshots");

  private static final Duration PAGE_LIMIT = Duration.ofSeconds(30);

  /// Some four hundred characters.
  private static final Duration TYPING_LIMIT = Duration.ofSeconds(90);

  /// Two seconds and what the machine takes itself (ScreenPictures.PAUSE).
  private static final Duration PICTURE_PAUSE = Duration.ofSeconds(2);

  /// The page's WebSockets, for what a page would not send by itself. Not by a class of our own:
  /// noVNC looks at the prototype.
  private static final String KEEP_SOCKETS =
      """
      window.sockets = new Set();
      const send = WebSocket.prototype.send;
      WebSocket.prototype.send = function (data) {
        window.sockets.add(this);
        send.call(this, data);
      };
      """;

  @BeforeAll
  static void makePlace() throws IOException {
    Files.createDirectories(SCREENSHOTS);
  }

  private static Settings power(String... actions) {
    return Settings.standard().withTestPort().with("console", "power", List.of(actions));
  }

  @Test
  void whatIsPastedIsTypedAndTheMachinesButtonsAskFirst() {
    try (TestUser user = TestUser.create();
        Session session = Session.start(user, power("shutdown", "reset"));
        Browser browser = Browser.open(SCREENSHOTS)) {
      browser.page().addInitScript(KEEP_SOCKETS);
      browser.go(session.console().orElseThrow());
      session.awaitReady();
      browser.awaitPhase("desktop", PAGE_LIMIT);
      // The screen itself is there: nobody has watched pictures of it.
      session.awaitLog("event=screen-pictures taken=0", PAGE_LIMIT);
      try (GuestShell guest = session.guestShell()) {
        logIn(browser, guest);
        everyKeyArrives(browser, guest);
        whatIsCancelledSaysHowFarItCame(browser, guest);
        whatHasNoKeyIsNamed(browser);
        onlyWhatIsAllowedIsOffered(browser, session);
        aResetIsAsked(browser, guest, session);
        aShutdownEndsTheSession(browser, guest, session);
      }
    }
  }

  // ---- typing

  private static void logIn(Browser browser, GuestShell guest) {
    String password = "Pa$s {w}0rd|\\^";
    guest
        .run(
            "hash=$(printf '%s\\n' '"
                + password
                + "' | mkpasswd -m sha512 -P 0); sed -i \"s|^user:[^:]*:|user:$hash:|\""
                + " /run/accounts/shadow")
        .orFail();
    typeAndAwait(browser, "user\n");
    Await.until(
        "the guest asks for a password",
        PAGE_LIMIT,
        () -> guest.run("ps -o args | grep -q '[l]ogin.*user'").status() == 0,
        () -> guest.run("ps -o args").out() + browser.screenshot("failed-login"));
    typeAndAwait(browser, password + "\n");
    Await.until(
        "the password was right",
        PAGE_LIMIT,
        () -> guest.run("ps -o user,args | grep -q '^user .*-[a-z]*sh$'").status() == 0,
        () -> guest.run("ps -o user,args").out() + browser.screenshot("failed-password"));
  }

  /// Into a program that takes lines as they come: a shell would complete tabs.
  private static void everyKeyArrives(Browser browser, GuestShell guest) {
    StringBuilder ascii = new StringBuilder();
    for (char c = ' '; c <= '~'; c++) {
      ascii.append(c).append(c % 24 == 0 ? "\n" : "");
    }
    String text = ascii + "\n\tWindows\tPARTY\r\nthe last line\n";
    typeAndAwait(browser, "cat >/tmp/typed\n");
    typeAndAwait(browser, text);
    String expected = text.replace("\r\n", "\n");
    Await.until(
        "all of it is there",
        PAGE_LIMIT,
        () -> guest.run("cat /tmp/typed").out().equals(expected),
        () -> guest.run("cat -A /tmp/typed").out() + browser.screenshot("failed-typing"));
    guest.run("killall cat").orFail();
  }

  private static void whatIsCancelledSaysHowFarItCame(Browser browser, GuestShell guest) {
    typeAndAwait(browser, "cat >/tmp/part\n");
    choose(browser, "Paste as typing…");
    browser.page().locator("#type-text").fill("x".repeat(400));
    browser.page().locator("#type-yes").click();
    Await.until(
        "some of it is typed",
        PAGE_LIMIT,
        () -> (Integer) browser.page().locator("#type-progress").evaluate("bar => bar.value") > 4);
    browser.screenshot("console-typing");
    browser.page().locator("#type-no").click();
    Locator problem = browser.page().locator("#type-problem");
    problem.waitFor();
    Matcher stopped =
        Pattern.compile("Stopped: (\\d+) of 400 characters").matcher(problem.innerText());
    assertThat(stopped.find()).as(problem.innerText()).isTrue();
    int typed = Integer.parseInt(stopped.group(1));
    assertThat(typed).isBetween(5, 399);
    assertThat(browser.page().locator("#type-text").inputValue()).hasSize(400 - typed);
    browser.page().locator("#type-no").click();
    typeAndAwait(browser, "\n");
    Await.until(
        "as many as it said are there",
        PAGE_LIMIT,
        () -> guest.run("cat /tmp/part").out().equals("x".repeat(typed) + "\n"),
        () -> typed + ": " + guest.run("cat /tmp/part").out());
    guest.run("killall cat").orFail();
  }

  private static void whatHasNoKeyIsNamed(Browser browser) {
    choose(browser, "Paste as typing…");
    Locator problem = browser.page().locator("#type-problem");
    Locator type = browser.page().locator("#type-yes");
    browser.page().locator("#type-text").fill("Grüße 😀\u0007");
    assertThat(problem.innerText()).contains("ü ß 😀 U+0007");
    assertThat(type.isDisabled()).isTrue();
    picturesOf(browser, "console-paste");
    browser.page().locator("#type-text").fill("Grüße");
    assertThat(problem.innerText()).contains("ü ß");
    browser.page().locator("#type-layout").selectOption("de");
    assertThat(problem.isHidden()).isTrue();
    assertThat(type.isEnabled()).isTrue();
    browser.page().locator("#type-text").fill("x".repeat(4097));
    assertThat(problem.innerText()).contains("4096");
    assertThat(type.isDisabled()).isTrue();
    browser.page().locator("#type-layout").selectOption("us");
    browser.page().locator("#type-no").click();
  }

  private static void typeAndAwait(Browser browser, String text) {
    choose(browser, "Paste as typing…");
    browser.page().locator("#type-text").fill(text);
    browser.page().locator("#type-yes").click();
    Await.until(
        "it is typed",
        TYPING_LIMIT,
        () -> browser.page().locator("#type-dialog[open]").count() == 0,
        () -> browser.screenshot("failed-typing").toString());
  }

  private static void choose(Browser browser, String item) {
    browser.page().locator("#menu").click();
    browser.page().locator("#menu-list button").getByText(item).click();
  }

  private static List<String> offered(Browser browser) {
    browser.page().locator("#menu").click();
    List<String> items = browser.page().locator("#menu-list button").allInnerTexts();
    browser.page().keyboard().press("Escape");
    return items;
  }

  /// By day on a wide window, by night on a narrow one.
  private static void picturesOf(Browser browser, String name) {
    browser.screenshot(name);
    browser.page().setViewportSize(360, 640);
    browser.page().emulateMedia(new Page.EmulateMediaOptions().setColorScheme(ColorScheme.DARK));
    browser.screenshot(name + "-narrow-dark");
    browser.page().setViewportSize(1280, 800);
    browser.page().emulateMedia(new Page.EmulateMediaOptions().setColorScheme(ColorScheme.LIGHT));
  }

  // ---- the machine's buttons

  private static void onlyWhatIsAllowedIsOffered(Browser browser, Session session) {
    assertThat(offered(browser)).contains("Shut down…", "Reset…").doesNotContain("Switch off…");
    browser
        .page()
        .evaluate(
            "() => [...sockets].findLast((one) => one.url.endsWith('/ws/events'))"
                + ".send('{\"type\":\"power\",\"action\":\"poweroff\"}')");
    Await.until(
        "the page is told",
        PAGE_LIMIT,
        () -> browser.text().contains("this session does not allow poweroff"));
    assertThat(session.log())
        .containsPattern("event=power-refused action=poweroff tab=[\\w-]{16}")
        .doesNotContain("power-asked");
    assertThat(session.status()).containsEntry("state", "ready");
  }

  private static void aResetIsAsked(Browser browser, GuestShell guest, Session session) {
    String boot = bootId(guest);
    choose(browser, "Reset…");
    picturesOf(browser, "console-reset");
    browser.page().locator("#power-no").click();
    browser.page().waitForTimeout(1000);
    assertThat(bootId(guest)).isEqualTo(boot);
    assertThat(session.log()).doesNotContain("power-asked");

    choose(browser, "Reset…");
    browser.page().locator("#power-yes").click();
    session.awaitLog("event=reset count=1", PAGE_LIMIT);
    guest.awaitReboot(Session.READY_LIMIT);
    assertThat(bootId(guest)).isNotEqualTo(boot);
    assertThat(session.log()).containsPattern("event=power-asked action=reset tab=[\\w-]{16}");
  }

  private static String bootId(GuestShell guest) {
    return guest.run("cat /proc/sys/kernel/random/boot_id").orFail();
  }

  private static void aShutdownEndsTheSession(Browser browser, GuestShell guest, Session session) {
    Await.until(
        "the guest hears its power button",
        Session.READY_LIMIT,
        () -> guest.run("ps -o args | grep -q '[a]cpid'").status() == 0);
    choose(browser, "Shut down…");
    browser.page().locator("#power-yes").click();
    browser.awaitPhase("ended", Session.END_LIMIT);
    assertThat(browser.text()).contains("the machine was shut down from its console");
    browser.screenshot("console-ended");
    assertThat(session.awaitExit(Session.END_LIMIT).status()).isZero();
  }

  // ---- while it boots

  @Test
  void whoeverWaitsSeesTheMachineBootAndItsPlugCanBePulled() {
    try (TestUser user = TestUser.create();
        TestUser stranger = TestUser.create();
        Session session = Session.start(user, power("poweroff"));
        Browser browser = Browser.open(SCREENSHOTS)) {
      Instant begin = Instant.now();
      Page other = browser.context().newPage();
      browser.go(session.link());
      other.navigate(session.anotherLink().toString());
      Await.until(
          "both see the machine's screen",
          PAGE_LIMIT,
          () -> width(browser.page()) > 0 && width(other) > 0,
          session::story);
      assertThat(width(browser.page())).isBetween(100, 320);
      picturesOf(browser, "thumbnail");
      Path runtime = session.runtime();
      noStrangerReadsIt(stranger, runtime);

      session.awaitReady();
      long seconds = Duration.between(begin, Instant.now()).toSeconds();
      session.awaitLog("event=screen-pictures taken=", PAGE_LIMIT);
      Matcher taken = Pattern.compile("screen-pictures taken=(\\d+)").matcher(session.log());
      assertThat(taken.find()).isTrue();
      assertThat(Long.parseLong(taken.group(1)))
          .as("pictures in %d s", seconds)
          .isBetween(1L, seconds / PICTURE_PAUSE.toSeconds() + 2);
      assertThat(runtime.resolve("machine/screen/picture")).isEmptyFile();
      // One of the two has the desktop, the other is told so.
      other.close();
      Await.until(
          "the desktop is shown here",
          Session.READY_LIMIT,
          () -> {
            if (browser.phase().equals("refused")) {
              browser.page().locator("#again").click();
            }
            return browser.phase().equals("desktop");
          });
      assertThat(width(browser.page())).isZero();

      browser.go(session.console().orElseThrow());
      browser.awaitPhase("desktop", PAGE_LIMIT);
      assertThat(offered(browser)).contains("Switch off…").doesNotContain("Shut down…", "Reset…");
      choose(browser, "Switch off…");
      browser.page().locator("#power-yes").click();
      browser.awaitPhase("ended", Session.END_LIMIT);
      assertThat(browser.text()).contains("the machine was switched off from its console");
      assertThat(session.awaitExit(Session.END_LIMIT).status()).isZero();
      assertThat(session.log()).containsPattern("event=power-asked action=poweroff tab=[\\w-]{16}");
      assertThat(runtime).doesNotExist();
    }
  }

  /// Of the picture that is shown, in pixels; 0 where there is none.
  private static int width(Page page) {
    return (Integer)
        page.locator("#thumbnail").evaluate("image => image.hidden ? 0 : image.naturalWidth");
  }

  private static void noStrangerReadsIt(TestUser stranger, Path runtime) {
    List<Probe> attempts =
        List.of(
            Probe.of("directory", "list", runtime.resolve("machine/screen")),
            Probe.of("picture", "read", runtime.resolve("machine/screen/picture")));
    assertThat(Probe.run(Place.of(stranger), attempts).reached()).isEmpty();
    // The twin: root, who may.
    assertThat(Probe.run(Place.node(), attempts).reached()).contains("directory");
  }
}
