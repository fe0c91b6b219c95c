package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.options.AriaRole;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.casement.testkit.Await;
import org.casement.testkit.TestUser;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// A tone that is played in the guest is heard in the browser, where the user wants it. Debian's
/// guest has no sound server for xrdp, so the tone goes to the socket that such a server would
/// write to: blocks of PCM, each after two numbers of 32 bits, 0 and the length with these eight
/// bytes.
final class HeardDesktopTest {
  private static final Path SCREENSHOTS = Path.of("target/screenshots");
  private static final Duration DESKTOP_LIMIT = Duration.ofSeconds(90);
  private static final Duration LIMIT = Duration.ofSeconds(30);

  private static final int RATE_HERTZ = 44_100;
  private static final int TONE_HERTZ = 440;

  /// Whole periods of the tone, so that blocks join without a click.
  private static final int BLOCK_FRAMES = RATE_HERTZ / 10;

  private static final int LOUD = 12_000;

  /// Puts an analyser beside the loudspeaker and keeps what is heard: the loudest frequency, 20
  /// times a second, while there is sound.
  private static final String EARS =
      """
      (() => {
        window.heard = [];
        const connect = AudioNode.prototype.connect;
        AudioNode.prototype.connect = function (target, ...rest) {
          if (target instanceof AudioDestinationNode) {
            const ear = new AnalyserNode(target.context, { fftSize: 16384, smoothingTimeConstant: 0 });
            const levels = new Float32Array(ear.frequencyBinCount);
            connect.call(this, ear);
            setInterval(() => {
              if (target.context.state !== 'running') return;
              ear.getFloatFrequencyData(levels);
              const at = levels.indexOf(Math.max(...levels));
              if (levels[at] > -50) window.heard.push(at * target.context.sampleRate / ear.fftSize);
            }, 50);
          }
          return connect.call(this, target, ...rest);
        };
      })()
      """;

  /// Plays the block so many times, a little faster than it sounds.
  private static final String PLAY =
      """
      cat >/tmp/play <<'END'
      socket=$(ls -t /run/xrdp/sockdir/xrdp_chansrv_audio_out_socket_* 2>/dev/null | head -1)
      i=0
      while [ $i -lt $1 ]; do cat /tmp/tone; usleep 80000; i=$((i + 1)); done | socat -u - UNIX-CONNECT:$socket
      END
      """;

  @BeforeAll
  static void screenshots() throws IOException {
    Files.createDirectories(SCREENSHOTS);
  }

  @Test
  void aToneInTheGuestIsHeardWhereTheUserWantsIt() throws IOException {
    Settings settings = Settings.standard().withTestPort().with("sound", "enabled", true);
    try (TestUser user = TestUser.create();
        Session session = Session.start(user, settings);
        Browser browser = Browser.open(SCREENSHOTS)) {
      List<String> sockets = new CopyOnWriteArrayList<>();
      browser.page().onWebSocket(socket -> sockets.add(socket.url()));
      browser.page().addInitScript(EARS);
      browser.go(session.link());
      browser.awaitPhase("desktop", Session.READY_LIMIT);
      browser.awaitNonce(session.nonce(), DESKTOP_LIMIT);
      Path share = user.home().resolve("casement");
      try (GuestShell guest = session.guestShell()) {
        guest.awaitShare("home");
        Files.write(share.resolve("tone"), block());
        guest.run("cp /home/user/home/tone /tmp/tone\n" + PLAY).orFail();

        // Nobody has asked for it.
        guest.run("sh /tmp/play 10").orFail();
        assertThat(sockets).noneMatch(url -> url.endsWith("/ws/sound"));
        assertThat(session.log()).contains("desktop-sound");

        item(browser).waitFor();
        assertThat(item(browser).getAttribute("aria-checked")).isEqualTo("false");
        browser.screenshot("11-sound-menu");
        item(browser).click();
        Await.until(
            "the page listens",
            LIMIT,
            () -> {
              browser
                  .page()
                  .waitForTimeout(100); // Playwright tells of sockets only inside its calls
              return sockets.stream().anyMatch(url -> url.endsWith("/ws/sound"));
            });

        // Heard for most of its eight seconds; and the desktop is usable meanwhile.
        guest.run("sh /tmp/play 80 >/tmp/played 2>&1 &").orFail();
        Await.until(
            "the tone is heard",
            LIMIT,
            () -> ((Number) browser.page().evaluate("() => window.heard.length")).intValue() > 0,
            () -> guest.run("cat /tmp/played; ls -l /run/xrdp/sockdir").out());
        Await.until(
            "the typed text is in a file on the share",
            DESKTOP_LIMIT,
            () ->
                BrowserTest.typed(
                    browser,
                    "echo typed >typed.txt",
                    () -> Files.exists(share.resolve("typed.txt"))));
        Await.until(
            "the tone is over", LIMIT, () -> guest.run("[ -z \"$(pidof socat)\" ]").status() == 0);
        List<Double> heard = heard(browser);
        assertThat(heard).hasSizeGreaterThan(100);
        assertThat(heard.stream().filter(hertz -> Math.abs(hertz - TONE_HERTZ) < 6).count())
            .isGreaterThan(heard.size() * 9L / 10);

        // Off again: the page no longer takes it.
        item(browser).click();
        browser.page().waitForTimeout(500);
        browser.page().evaluate("() => { window.heard.length = 0; }");
        guest.run("sh /tmp/play 20").orFail();
        assertThat(heard(browser)).isEmpty();
        browser.awaitNonce(session.nonce(), DESKTOP_LIMIT);
        assertThat(session.log()).doesNotContain("desktop-sound-broken");
      }
    }
  }

  /// The menu's item, with the menu open.
  private static Locator item(Browser browser) {
    Locator item =
        browser
            .page()
            .getByRole(AriaRole.MENUITEMCHECKBOX, new Page.GetByRoleOptions().setName("Sound"));
    if (!item.isVisible()) {
      browser.page().locator("#menu").click();
    }
    return item;
  }

  private static List<Double> heard(Browser browser) {
    return browser.page().evaluate("() => window.heard") instanceof List<?> list
        ? list.stream().map(hertz -> ((Number) hertz).doubleValue()).toList()
        : List.of();
  }

  private static byte[] block() {
    ByteBuffer block = ByteBuffer.allocate(8 + 4 * BLOCK_FRAMES).order(ByteOrder.LITTLE_ENDIAN);
    block.putInt(0).putInt(block.capacity());
    for (int i = 0; i < BLOCK_FRAMES; i++) {
      short sample = (short) (LOUD * Math.sin(2 * Math.PI * TONE_HERTZ * i / RATE_HERTZ));
      block.putShort(sample).putShort(sample);
    }
    return block.array();
  }
}
