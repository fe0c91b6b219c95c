package org.casement.systemtests;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.casement.testkit.Await;
import org.jspecify.annotations.Nullable;

/// Firefox without a window, with a profile of its own, driven by what it has built in (W3C
/// WebDriver BiDi): Playwright drives only a Firefox of its own making. Not thread-safe.
public final class Firefox implements AutoCloseable {
  private static final Path PROGRAM = Path.of("/usr/bin/firefox-esr");
  private static final String ANNOUNCEMENT = "WebDriver BiDi listening on ";
  private static final Duration START_LIMIT = Duration.ofSeconds(60);
  private static final Duration ANSWER_LIMIT = Duration.ofSeconds(60);
  private static final int WIDTH = 1280;
  private static final int HEIGHT = 800;

  /// As BiDi writes the key (WebDriver, 17.4.2).
  private static final String SHIFT = "\uE008";

  private static final String ENTER = "\uE007";

  /// It talks to nobody but the page.
  private static final String PREFERENCES =
      """
      user_pref("app.update.enabled", false);
      user_pref("browser.shell.checkDefaultBrowser", false);
      user_pref("datareporting.policy.dataSubmissionEnabled", false);
      user_pref("extensions.update.enabled", false);
      user_pref("network.captive-portal-service.enabled", false);
      user_pref("network.connectivity-service.enabled", false);
      user_pref("services.settings.server", "data:,");
      user_pref("toolkit.telemetry.enabled", false);
      """;

  private final Path profile;
  private final Process process;
  private final List<String> said = new CopyOnWriteArrayList<>();
  private final BlockingQueue<Map<String, Object>> answers = new LinkedBlockingQueue<>();
  private final HttpClient http = HttpClient.newHttpClient();
  private final WebSocket socket;
  private int commands;
  private final String context;

  private Firefox(Path profile) throws IOException {
    this.profile = profile;
    Files.writeString(profile.resolve("user.js"), PREFERENCES);
    ProcessBuilder builder =
        new ProcessBuilder(
                PROGRAM.toString(),
                "--headless",
                "--width=" + WIDTH,
                "--height=" + HEIGHT,
                "--no-remote",
                "--profile",
                profile.toString(),
                "--remote-debugging-port=0",
                "about:blank")
            .redirectErrorStream(true);
    builder.environment().put("HOME", profile.toString());
    process = builder.start();
    BufferedReader reader = process.inputReader(UTF_8);
    Thread.ofPlatform().daemon().start(() -> reader.lines().forEach(said::add));
    String address =
        Await.found(
            "Firefox says where it can be driven",
            START_LIMIT,
            () ->
                said.stream()
                    .filter(line -> line.startsWith(ANNOUNCEMENT))
                    .map(line -> line.substring(ANNOUNCEMENT.length()).strip())
                    .findFirst());
    socket =
        http.newWebSocketBuilder()
            .buildAsync(URI.create(address + "/session"), new Listener())
            .join();
    command("session.new", Map.of("capabilities", Map.of()));
    if (!(command("browsingContext.getTree", Map.of()).get("contexts") instanceof List<?> contexts)
        || !(contexts.getFirst() instanceof Map<?, ?> first)) {
      throw new AssertionError("Firefox has no tab");
    }
    context = String.valueOf(first.get("context"));
    command(
        "browsingContext.setViewport",
        Map.of("context", context, "viewport", Map.of("width", WIDTH, "height", HEIGHT)));
  }

  public static Firefox open() {
    try {
      return new Firefox(Files.createTempDirectory("casement-firefox-"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Messages may come in pieces.
  private final class Listener implements WebSocket.Listener {
    private final StringBuilder message = new StringBuilder();

    @Override
    public @Nullable CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
      message.append(data);
      if (last) {
        try {
          answers.add(JSON.std.mapFrom(message.toString()));
        } catch (IOException e) {
          answers.add(Map.of("error", e.toString()));
        }
        message.setLength(0);
      }
      from.request(1);
      return null;
    }
  }

  private Map<String, Object> command(String method, Map<String, ?> parameters) {
    try {
      int id = ++commands;
      socket
          .sendText(
              JSON.std.asString(Map.of("id", id, "method", method, "params", parameters)), true)
          .join();
      while (true) {
        Map<String, Object> answer = answers.poll(ANSWER_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        if (answer == null || answer.containsKey("error")) {
          throw new AssertionError(method + ": " + answer + "\n" + String.join("\n", said));
        }
        if (answer.get("id") instanceof Number number && number.intValue() == id) {
          return part(answer, "result");
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
  }

  @SuppressWarnings("unchecked") // JSON's objects are maps by their names
  private static Map<String, Object> part(Map<String, Object> whole, String name) {
    return (Map<String, Object>) Objects.requireNonNull(whole.get(name));
  }

  public void go(URI link) {
    command(
        "browsingContext.navigate",
        Map.of("context", context, "url", link.toString(), "wait", "complete"));
  }

  /// What `expression` is in the page: text, number or truth, as text.
  public String evaluate(String expression) {
    Map<String, Object> result =
        command(
            "script.evaluate",
            Map.of(
                "expression",
                expression,
                "target",
                Map.of("context", context),
                "awaitPromise",
                true));
    if (!"success".equals(result.get("type"))) {
      throw new AssertionError(expression + ": " + result);
    }
    return String.valueOf(part(result, "result").get("value"));
  }

  public String phase() {
    return evaluate("document.documentElement.dataset.casement");
  }

  public void awaitPhase(String phase, Duration limit) {
    Await.until(
        "Firefox shows " + phase,
        limit,
        () -> phase.equals(phase()),
        () -> phase() + ": " + text() + "\n" + String.join("\n", said));
  }

  public void awaitNonce(String nonce, Duration limit) {
    String shown = "String((" + Browser.NONCES + ")(true))";
    Await.until(
        "Firefox shows the nonce " + nonce,
        limit,
        () -> evaluate(shown).contains(nonce),
        () -> evaluate(shown) + "\n" + text());
  }

  public String text() {
    return evaluate("document.body.innerText");
  }

  public void click(int x, int y) {
    perform(
        "pointer",
        List.of(
            Map.of("type", "pointerMove", "x", x, "y", y),
            Map.of("type", "pointerDown", "button", 0),
            Map.of("type", "pointerUp", "button", 0)));
  }

  /// @param device of BiDi's input sources, `pointer` or `key`
  private void perform(String device, List<? extends Map<String, ?>> actions) {
    command(
        "input.performActions",
        Map.of(
            "context",
            context,
            "actions",
            List.of(Map.of("type", device, "id", device, "actions", actions))));
  }

  /// Clicks into the middle of what `selector` finds.
  public void click(String selector) {
    String middle =
        evaluate(
            "(() => { const { x, y, width, height } = document.querySelector('%s').getBoundingClientRect(); return Math.round(x + width / 2) + ' ' + Math.round(y + height / 2); })()"
                .formatted(selector));
    String[] point = middle.split(" ", 2);
    click(Integer.parseInt(point[0]), Integer.parseInt(point[1]));
  }

  /// Types a line and Enter; a `>` with Shift, as a hand does.
  public void type(String line) {
    List<Map<String, Object>> actions = new ArrayList<>();
    for (char each : (line + ENTER).toCharArray()) {
      String character = String.valueOf(each);
      boolean shifted = character.equals(">");
      if (shifted) {
        actions.add(Map.of("type", "keyDown", "value", SHIFT));
      }
      actions.add(Map.of("type", "keyDown", "value", character));
      actions.add(Map.of("type", "keyUp", "value", character));
      if (shifted) {
        actions.add(Map.of("type", "keyUp", "value", SHIFT));
      }
    }
    perform("key", actions);
  }

  public Path screenshot(Path file) {
    Map<String, Object> picture =
        command("browsingContext.captureScreenshot", Map.of("context", context));
    try {
      return Files.write(file, Base64.getDecoder().decode(String.valueOf(picture.get("data"))));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    http.shutdownNow();
    List<ProcessHandle> children = process.descendants().toList();
    process.destroy();
    try {
      if (!process.waitFor(ANSWER_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly();
      }
      children.forEach(ProcessHandle::destroyForcibly);
      try (Stream<Path> files = Files.walk(profile)) {
        files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
