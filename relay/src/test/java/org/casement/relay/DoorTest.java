package org.casement.relay;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import org.casement.session.EventLog;
import org.casement.session.SessionId;
import org.junit.jupiter.api.Test;

class DoorTest {
  private Instant now = Instant.parse("2026-11-24T08:00:00Z");
  private final ByteArrayOutputStream logged = new ByteArrayOutputStream();
  private final Door door =
      new Door(
          new SessionId("abc"),
          () -> now,
          new SecureRandom(),
          new EventLog(new PrintStream(logged, true, UTF_8), () -> now));

  private String mint() {
    return door.mintStandingLink(() -> {}).base64url();
  }

  private static HttpHeaders cookie(String setCookie) {
    return new DefaultHttpHeaders()
        .set(HttpHeaderNames.COOKIE, "a=b; " + setCookie.substring(0, setCookie.indexOf(';')));
  }

  private static HttpHeaders none() {
    return new DefaultHttpHeaders();
  }

  @Test
  void aLinkIsGoodOnceAndOnlyForItsTime() {
    String token = door.mintLink(Duration.ofMinutes(10)).base64url();
    now = now.plus(Duration.ofMinutes(10));
    assertThat(door.enter(token, none())).isPresent();
    assertThat(door.enter(token, none())).isEmpty();
    String late = door.mintLink(Duration.ofMinutes(10)).base64url();
    now = now.plus(Duration.ofMinutes(10)).plusMillis(1);
    assertThat(door.enter(late, none())).isEmpty();
  }

  @Test
  void theOldestLinkGivesWay() {
    String first = mint();
    String second = mint();
    for (int i = 0; i < Door.LINKS_LIMIT - 1; i++) {
      mint();
    }
    assertThat(door.enter(first, none())).isEmpty();
    assertThat(door.enter(second, none())).isPresent();
  }

  @Test
  void aStandingLinkOutlastsTheOthersAndIsHeardOfOnce() {
    int[] used = {0};
    String standing = door.mintStandingLink(() -> used[0]++).base64url();
    String early = door.mintLink(Duration.ofMinutes(10)).base64url();
    for (int i = 0; i < Door.LINKS_LIMIT; i++) {
      door.mintLink(Duration.ofMinutes(10));
    }
    assertThat(door.enter(early, none())).isEmpty();
    assertThat(used[0]).isZero();
    assertThat(door.enter(standing, none())).isPresent();
    assertThat(door.enter(standing, none())).isEmpty();
    assertThat(used[0]).isOne();
  }

  @Test
  void aBrowserKeepsItsCookieAndATabBelongsToIt() {
    Door.Entry entry = door.enter(mint(), none()).orElseThrow();
    HttpHeaders ours = cookie(entry.setCookie().orElseThrow());
    Door.Entry again = door.enter(mint(), ours).orElseThrow();
    assertThat(again.setCookie()).isEmpty();
    Door.Browser browser = door.browser(ours).orElseThrow();
    assertThat(door.tab(browser, entry.tab().name())).containsSame(entry.tab());
    Door.Entry other = door.enter(mint(), none()).orElseThrow();
    Door.Browser stranger = door.browser(cookie(other.setCookie().orElseThrow())).orElseThrow();
    assertThat(door.tab(stranger, entry.tab().name())).isEmpty();
    assertThat(door.browser(none())).isEmpty();
    assertThat(door.browser(cookie("casement-abc=wrong;"))).isEmpty();
  }

  @Test
  void theOldestTabAndBrowserGiveWay() {
    Door.Entry first = door.enter(mint(), none()).orElseThrow();
    HttpHeaders ours = cookie(first.setCookie().orElseThrow());
    for (int i = 0; i < Door.TABS_LIMIT - 1; i++) {
      door.enter(mint(), ours);
    }
    Door.Browser browser = door.browser(ours).orElseThrow();
    assertThat(door.tab(browser, first.tab().name())).isPresent();
    door.enter(mint(), ours);
    assertThat(door.tab(browser, first.tab().name())).isEmpty();
    for (int i = 0; i < Door.BROWSERS_LIMIT - 1; i++) {
      door.enter(mint(), none());
    }
    assertThat(door.browser(ours)).isPresent();
    door.enter(mint(), none());
    assertThat(door.browser(ours)).isEmpty();
  }

  @Test
  void aSilentTabIsForgotten() {
    Door.Entry entry = door.enter(mint(), none()).orElseThrow();
    Door.Browser browser = door.browser(cookie(entry.setCookie().orElseThrow())).orElseThrow();
    now = now.plus(Door.TAB_SILENCE_LIMIT);
    assertThat(door.tab(browser, entry.tab().name())).isPresent();
    now = now.plusMillis(1);
    assertThat(door.tab(browser, entry.tab().name())).isEmpty();
  }

  @Test
  void aCookieIsSecureBehindHttps() {
    HttpHeaders https = none().set("X-Forwarded-Proto", "https");
    assertThat(door.enter(mint(), https).orElseThrow().setCookie().orElseThrow())
        .contains("; HttpOnly; SameSite=Strict; Path=/")
        .endsWith("; Secure");
    assertThat(door.enter(mint(), none()).orElseThrow().setCookie().orElseThrow())
        .doesNotContain("Secure");
  }

  @Test
  void aThousandWrongLinksAreTwoLinesInTheLog() {
    for (int i = 0; i < 1000; i++) {
      door.enter("wrong", none());
    }
    now = now.plusSeconds(10);
    door.enter("wrong", none());
    assertThat(logged.toString(UTF_8).lines())
        .hasSize(2)
        .last()
        .asString()
        .endsWith("event=refused reason=wrong-token count=1000");
  }
}
