package org.casement.systemtests;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.casement.testkit.Await;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Text between the browser's clipboard and the demo guest's (xrdp with its chansrv). The hostile
/// guest is `ClipboardFilterTest`'s.
final class ClipboardTest {
  private static final Path SCREENSHOTS = Path.of("target/screenshots");
  private static final Duration DESKTOP_LIMIT = Duration.ofSeconds(90);
  private static final Duration LIMIT = Duration.ofSeconds(30);

  /// For so long a browser takes a page for being worked with (Chromium: 5 s).
  private static final int UNTOUCHED_MS = 6000;

  /// What would reach the guest by itself would do so within this time.
  private static final Duration QUIET = Duration.ofSeconds(3);

  /// For programs that are started on the user's desktop. LANG: xclip takes bytes as they are.
  private static final String ON_DESKTOP =
      "export DISPLAY=:10 XAUTHORITY=/home/user/.Xauthority LANG=C.UTF-8; ";

  /// No emoji: xrdp 0.9.21 keeps 16 bits of each character, so that 😀 (U+1F600) comes as U+F600.
  /// What we do with emoji is shown without it (`ClipboardFilterTest`, clipboard.test.mjs).
  private static final String SHORT = "Grüße aus Köln: ß, €, 日本語\nzweite Zeile\n";

  private static final String LINE = "Zeile mit Umlauten: äöüß ÄÖÜ €\n";

  /// Of a longer message xrdp 0.9.21 hands on the low byte of each UTF-16 unit, the NUL included
  /// (its clipboard.c, ss_part).
  private static final int XRDP_WHOLE_BYTES = 32 * 1024;

  /// xrdp takes it in pieces of 1,600 bytes, in software.
  private static final Duration LARGE_LIMIT = Duration.ofMinutes(2);

  /// A megabyte as RDP carries it, in UTF-16. With twice that, the guest's own xclip hands out
  /// nothing any more, to nobody, once xrdp has asked it.
  private static final int LINES = 1_000_000 / (2 * LINE.length()) + 1;

  /// Keeps the page's sockets for a page that goes its own way.
  private static final String KEEP_SOCKETS =
      """
      window.sockets = [];
      window.WebSocket = new Proxy(window.WebSocket, {
        construct(target, args) { const socket = new target(...args); window.sockets.push(socket); return socket; },
      });
      """;

  /// Sends a Format List with text, and text that nobody asked for, on each channel that the
  /// clipboard can have.
  private static final String FORGE =
      """
      () => {
        const socket = window.sockets.filter(({ url }) => url.endsWith('/ws/rdp')).at(-1);
        const le32 = (n) => [n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24];
        const pdu = (channel, message) => {
          const body = [...le32(message.length), 3, 0, 0, 0, ...message];
          const length = 15 + body.length;
          return new Uint8Array([3, 0, length >> 8, length & 255, 2, 0xf0, 0x80, 0x64, 0, 6, channel >> 8, channel & 255, 0x70, 0x80 | (body.length >> 8), body.length & 255, ...body]);
        };
        const list = [2, 0, 0, 0, ...le32(6), 13, 0, 0, 0, 0, 0];
        const text = [5, 0, 1, 0, ...le32(4), 65, 0, 0, 0];
        for (let channel = 1004; channel < 1008; channel++) for (const message of [list, text]) socket.send(pdu(channel, message));
      }
      """;

  private static TestUser user;

  @BeforeAll
  static void makeUser() throws IOException {
    Files.createDirectories(SCREENSHOTS);
    user = TestUser.create();
  }

  @AfterAll
  static void removeUser() {
    user.close();
  }

  /// The guest's clipboard holds what is in `file` there.
  private static void copyInGuest(GuestShell guest, String file) {
    guest.run(ON_DESKTOP + "xclip -selection clipboard -i " + file + " >/dev/null 2>&1").orFail();
  }

  private static void copyTextInGuest(GuestShell guest, String text) {
    String encoded = Base64.getEncoder().encodeToString(text.getBytes(UTF_8));
    guest.run("echo " + encoded + " | base64 -d >/run/copied").orFail();
    copyInGuest(guest, "/run/copied");
  }

  /// What a program in the guest would paste; xrdp leaves RDP's line ends as they come.
  private static String pastedInGuest(GuestShell guest) {
    return new String(bytesInGuest(guest), UTF_8).replace("\r\n", "\n");
  }

  private static byte[] bytesInGuest(GuestShell guest) {
    String out =
        guest
            .run(ON_DESKTOP + "timeout 8 xclip -selection clipboard -o 2>/dev/null | base64 -w0")
            .out()
            .strip();
    return Base64.getDecoder().decode(out);
  }

  /// This computer's clipboard, as another program reads and fills it.
  private static String local(Browser browser) {
    return String.valueOf(browser.page().evaluate("() => navigator.clipboard.readText()"));
  }

  private static void setLocal(Browser browser, String text) {
    browser.page().evaluate("text => navigator.clipboard.writeText(text)", text);
  }

  private static void focusDesktop(Page page) {
    page.locator("#stage canvas").click(new Locator.ClickOptions().setPosition(200, 100));
  }

  private static Browser desktop(Session session) {
    Browser browser = Browser.open(SCREENSHOTS);
    browser.page().addInitScript(KEEP_SOCKETS);
    browser.go(session.anotherLink());
    browser.awaitNonce(session.nonce(), DESKTOP_LIMIT);
    return browser;
  }

  private static void ready(Session session, GuestShell guest) {
    session.awaitReady();
    guest.run("true").orFail();
  }

  @Test
  void textGoesBothWaysAndIntoTheDesktopOnlyByAPaste() {
    try (Session session = Session.start(user, Settings.standard().withTestPort());
        GuestShell guest = session.guestShell()) {
      ready(session, guest);
      try (Browser browser = desktop(session)) {
        browser.context().grantPermissions(List.of("clipboard-read", "clipboard-write"));
        outOfTheDesktop(browser, guest);
        intoTheDesktop(browser, guest);
        byTheDialog(browser, guest);
      }
    }
  }

  /// Nobody has touched the page for a while: the browser wants a click. Playwright's looking at a
  /// page counts as a touch (its `userGesture`).
  private static void offersWhatTheGuestCopies(Browser browser, GuestShell guest) {
    Page page = browser.page();
    Await.until(
        "the page offers what the guest has copied",
        LIMIT.multipliedBy(3),
        () -> {
          page.waitForTimeout(UNTOUCHED_MS);
          copyTextInGuest(guest, SHORT);
          page.waitForTimeout(2000);
          return page.locator("#copy").isVisible();
        },
        () -> browser.text() + browser.screenshot("failed-clipboard"));
  }

  private static void outOfTheDesktop(Browser browser, GuestShell guest) {
    Page page = browser.page();
    offersWhatTheGuestCopies(browser, guest);
    browser.screenshot("clipboard-1-copy");
    page.locator("#copy").click();
    Await.until("it is here", LIMIT, () -> local(browser).equals(SHORT), () -> local(browser));
    assertThat(page.locator("#copy").isVisible()).isFalse();

    // While the user works in the desktop it comes by itself, a megabyte too.
    guest.run("yes '" + LINE.strip() + "' | head -n " + LINES + " >/run/large").orFail();
    focusDesktop(page);
    copyInGuest(guest, "/run/large");
    String large = LINE.repeat(LINES);
    Await.until(
        "a megabyte is here",
        LARGE_LIMIT,
        () -> {
          if (page.locator("#copy").isVisible()) {
            page.locator("#copy").click(); // the guest took longer than the browser trusts a click
          }
          return local(browser).equals(large);
        },
        () ->
            "%d characters of %d; in the guest %d\n%s"
                .formatted(
                    local(browser).length(),
                    large.length(),
                    pastedInGuest(guest).length(),
                    browser.text()));
  }

  private static void intoTheDesktop(Browser browser, GuestShell guest) {
    Page page = browser.page();
    copyTextInGuest(guest, "the guest's own");
    page.waitForTimeout(1000);
    setLocal(browser, SHORT);
    focusDesktop(page);
    page.keyboard().press("Control+KeyC");
    page.keyboard().type("x");
    long end = System.nanoTime() + QUIET.toNanos();
    while (System.nanoTime() < end) {
      assertThat(pastedInGuest(guest)).isEqualTo("the guest's own");
    }
    page.keyboard().press("Backspace");

    // Twin: the paste.
    page.keyboard().press("Shift+Insert");
    Await.until(
        "the guest has the text",
        LIMIT,
        () -> pastedInGuest(guest).equals(SHORT),
        () -> pastedInGuest(guest) + browser.screenshot("failed-paste"));
    browser.screenshot("clipboard-2-pasted");

    // And the key that follows it makes the terminal insert it.
    pastedUntilThere(browser, guest, "inserted.txt", () -> {});
    // A desktop that takes its time: xrdp's clipboard stands still for a second, and a key that
    // came before it has the text would insert what a program of the guest has copied.
    pastedUntilThere(
        browser,
        guest,
        "late.txt",
        () -> {
          copyTextInGuest(guest, "stale ");
          page.waitForTimeout(1000);
          guest
              .run(
                  "p=$(pidof xrdp-chansrv); kill -STOP $p;"
                      + " { sleep 1; kill -CONT $p; } >/dev/null 2>&1 &")
              .orFail();
        });

    String chunks = LINE.repeat(XRDP_WHOLE_BYTES / (2 * (LINE.length() + 1)) - 1);
    setLocal(browser, chunks);
    page.keyboard().press("Control+KeyV");
    Await.until(
        "what xrdp takes whole is in the guest",
        LIMIT,
        () -> pastedInGuest(guest).equals(chunks),
        () -> pastedInGuest(guest).length() + " characters of " + chunks.length());

    String large = LINE.repeat(LINES);
    byte[] expected = lowBytes(large.replace("\n", "\r\n") + "\0");
    setLocal(browser, large);
    page.keyboard().press("Control+KeyV");
    Await.until(
        "a megabyte is in the guest",
        LARGE_LIMIT,
        () -> Arrays.equals(bytesInGuest(guest), expected),
        () -> bytesInGuest(guest).length + " characters of " + expected.length);
  }

  /// Pastes a command line that makes `file`. A busy guest's terminal has been seen to miss a key;
  /// its user presses again.
  private static void pastedUntilThere(
      Browser browser, GuestShell guest, String file, Runnable before) {
    Path made = user.home().resolve("casement").resolve(file);
    AtomicLong again = new AtomicLong(System.nanoTime());
    Await.until(
        "the terminal has made " + file,
        LIMIT.multipliedBy(3),
        () -> {
          if (!Files.exists(made) && System.nanoTime() - again.get() >= 0) {
            again.set(System.nanoTime() + LIMIT.toNanos());
            before.run();
            setLocal(browser, "echo inserted >" + file + "\n");
            browser.page().keyboard().press("Shift+Insert");
          }
          return Files.exists(made);
        },
        () -> pastedInGuest(guest) + browser.screenshot("failed-insert"));
  }

  private static byte[] lowBytes(String text) {
    byte[] bytes = new byte[text.length()];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) text.charAt(i);
    }
    return bytes;
  }

  private static void byTheDialog(Browser browser, GuestShell guest) {
    Page page = browser.page();
    dialog(page).locator("#clipboard-text").fill("typed – 日本");
    browser.screenshot("clipboard-3-dialog");
    page.locator("#clipboard-send").click();
    Await.until(
        "the guest has it",
        LIMIT,
        () -> pastedInGuest(guest).equals("typed – 日本"),
        () -> pastedInGuest(guest));
  }

  private interface Visit {
    void with(Session session, GuestShell guest, Browser browser);
  }

  /// A session whose configuration forbids one direction, and a browser that forbids nothing.
  private static void withSwitchedOff(String direction, Visit visit) {
    Settings settings = Settings.standard().withTestPort().with("clipboard", direction, false);
    try (Session session = Session.start(user, settings);
        GuestShell guest = session.guestShell()) {
      ready(session, guest);
      try (Browser browser = desktop(session)) {
        browser.context().grantPermissions(List.of("clipboard-read", "clipboard-write"));
        visit.with(session, guest, browser);
      }
    }
  }

  private static Locator dialog(Page page) {
    page.locator("#menu").click();
    page.getByText("Clipboard…").click();
    return page.locator("#clipboard-dialog");
  }

  @Test
  void whatIsSwitchedOffStaysOffForAPageThatGoesItsOwnWay() {
    withSwitchedOff(
        "to_desktop",
        (session, guest, browser) -> {
          Page page = browser.page();
          // Twin: the other direction is on, so the channel works.
          offersWhatTheGuestCopies(browser, guest);
          assertThat(dialog(page).innerText()).contains("Copying into the desktop is switched off");
          assertThat(page.locator("#clipboard-send").isVisible()).isFalse();
          browser.screenshot("clipboard-4-off");
          page.locator("#clipboard-close").click();

          setLocal(browser, "not for the guest");
          focusDesktop(page);
          page.keyboard().press("Control+KeyV");
          page.evaluate(FORGE);
          long end = System.nanoTime() + QUIET.toNanos();
          while (System.nanoTime() < end) {
            assertThat(pastedInGuest(guest)).isEqualTo(SHORT);
          }
          assertThat(browser.phase()).isEqualTo("desktop");
          assertThat(session.log()).contains("clipboard-refused");
        });
  }

  @Test
  void whatTheGuestCopiesStaysThereWhereThatIsSwitchedOff() {
    withSwitchedOff(
        "from_desktop",
        (session, guest, browser) -> {
          Page page = browser.page();
          // Twin: the other direction is on, so the channel works.
          setLocal(browser, "for the guest");
          Await.until(
              "the guest has what was pasted",
              LIMIT,
              () -> {
                focusDesktop(page);
                page.keyboard().press("Control+KeyV");
                page.waitForTimeout(1000);
                return pastedInGuest(guest).equals("for the guest");
              });
          copyTextInGuest(guest, SHORT);
          focusDesktop(page);
          long end = System.nanoTime() + QUIET.toNanos();
          while (System.nanoTime() < end) {
            assertThat(local(browser)).isEqualTo("for the guest");
            assertThat(page.locator("#copy").isVisible()).isFalse();
          }
          assertThat(dialog(page).innerText())
              .contains("Copying out of the desktop is switched off");
        });
  }
}
