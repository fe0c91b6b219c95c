package org.casement.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import org.casement.testkit.Await;
import org.junit.jupiter.api.Test;

/// The page around the desktop of FreeRDP's shadow server, which keeps its size.
final class ShadowPageTest extends DesktopPageTests {
  ShadowPageTest() {
    super("shadow-");
  }

  @Override
  Settings settings() {
    return Settings.standard().withShadow();
  }

  @Override
  void awaitFills(Browser browser) {
    Await.until(
        "the desktop is scaled to the window",
        LIMIT,
        () -> Boolean.TRUE.equals(browser.page().evaluate(BrowserTest.FILLS)),
        () -> canvasSize(browser.page()) + browser.screenshot("failed-fills"));
  }

  /// In Debian its server has no clipboard channel.
  @Test
  void aDesktopWithoutAClipboardSaysSo() {
    try (Browser browser = desktop()) {
      choose(browser.page(), "Clipboard…");
      assertThat(browser.page().locator("#clipboard-to").innerText())
          .isEqualTo("This desktop has no clipboard.");
      assertThat(browser.page().locator("#clipboard-from").innerText()).isEmpty();
      assertThat(browser.page().locator("#clipboard-send").isVisible()).isFalse();
      browser.screenshot("shadow-26-no-clipboard");
    }
  }
}
