package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.microsoft.playwright.Download;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.options.AriaRole;
import com.microsoft.playwright.options.ColorScheme;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The page around the RDP desktop: sizes, keys, menu, banners. Screenshots are kept in
/// target/screenshots.
final class DesktopPageTest {
  private static final Path SCREENSHOTS = Path.of("target/screenshots");
  private static final Duration DESKTOP_LIMIT = Duration.ofSeconds(90);

  /// Openbox needs some two seconds of the guest's processor for each new size of the screen, and
  /// manages no window before it has done with all of them: minutes where processors are shared.
  private static final Duration LIMIT = Duration.ofMinutes(3);

  /// For programs that are started on the user's desktop.
  private static final String ON_DESKTOP = "export DISPLAY=:10 XAUTHORITY=/home/user/.Xauthority; ";

  /// Keeps every phase the page has been in.
  static final String WATCH_PHASES =
      """
      () => {
        const root = document.documentElement;
        window.phases = [root.dataset.casement];
        new MutationObserver(() => window.phases.push(root.dataset.casement))
          .observe(root, { attributeFilter: ['data-casement'] });
      }
      """;

  private static final String STAGE = "document.getElementById('stage')";
  private static final String COMPONENT = "document.querySelector('iron-remote-desktop')";

  /// Null while the page puts a new component in the place of an old one.
  private static final String CANVAS = COMPONENT + "?.shadowRoot?.querySelector('canvas')";

  private static TestUser user;
  private static Session session;
  private static GuestShell guest;

  @BeforeAll
  static void startSession() throws IOException {
    Files.createDirectories(SCREENSHOTS);
    user = TestUser.create();
    session =
        Session.start(user, Settings.standard().withTestPort().with("session", "walltime", "30m"));
    session.awaitReady();
    guest = session.guestShell();
  }

  @AfterAll
  static void endSession() {
    guest.close();
    session.close();
    user.close();
  }

  private static Browser desktop() {
    Browser browser = Browser.open(SCREENSHOTS);
    browser.go(session.anotherLink());
    browser.awaitPhase("desktop", DESKTOP_LIMIT);
    browser.awaitNonce(session.nonce(), DESKTOP_LIMIT);
    // It takes the focus when it comes.
    Await.until(
        "the desktop's own terminal is there",
        LIMIT,
        () -> guest.run(ON_DESKTOP + "xwininfo -name Terminal | grep -q IsViewable").status() == 0);
    return browser;
  }

  private static void choose(Page page, String label) {
    page.locator("#menu").click();
    page.getByRole(AriaRole.MENU)
        .getByText(label, new Locator.GetByTextOptions().setExact(true))
        .click();
  }

  /// The desktop's size as its X server has it, `1280x800`.
  private static String guestSize() {
    return guest.run(ON_DESKTOP + "xdpyinfo | awk '/dimensions:/ {print $2; exit}'").out().strip();
  }

  static String canvasSize(Page page) {
    return String.valueOf(page.evaluate(CANVAS + "?.width + 'x' + " + CANVAS + "?.height"));
  }

  /// What the stage wants, in the steps of RDP.
  private static String stageSize(Page page) {
    return String.valueOf(
        page.evaluate(
            "(() => { const [w, h] = [%1$s.clientWidth, %1$s.clientHeight].map(s => Math.round(s * devicePixelRatio)); return (w - w %% 4) + 'x' + (h - h %% 2); })()"
                .formatted(STAGE)));
  }

  /// A canvas that has just got its size is empty: waits until something is on it, right at the
  /// top, and nothing over it.
  private static void awaitDrawn(Page page) {
    page.waitForFunction(
        "() => { const canvas = %s; if (!canvas) return false; const { data } = canvas.getContext('2d').getImageData(canvas.width - 50, 20, 40, 40); return data.some((value, i) => i %% 4 === 3 && value > 0) && !document.querySelector('.backdrop'); }"
            .formatted(CANVAS));
  }

  static List<String> phases(Page page) {
    return List.of(String.valueOf(page.evaluate("window.phases.join()")).split(",", -1));
  }

  private static void awaitFollowed(Browser browser) {
    Page page = browser.page();
    Await.until(
        "the desktop has the window's size",
        LIMIT,
        () -> canvasSize(page).equals(stageSize(page)) && guestSize().equals(stageSize(page)),
        () ->
            "stage %s, canvas %s, guest %s, phases %s, %s"
                .formatted(
                    stageSize(page),
                    canvasSize(page),
                    guestSize(),
                    phases(page),
                    browser.screenshot("failed-follow")));
  }

  @Test
  void theDesktopFollowsAWindowThatKeepsChangingWhileTheScreenMoves() {
    try (Browser browser = desktop()) {
      Page page = browser.page();
      page.evaluate(WATCH_PHASES);
      guest
          .run(
              ON_DESKTOP
                  + "xterm -geometry 40x8+400+260 -e sh -c 'while :; do date; usleep 50000; done'"
                  + " >/dev/null 2>&1 & echo $! >/run/mover")
          .orFail();
      for (int i = 1; i <= 20; i++) {
        page.setViewportSize(800 + i * 137 % 480, 600 + i * 71 % 260);
        page.waitForTimeout(100 + i * 97 % 900);
      }
      awaitFollowed(browser);
      // The last column of tiles shows the nonce: what is new of the desktop is drawn.
      browser.awaitNonce(session.nonce(), LIMIT);
      browser.screenshot("20-followed");
      assertThat(phases(page)).containsOnly("desktop");
      guest.run("kill $(cat /run/mover)");
    }
  }

  @Test
  void aServerThatDoesNotAnswerIsConnectedAgainAndThePictureStays() {
    try (Browser browser = desktop()) {
      Page page = browser.page();
      page.evaluate(WATCH_PHASES);
      page.evaluate(
          """
          () => {
            window.bare = 0;
            const look = () => {
              const stage = document.getElementById('stage');
              const component = stage.querySelector('iron-remote-desktop')?.shadowRoot.querySelector('.screen-wrapper');
              const there = component && !component.classList.contains('hidden');
              if (!there && !stage.querySelector('.backdrop')) window.bare++;
              requestAnimationFrame(look);
            };
            look();
          }
          """);
      String first = page.evaluateHandle(COMPONENT).toString();
      page.evaluate("window.first = " + COMPONENT);
      // What chooses another layout connects again as well.
      layout(page, "00000407");
      Await.until(
          "there is another connection, and it has drawn " + first,
          LIMIT,
          () ->
              Boolean.TRUE.equals(
                  page.evaluate(
                      "window.first !== %s && !document.querySelector('.backdrop')"
                          .formatted(COMPONENT))));
      browser.awaitNonce(session.nonce(), LIMIT);
      assertThat(phases(page)).containsOnly("desktop");
      assertThat(page.evaluate("window.bare")).isEqualTo(0);
    }
  }

  private static void layout(Page page, String number) {
    page.evaluate("window.before = " + COMPONENT);
    choose(page, "Keyboard layout…");
    page.locator("#keyboard").selectOption(number);
    page.locator("#keyboard-yes").click();
    page.waitForFunction(
        "() => window.before !== %1$s && %1$s.shadowRoot.querySelector('.screen-wrapper:not(.hidden)') && !document.querySelector('.backdrop')"
            .formatted(COMPONENT));
  }

  /// The same keys, by their places, in three layouts.
  @ParameterizedTest
  @CsvSource({"us, 00000409, qyza-;@", "de, 00000407, qzyaßö\"", "fr, 0000040c, aywq)m2"})
  void keysMeanWhatTheChosenLayoutPrintsOnThem(String name, String number, String expected) {
    try (Browser browser = desktop()) {
      Page page = browser.page();
      layout(page, number);
      String file = "/run/typed-" + name;
      guest
          .run(
              ON_DESKTOP
                  + "export LANG=C.UTF-8; xterm -u8 -title typing-"
                  + name
                  + " -geometry 60x4+760+400 -e sh -c 'cat >"
                  + file
                  + "' >/dev/null 2>&1 & sleep 1")
          .orFail();
      clickInto(page, "typing-" + name);
      for (String key :
          new String[] {"KeyQ", "KeyY", "KeyZ", "KeyA", "Minus", "Semicolon", "Shift+Digit2"}) {
        page.keyboard().press(key);
      }
      page.keyboard().press("Enter");
      Await.until(
          "the guest has read " + expected,
          LIMIT,
          () -> guest.run("cat " + file).out().strip().equals(expected),
          () ->
              "'%s', %s, see %s"
                  .formatted(
                      guest.run("cat " + file).out(),
                      guest.run(ON_DESKTOP + "setxkbmap -query").out(),
                      browser.screenshot("failed-layout-" + name)));
      page.keyboard().press("Control+KeyC");
    }
  }

  /// Clicks into the window with that title until it has the focus; the window manager may move it
  /// once it is there.
  private static void clickInto(Page page, String title) {
    Await.until(
        title + " has the focus",
        LIMIT,
        () -> {
          String place =
              guest
                  .run(
                      ON_DESKTOP
                          + "xwininfo -name '"
                          + title
                          + "' | awk '/Absolute upper-left X/ {x=$NF} /Absolute upper-left Y/ {y=$NF}"
                          + " /Width:/ {w=$NF} /Height:/ {h=$NF} END {print int(x+w/2), int(y+h/2)}'")
                  .out()
                  .strip();
          if (!place.matches("[1-9][0-9]* [1-9][0-9]*")) {
            return false;
          }
          String[] point = place.split(" ", 2);
          page.locator("#stage canvas")
              .click(
                  new Locator.ClickOptions()
                      .setPosition(Integer.parseInt(point[0]), Integer.parseInt(point[1])));
          page.waitForTimeout(500);
          return hasFocus(title);
        },
        () -> windowManager());
    page.waitForFunction("() => document.activeElement === " + COMPONENT);
  }

  private static boolean hasFocus(String title) {
    return guest
        .run(
            ON_DESKTOP
                + "xprop -id \"$(xprop -root _NET_ACTIVE_WINDOW | awk '{print $NF}')\" WM_NAME")
        .out()
        .contains('"' + title + '"');
  }

  /// Its prompts are no clients, and have its name. A window that goes while the tree is read makes
  /// the reading fail: -1.
  private static int windowsOfTheManager() {
    Command.Outcome counted =
        guest.run(
            ON_DESKTOP
                + "tree=$(xwininfo -root -tree 2>/dev/null) && echo \"$tree\" | grep -c '\"Openbox\"'");
    return counted.status() == 0 ? Integer.parseInt(counted.out().strip()) : -1;
  }

  /// For messages: what the window manager does, and what it has on the screen.
  private static String windowManager() {
    return guest
        .run(
            ON_DESKTOP
                + "p=$(pidof openbox); grep -H . /proc/$p/stat /proc/$p/wchan /proc/$p/syscall /proc/$p/stack; ps; top -b -n1 | head -12; xdpyinfo | grep dimensions; xprop -root;"
                + " xwininfo -root -tree | grep '\"'")
        .out();
  }

  @Test
  void keysThatTheBrowserKeepsGoFromTheMenu() {
    try (Browser browser = desktop()) {
      Page page = browser.page();
      guest
          .run(
              ON_DESKTOP
                  + "xev -name keys -geometry 300x150+800+400 >/run/keys 2>&1 & echo $! >/run/xev; sleep 1")
          .orFail();
      clickInto(page, "keys");
      for (String label :
          new String[] {
            "Press Ctrl-Alt-Del",
            "Press Ctrl-Alt-End",
            "Press Ctrl-Shift-Esc",
            "Press the Windows key"
          }) {
        choose(page, label);
      }
      // state: 4 is Control, 8 Alt (Mod1), 1 Shift.
      Map<String, String> wanted =
          Map.of("Delete", "0xc", "End", "0xc", "Escape", "0x5", "Super_L", "0x0");
      String pressed =
          "grep -A2 '^KeyPress' /run/keys | grep -o 'state 0x[0-9a-f]*\\|keysym 0x[0-9a-f]*, [A-Za-z_]*'"
              + " | tr '\\n' ' '";
      Await.until(
          "all keys have come",
          LIMIT,
          () -> {
            String out = guest.run(pressed).out();
            return wanted.entrySet().stream()
                .allMatch(
                    key ->
                        out.matches(
                            "(?s).*state %s keysym 0x[0-9a-f]+, %s\\b.*"
                                .formatted(key.getValue(), key.getKey())));
          },
          () -> guest.run(pressed).out() + browser.screenshot("failed-keys"));
      // The window manager's own: it has no program for pictures and says so; a window closes.
      int before = windowsOfTheManager();
      choose(page, "Press Print Screen");
      Await.until("Print Screen is heard", LIMIT, () -> windowsOfTheManager() > before);
      choose(page, "Press Alt-F4");
      Await.until("its window is closed", LIMIT, () -> windowsOfTheManager() == before);
      clickInto(page, "keys");
      choose(page, "Press Alt-F4");
      Await.until(
          "the window is closed",
          LIMIT,
          () -> guest.run("kill -0 $(cat /run/xev)").status() != 0,
          () -> "see " + browser.screenshot("failed-alt-f4"));
    }
  }

  @Test
  void theMenuIsUsedByKeysAloneAndFiguresAndAPictureComeOfIt() throws IOException {
    try (Browser browser = desktop()) {
      Page page = browser.page();
      page.locator("#stage canvas").click();
      page.keyboard().press("Control+Alt+Shift");
      while (!"menu".equals(page.evaluate("document.activeElement.id"))) {
        page.keyboard().press("Tab");
      }
      page.keyboard().press("ArrowDown");
      assertThat(page.evaluate("document.activeElement.textContent"))
          .isEqualTo("Press Ctrl-Alt-Del");
      browser.screenshot("21-menu");
      page.keyboard().press("Escape");
      assertThat(page.evaluate("document.activeElement.id")).isEqualTo("menu");
      page.keyboard().press("Enter");
      page.keyboard().press("s");
      page.keyboard().press("s");
      while (!"Show figures".equals(page.evaluate("document.activeElement.textContent"))) {
        page.keyboard().press("ArrowUp");
      }
      page.keyboard().press("Enter");
      guest.run(
          ON_DESKTOP
              + "xterm -geometry 40x8 -e sh -c 'while :; do date; usleep 200000; done'"
              + " >/dev/null 2>&1 & echo $! >/run/mover");
      Await.until(
          "the figures move",
          LIMIT,
          () ->
              page.locator("#figures")
                  .innerText()
                  .matches(
                      "[0-9]+ ms · [1-9][0-9]* pictures/s · [0-9.]+ (B|kB|MB)/s · \\d+ × \\d+"),
          () -> page.locator("#figures").innerText());
      browser.screenshot("22-figures");
      guest.run("kill $(cat /run/mover)");
      assertThat(page.evaluate("document.activeElement.tagName")).isEqualTo("IRON-REMOTE-DESKTOP");

      Download download = page.waitForDownload(() -> choose(page, "Save a picture of the desktop"));
      assertThat(download.suggestedFilename())
          .matches("casement-" + session.id() + "-\\d{4}-\\d\\d-\\d\\d-\\d{6}\\.png");
      Path picture = SCREENSHOTS.resolve("23-saved-picture.png");
      download.saveAs(picture);
      BufferedImage image = ImageIO.read(picture.toFile());
      assertThat(image.getWidth() + "x" + image.getHeight()).isEqualTo(canvasSize(page));
      choose(page, "Show figures");
      assertThat(page.locator("#figures").isVisible()).isFalse();
    }
  }

  @Test
  void aFullScreenIsTheDesktopsAlone() {
    try (Browser browser = desktop()) {
      Page page = browser.page();
      page.evaluate(WATCH_PHASES);
      choose(page, "Full screen");
      page.waitForFunction("() => document.fullscreenElement !== null");
      awaitFollowed(browser);
      assertThat(stageSize(page))
          .isEqualTo(
              String.valueOf(
                  page.evaluate(
                      "(innerWidth - innerWidth % 4) + 'x' + (innerHeight - innerHeight % 2)")));
      assertThat(page.locator("#notice").innerText()).contains("Alt-Tab");
      awaitDrawn(page);
      browser.screenshot("24-full-screen");
      page.locator("#notice-away").click();
      page.mouse().move(300, 1);
      page.waitForTimeout(600);
      browser.screenshot("25-full-screen-bar");
      choose(page, "Full screen");
      page.waitForFunction("() => document.fullscreenElement === null");
      awaitFollowed(browser);
    }
  }

  @Test
  void theEndOfTheWalltimeIsToldOverTheDesktopUntilItIsDismissed() {
    try (Browser browser = desktop()) {
      Page page = browser.page();
      page.evaluate(
          "() => { const now = Date.now; window.ahead = 0; Date.now = () => now() + window.ahead; }");
      page.evaluate(
          "window.ahead = 1000 * (60 * Number(document.getElementById('left').textContent.match(/:(\\d+)/)[1]) - 290)");
      page.locator("#notice-text").waitFor();
      assertThat(page.locator("#notice-text").innerText())
          .matches("The session ends in [45] minutes\\. Save your work\\.");
      browser.screenshot("26-walltime");
      page.locator("#notice-away").click();
      assertThat(page.locator("#notice").isVisible()).isFalse();
      page.waitForTimeout(1000);
      assertThat(page.locator("#notice").isVisible()).isFalse();
      page.evaluate("window.ahead += 180000");
      page.locator("#notice-text").waitFor();
      assertThat(page.locator("#say").innerText()).contains("Save your work");
    }
  }

  @Test
  void theLaterOfTwoTabsHasTheDesktopAndTheEarlierSaysSo() {
    try (Browser browser = desktop()) {
      try (Page later = browser.context().newPage()) {
        later.navigate(session.anotherLink().toString());
        later.locator("html[data-casement=desktop]").waitFor();
        browser.awaitPhase("refused", LIMIT);
        assertThat(browser.text()).contains("opened in another tab").contains("Use it here");
        assertThat(browser.page().locator("#menu").isVisible()).isFalse();
        browser.screenshot("27-taken-over");
        browser.page().locator("#again").click();
        browser.awaitPhase("desktop", LIMIT);
        later.locator("html[data-casement=refused]").waitFor();
      }
    }
  }

  @Test
  void aSmallWindowByDayAndByNight() {
    try (Browser browser = desktop()) {
      Page page = browser.page();
      page.setViewportSize(360, 640);
      for (ColorScheme scheme : new ColorScheme[] {ColorScheme.LIGHT, ColorScheme.DARK}) {
        page.emulateMedia(new Page.EmulateMediaOptions().setColorScheme(scheme));
        page.locator("#menu").click();
        page.waitForTimeout(300);
        browser.screenshot("28-small-" + scheme.name().toLowerCase(java.util.Locale.ROOT));
        Object box =
            page.evaluate(
                "(() => { const { left, right, bottom } = document.getElementById('menu-list').getBoundingClientRect(); return left >= 0 && right <= innerWidth && bottom <= innerHeight && document.documentElement.scrollWidth <= innerWidth; })()");
        assertThat(box).isEqualTo(true);
        page.keyboard().press("Escape");
        choose(page, "Keyboard layout…");
        browser.screenshot("29-layout-" + scheme.name().toLowerCase(java.util.Locale.ROOT));
        page.keyboard().press("Escape");
      }
    }
  }

  @Test
  void aDenseScreenHasADesktopOfItsOwnPixelsOrALargerOne() {
    try (Browser browser = desktop();
        var dense =
            browser
                .context()
                .browser()
                .newContext(
                    new com.microsoft.playwright.Browser.NewContextOptions()
                        .setViewportSize(640, 440)
                        .setDeviceScaleFactor(2))) {
      Page page = dense.newPage();
      page.navigate(session.anotherLink().toString());
      page.locator("html[data-casement=desktop]").waitFor();
      Await.until(
          "twice as many pixels",
          LIMIT,
          () -> canvasSize(page).equals(stageSize(page)) && canvasSize(page).startsWith("1280x"),
          () -> canvasSize(page) + windowManager());
      assertThat(page.evaluate(CANVAS + ".getBoundingClientRect().width")).isEqualTo(640);
      awaitDrawn(page);
      page.screenshot(
          new Page.ScreenshotOptions().setPath(SCREENSHOTS.resolve("30-dense-sharp.png")));
      choose(page, "Sharp: each pixel of this screen");
      Await.until(
          "one pixel for each of the page's",
          LIMIT,
          () -> canvasSize(page).equals("640x480"),
          () -> canvasSize(page) + windowManager());
      awaitDrawn(page);
      page.screenshot(
          new Page.ScreenshotOptions().setPath(SCREENSHOTS.resolve("31-dense-larger.png")));
    }
  }
}
