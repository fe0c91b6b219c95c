package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.microsoft.playwright.Download;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.options.AriaRole;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import javax.imageio.ImageIO;
import org.casement.testkit.Await;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// The page around any RDP desktop: keys, menu, full screen, tabs. Screenshots are kept in
/// target/screenshots.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class DesktopPageTests {
  static final Path SCREENSHOTS = Path.of("target/screenshots");
  private static final Duration DESKTOP_LIMIT = Duration.ofSeconds(90);

  private static final Duration PRESS_AGAIN = Duration.ofSeconds(20);

  /// Openbox needs some two seconds of the guest's processor for each new size of the screen, and
  /// manages no window before it has done with all of them: minutes where processors are shared.
  static final Duration LIMIT = Duration.ofMinutes(3);

  /// For programs that are started on the user's desktop.
  static final String ON_DESKTOP = "export DISPLAY=:10 XAUTHORITY=/home/user/.Xauthority; ";

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
  static final String CANVAS = COMPONENT + "?.shadowRoot?.querySelector('canvas')";

  private final String pictures;

  private TestUser user;
  Session session;
  GuestShell guest;

  /// @param pictures what the screenshots' names begin with
  DesktopPageTests(String pictures) {
    this.pictures = pictures;
  }

  abstract Settings settings();

  /// Waits until the desktop has the stage, as well as it can.
  abstract void awaitFills(Browser browser);

  @BeforeAll
  void startSession() throws IOException {
    Files.createDirectories(SCREENSHOTS);
    user = TestUser.create();
    session = Session.start(user, settings().withTestPort().with("session", "walltime", "30m"));
    session.awaitReady();
    guest = session.guestShell();
  }

  @AfterAll
  void endSession() {
    guest.close();
    session.close();
    user.close();
  }

  Browser desktop() {
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

  static void choose(Page page, String label) {
    page.locator("#menu").click();
    page.getByRole(AriaRole.MENU)
        .getByText(label, new Locator.GetByTextOptions().setExact(true))
        .click();
  }

  static String canvasSize(Page page) {
    return String.valueOf(page.evaluate(CANVAS + "?.width + 'x' + " + CANVAS + "?.height"));
  }

  /// What the stage wants, in the steps of RDP.
  static String stageSize(Page page) {
    return String.valueOf(
        page.evaluate(
            "(() => { const [w, h] = [%1$s.clientWidth, %1$s.clientHeight].map(s => Math.round(s * devicePixelRatio)); return (w - w %% 4) + 'x' + (h - h %% 2); })()"
                .formatted(STAGE)));
  }

  /// A canvas that has just got its size is empty: waits until something is on it, right at the
  /// top, and nothing over it.
  static void awaitDrawn(Page page) {
    page.waitForFunction(
        "() => { const canvas = %s; if (!canvas) return false; const { data } = canvas.getContext('2d').getImageData(canvas.width - 50, 20, 40, 40); return data.some((value, i) => i %% 4 === 3 && value > 0) && !document.querySelector('.backdrop'); }"
            .formatted(CANVAS),
        null,
        new Page.WaitForFunctionOptions().setTimeout((double) LIMIT.toMillis()));
  }

  static List<String> phases(Page page) {
    return List.of(String.valueOf(page.evaluate("window.phases.join()")).split(",", -1));
  }

  @Test
  void thePictureStaysWhileThePageConnectsAgain() {
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

  static void layout(Page page, String number) {
    page.evaluate("window.before = " + COMPONENT);
    choose(page, "Keyboard layout…");
    page.locator("#keyboard").selectOption(number);
    page.locator("#keyboard-yes").click();
    page.waitForFunction(
        "() => window.before !== %1$s && %1$s.shadowRoot.querySelector('.screen-wrapper:not(.hidden)') && !document.querySelector('.backdrop')"
            .formatted(COMPONENT));
  }

  /// Clicks into the window with that title until it has the focus; the window manager may move it
  /// once it is there.
  void clickInto(Page page, String title) {
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

  private boolean hasFocus(String title) {
    return guest
        .run(
            ON_DESKTOP
                + "xprop -id \"$(xprop -root _NET_ACTIVE_WINDOW | awk '{print $NF}')\" WM_NAME")
        .out()
        .contains('"' + title + '"');
  }

  /// Whose window has the keys: `manager` for one of the window manager's own, `other`, or `none`.
  private String hasTheKeys() {
    return guest
        .run(
            ON_DESKTOP
                + "w=$(xprop -root _NET_ACTIVE_WINDOW | sed -n 's/.*# \\(0x[1-9a-f][0-9a-f]*\\)$/\\1/p');"
                + " tree=$(xwininfo -root -tree) && case $tree in *\" $w \\\"Openbox\\\"\"*) echo manager;; *\" $w \"*) echo other;; *) echo none;; esac")
        .out()
        .strip();
  }

  /// The window manager has been seen to miss a key beside other guests, as a busy one may. Its
  /// user presses again.
  private void pressUntil(Page page, String label, Predicate<String> keysAreWith) {
    AtomicLong again = new AtomicLong(System.nanoTime());
    Await.until(
        label + " is heard",
        LIMIT,
        () -> {
          if (keysAreWith.test(hasTheKeys())) {
            return true;
          }
          if (System.nanoTime() - again.get() >= 0) {
            again.set(System.nanoTime() + PRESS_AGAIN.toNanos());
            choose(page, label);
          }
          return false;
        },
        this::windowManager);
  }

  /// For messages: what the window manager does, and what it has on the screen.
  String windowManager() {
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
      // The window manager's own: it has no program for pictures and says so in a window, which
      // Alt-F4 closes once it has the keys.
      pressUntil(page, "Press Print Screen", "manager"::equals);
      pressUntil(page, "Press Alt-F4", List.of("other", "none")::contains);
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
      browser.screenshot(pictures + "21-menu");
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
      browser.screenshot(pictures + "22-figures");
      guest.run("kill $(cat /run/mover)");
      assertThat(page.evaluate("document.activeElement.tagName")).isEqualTo("IRON-REMOTE-DESKTOP");

      Download download = page.waitForDownload(() -> choose(page, "Save a picture of the desktop"));
      assertThat(download.suggestedFilename())
          .matches("casement-" + session.id() + "-\\d{4}-\\d\\d-\\d\\d-\\d{6}\\.png");
      Path picture = SCREENSHOTS.resolve(pictures + "23-saved-picture.png");
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
      awaitFills(browser);
      assertThat(stageSize(page))
          .isEqualTo(
              String.valueOf(
                  page.evaluate(
                      "(innerWidth - innerWidth % 4) + 'x' + (innerHeight - innerHeight % 2)")));
      assertThat(page.locator("#notice").innerText()).contains("Alt-Tab");
      awaitDrawn(page);
      browser.screenshot(pictures + "24-full-screen");
      page.locator("#notice-away").click();
      page.mouse().move(300, 1);
      page.waitForTimeout(600);
      browser.screenshot(pictures + "25-full-screen-bar");
      choose(page, "Full screen");
      page.waitForFunction("() => document.fullscreenElement === null");
      awaitFills(browser);
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
        browser.screenshot(pictures + "27-taken-over");
        browser.page().locator("#again").click();
        browser.awaitPhase("desktop", LIMIT);
        later.locator("html[data-casement=refused]").waitFor();
      }
    }
  }
}
