package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.microsoft.playwright.CDPSession;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.options.ColorScheme;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.casement.testkit.Await;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The page around the desktop of xrdp, which follows the window.
final class DesktopPageTest extends DesktopPageTests {
  /// ARIA's roles of what is used.
  private static final Set<String> CONTROLS =
      Set.of(
          "button",
          "link",
          "menuitem",
          "menuitemcheckbox",
          "textbox",
          "combobox",
          "checkbox",
          "radio",
          "slider",
          "spinbutton",
          "progressbar",
          "dialog",
          "image");

  DesktopPageTest() {
    super("");
  }

  @Override
  Settings settings() {
    return Settings.standard();
  }

  /// The desktop's size as its X server has it, `1280x800`.
  private String guestSize() {
    return guest.run(ON_DESKTOP + "xdpyinfo | awk '/dimensions:/ {print $2; exit}'").out().strip();
  }

  @Override
  void awaitFills(Browser browser) {
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
      awaitFills(browser);
      // The last column of tiles shows the nonce: what is new of the desktop is drawn.
      browser.awaitNonce(session.nonce(), LIMIT);
      browser.screenshot("20-followed");
      assertThat(phases(page)).containsOnly("desktop");
      guest.run("kill $(cat /run/mover)");
    }
  }

  /// The guest's X server stands still for longer than the page waits for an answer.
  @Test
  void aSizeThatIsLeftUnansweredIsTakenByConnectingAgain() {
    try (Browser browser = desktop()) {
      Page page = browser.page();
      awaitFills(browser);
      page.evaluate(WATCH_PHASES);
      AtomicInteger connections = new AtomicInteger();
      page.onWebSocket(
          opened -> {
            if (opened.url().endsWith("/ws/rdp")) {
              connections.incrementAndGet();
            }
          });
      guest
          .run("p=$(pidof Xorg); kill -STOP $p; { sleep 6; kill -CONT $p; } >/dev/null 2>&1 &")
          .orFail();
      page.setViewportSize(1000, 700);
      awaitFills(browser);
      awaitDrawn(page);
      browser.awaitNonce(session.nonce(), LIMIT);
      browser.screenshot("20-unanswered");
      assertThat(connections).hasPositiveValue();
      assertThat(phases(page)).containsOnly("desktop");
      // Twin: the next one finds a server that answers, or is taken in the same way.
      page.setViewportSize(1100, 760);
      awaitFills(browser);
    }
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

  /// By the accessible names that Chromium computes, dialogs and menu included; a control without
  /// one is found.
  @Test
  void everyControlHasANameThatAScreenReaderSays() {
    try (Browser browser = desktop()) {
      Page page = browser.page();
      // All but the one that gets its words when it is opened, in the console.
      page.evaluate(
          "() => document.querySelectorAll('dialog:not(#power-dialog)').forEach(dialog => dialog.show())");
      page.locator("#menu").click();
      page.evaluate(
          "() => { const bare = document.createElement('button'); bare.id = 'bare'; document.body.append(bare); }");
      Map<String, String> names = controls(browser);
      assertThat(names).hasSizeGreaterThan(20).containsEntry("button#bare", "");
      names.remove("button#bare");
      assertThat(names).doesNotContainValue("");
    }
  }

  /// Of everything on the page that is used: `button#menu` → its name.
  private static Map<String, String> controls(Browser browser) {
    Page page = browser.page();
    CDPSession inspector = browser.context().newCDPSession(page);
    inspector.send("DOM.enable");
    inspector.send("Accessibility.enable");
    Map<String, String> names = new TreeMap<>();
    JsonArray nodes = inspector.send("Accessibility.getFullAXTree").getAsJsonArray("nodes");
    for (JsonElement element : nodes) {
      JsonObject node = element.getAsJsonObject();
      if (node.get("ignored").getAsBoolean()
          || !CONTROLS.contains(node.getAsJsonObject("role").get("value").getAsString())) {
        continue;
      }
      JsonObject about = new JsonObject();
      about.add("backendNodeId", node.get("backendDOMNodeId"));
      JsonObject dom = inspector.send("DOM.describeNode", about).getAsJsonObject("node");
      JsonArray attributes = dom.getAsJsonArray("attributes");
      String id = node.get("nodeId").getAsString();
      for (int i = 0; i + 1 < attributes.size(); i += 2) {
        if (attributes.get(i).getAsString().equals("id")) {
          id = attributes.get(i + 1).getAsString();
        }
      }
      names.put(
          dom.get("localName").getAsString() + "#" + id,
          node.getAsJsonObject("name").get("value").getAsString().strip());
    }
    inspector.detach();
    return names;
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
      dense.setDefaultTimeout(Browser.TIMEOUT_MS);
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
