package org.casement.systemtests;

import com.microsoft.playwright.BrowserContext;
import com.microsoft.playwright.BrowserType;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.Playwright;
import com.microsoft.playwright.TimeoutError;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import org.casement.testkit.Await;

/// Chromium without a window, with one profile, as a user's browser. Not thread-safe.
public final class Browser implements AutoCloseable {
  private static final double LOOK_MS = 100;

  /// For what a page waits for, where a test says nothing.
  static final double TIMEOUT_MS = 60_000;

  private static final Path CHROMIUM = Path.of("/usr/bin/chromium");

  /// --no-sandbox because the tests are root; the rest keeps it from talking to anybody.
  private static final List<String> ARGUMENTS =
      List.of(
          "--no-sandbox",
          "--disable-gpu",
          "--disable-quic",
          "--no-first-run",
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-sync");

  /// Reads the background of the largest canvas of the page, shadow roots included: every tile of
  /// 128 × 128 pixels whose 8 × 8 cells are each plain black or white, as 16 hexadecimal digits. Of
  /// all tiles, or of the last column, where no window of the demo guest is: a tenth of the work.
  static final String NONCES =
      """
      (lastColumn) => {
        const canvases = [];
        const look = (root) => {
          for (const element of root.querySelectorAll('*')) {
            if (element.tagName === 'CANVAS') canvases.push(element);
            if (element.shadowRoot) look(element.shadowRoot);
          }
        };
        look(document);
        const canvas = canvases.sort((a, b) => b.width * b.height - a.width * a.height)[0];
        if (!canvas || canvas.width < 128) return [];
        const tiles = Math.floor(canvas.width / 128);
        const [first, width] = lastColumn ? [(tiles - 1) * 128, 128] : [0, tiles * 128];
        const copy = new OffscreenCanvas(width, canvas.height).getContext('2d', { willReadFrequently: true });
        copy.drawImage(canvas, -first, 0);
        const { data, height } = copy.getImageData(0, 0, width, canvas.height);
        const found = new Set();
        for (let top = 0; top + 128 <= height; top += 128) {
          tile: for (let left = 0; left + 128 <= width; left += 128) {
            let text = '';
            for (let row = 0; row < 8; row++) {
              let byte = 0;
              for (let column = 0; column < 8; column++) {
                let light = 0;
                for (const [dx, dy] of [[3, 3], [8, 8], [12, 12], [3, 12]]) {
                  const at = ((top + row * 16 + dy) * width + left + column * 16 + dx) * 4;
                  const grey = (data[at] + data[at + 1] + data[at + 2]) / 3;
                  if (grey > 40 && grey < 215) continue tile;
                  light += grey > 127 ? 1 : 0;
                }
                if (light !== 0 && light !== 4) continue tile;
                byte = byte * 2 + (light ? 1 : 0);
              }
              text += byte.toString(16).padStart(2, '0');
            }
            found.add(text);
          }
        }
        return [...found];
      }
      """;

  private final Playwright playwright;
  private final BrowserContext context;
  private final Page page;
  private final Path screenshots;
  private final List<String> console = new CopyOnWriteArrayList<>();

  private Browser(Playwright playwright, BrowserContext context, Path screenshots) {
    this.playwright = playwright;
    this.context = context;
    context.setDefaultTimeout(TIMEOUT_MS);
    this.page = context.newPage();
    this.screenshots = screenshots;
    page.onConsoleMessage(message -> console.add(message.type() + ": " + message.text()));
    page.onPageError(error -> console.add("error: " + error));
  }

  /// A browser that nobody has used yet.
  ///
  /// @param screenshots where [#screenshot] writes
  public static Browser open(Path screenshots) {
    return open(new BrowserType.LaunchOptions().setArgs(ARGUMENTS).setHeadless(true), screenshots);
  }

  /// The same in a window that fills the X server `display`.
  public static Browser openOn(String display, Path screenshots) {
    List<String> arguments = new ArrayList<>(ARGUMENTS);
    arguments.addAll(List.of("--kiosk", "--window-position=0,0", "--window-size=1280,800"));
    Map<String, String> environment = new HashMap<>(System.getenv());
    environment.put("DISPLAY", display);
    return open(
        new BrowserType.LaunchOptions().setArgs(arguments).setEnv(environment).setHeadless(false),
        screenshots);
  }

  private static Browser open(BrowserType.LaunchOptions options, Path screenshots) {
    Playwright playwright =
        Playwright.create(
            new Playwright.CreateOptions().setEnv(Map.of("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")));
    com.microsoft.playwright.Browser browser =
        playwright.chromium().launch(options.setExecutablePath(CHROMIUM));
    BrowserContext context =
        browser.newContext(
            new com.microsoft.playwright.Browser.NewContextOptions().setViewportSize(1280, 800));
    return new Browser(playwright, context, screenshots);
  }

  public Page page() {
    return page;
  }

  public BrowserContext context() {
    return context;
  }

  public void go(URI link) {
    page.navigate(link.toString());
  }

  /// Where the page says the session stands: `waiting`, `desktop`, `ended`, …
  public String phase() {
    return String.valueOf(page.locator("html").getAttribute("data-casement"));
  }

  public void awaitPhase(String phase, Duration limit) {
    Await.until("the page shows " + phase, limit, () -> phase.equals(phase()), this::story);
  }

  /// Every nonce that the desktop's background may show now.
  public Set<String> nonces() {
    Set<String> nonces = new TreeSet<>();
    if (page.evaluate(NONCES, false) instanceof List<?> found) {
      found.forEach(nonce -> nonces.add(String.valueOf(nonce)));
    }
    return nonces;
  }

  public void awaitNonce(String nonce, Duration limit) {
    if (!HexFormat.of().formatHex(HexFormat.of().parseHex(nonce)).equals(nonce)
        || nonce.length() != 16) {
      throw new IllegalArgumentException("not a nonce: " + nonce);
    }
    // In the page and seldom: what looks must not take the processor that the desktop needs.
    try {
      page.waitForFunction(
          "nonce => (" + NONCES + ")(true).includes(nonce)",
          nonce,
          new Page.WaitForFunctionOptions()
              .setPollingInterval(LOOK_MS)
              .setTimeout((double) limit.toMillis()));
    } catch (TimeoutError e) {
      throw new AssertionError(
          "the desktop does not show the nonce %s, it shows %s%n%s"
              .formatted(nonce, nonces(), story()),
          e);
    }
  }

  /// All text a person can read on the page.
  public String text() {
    return page.locator("body").innerText();
  }

  public Path screenshot(String name) {
    Path file = screenshots.resolve(name + ".png");
    page.screenshot(new Page.ScreenshotOptions().setPath(file));
    return file;
  }

  private String story() {
    return "phase " + phase() + ", text: " + text() + "\nconsole: " + console;
  }

  @Override
  public void close() {
    context.close();
    playwright.close();
  }
}
