package org.casement.relay;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.jr.ob.JSON;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.casement.session.EndReason;
import org.casement.session.PowerAction;
import org.casement.session.SessionEvent.StepStatus;
import org.casement.session.SessionState.Ended;
import org.casement.session.SessionState.Ready;
import org.casement.session.Step;
import org.junit.jupiter.api.Test;

class FrontDeskTest {
  @Test
  void aPageIsServedHardenedAndUnstored() throws Exception {
    try (TestSession session = new TestSession()) {
      FrontDesk frontDesk = session.frontDesk();
      HttpResponse<String> page = new TestBrowser(frontDesk.address()).get("");
      assertThat(page.statusCode()).isEqualTo(200);
      assertThat(page.body()).contains("a page");
      assertThat(page.headers().firstValue("Cache-Control")).hasValue("no-store");
      assertThat(page.headers().firstValue("Content-Security-Policy"))
          .hasValueSatisfying(policy -> assertThat(policy).startsWith("default-src 'none'"));
      assertThat(new TestBrowser(frontDesk.address()).get("index.json").statusCode())
          .isEqualTo(404);
      assertThat(new TestBrowser(frontDesk.address()).get("../pages/index.html").statusCode())
          .isEqualTo(404);
    }
  }

  @Test
  void theLinkLetsInOnceAndTheStoryIsTold() throws Exception {
    try (TestSession session = new TestSession()) {
      FrontDesk frontDesk = session.frontDesk();
      session.story.step(Step.NODE, StepStatus.DONE, "checked");
      TestBrowser browser = new TestBrowser(frontDesk.address());
      String token = session.mint();
      assertThat(browser.enter(token).statusCode()).isEqualTo(200);
      assertThat(new TestBrowser(frontDesk.address()).enter(token).statusCode()).isEqualTo(403);

      TestBrowser.Socket events = browser.open("events");
      Map<String, Object> first = JSON.std.mapFrom(events.next());
      assertThat(first).containsEntry("type", "session").containsEntry("screen", "vnc");
      assertThat(first).containsEntry("desktop", null).containsEntry("id", "abc");
      assertThat((List<?>) first.get("steps")).hasSize(Step.values().length);
      events.expect("{\"type\":\"state\",\"state\":\"preparing\"}");
      assertThat(events.next()).contains("\"status\":\"done\"");
      session.story.become(new Ready(session.now.get()));
      events.expect("{\"type\":\"state\",\"state\":\"ready\"}");
      events.send("{\"type\":\"echo\",\"id\":7}");
      events.expect("{\"type\":\"echo\",\"id\":7}");
      events.send("{\"type\":\"end\"}");
      assertThat(session.endAsked.await(10, TimeUnit.SECONDS)).isTrue();
      session.story.become(new Ended(EndReason.of(EndReason.Kind.USER)));
      assertThat(events.next()).contains("\"state\":\"ended\"").contains("you ended the session");
      assertThat(events.closeCode()).isEqualTo(1000);
    }
  }

  @Test
  void aStrangerWithoutCookieOrFromAnotherOriginIsRefused() throws Exception {
    try (TestSession session = new TestSession()) {
      FrontDesk frontDesk = session.frontDesk();
      TestBrowser browser = new TestBrowser(frontDesk.address());
      browser.enter(session.mint());
      String cookie = browser.cookie;
      browser.cookie = "";
      assertThatThrownBy(() -> browser.connect("events")).hasStackTraceContaining("403");
      browser.cookie = cookie;
      browser.origin = "http://127.0.0.1:1";
      assertThatThrownBy(() -> browser.connect("events")).hasStackTraceContaining("403");
      browser.origin = "";
      assertThatThrownBy(() -> browser.connect("events")).hasStackTraceContaining("403");
      browser.origin = "http://127.0.0.1:" + frontDesk.address().getPort();
      browser.open("events").close();
    }
  }

  @Test
  void aPageOfTheSameCookieWithoutTheTabSecretLearnsNothing() throws Exception {
    try (TestSession session = new TestSession()) {
      FrontDesk frontDesk = session.frontDesk();
      TestBrowser browser = new TestBrowser(frontDesk.address());
      browser.enter(session.mint());
      TestBrowser.Socket thief = browser.connect("events");
      thief.hello();
      thief.send("{\"proof\":\"" + TestBrowser.NONCE + "\"}");
      assertThat(thief.closeCode()).isEqualTo(4401);

      TestBrowser.Socket other = browser.connect("events");
      String proofOfEvents = other.hello();
      TestBrowser.Socket screen = browser.connect("vnc");
      screen.hello();
      screen.send("{\"proof\":\"" + proofOfEvents + "\"}");
      assertThat(screen.closeCode()).isEqualTo(4401);
      browser.open("vnc").close();
    }
  }

  @Test
  void aTabBelongsToItsCookie() throws Exception {
    try (TestSession session = new TestSession()) {
      FrontDesk frontDesk = session.frontDesk();
      TestBrowser mine = new TestBrowser(frontDesk.address());
      mine.enter(session.mint());
      TestBrowser other = new TestBrowser(frontDesk.address());
      other.enter(session.mint());
      other.tab = mine.tab;
      TestBrowser.Socket socket = other.connect("events");
      socket.send("{\"v\":1,\"tab\":\"" + mine.tab + "\",\"nonce\":\"" + TestBrowser.NONCE + "\"}");
      assertThat(socket.closeCode()).isEqualTo(4401);
    }
  }

  @Test
  void malformedAndOversizeProofsAreRefused() throws Exception {
    try (TestSession session = new TestSession()) {
      FrontDesk frontDesk = session.frontDesk();
      TestBrowser browser = new TestBrowser(frontDesk.address());
      browser.enter(session.mint());
      TestBrowser.Socket malformed = browser.connect("events");
      malformed.send("{}");
      assertThat(malformed.closeCode()).isEqualTo(4400);
      TestBrowser.Socket longest = browser.connect("events");
      longest.send("x".repeat(1024));
      assertThat(longest.closeCode()).isEqualTo(4400);
      TestBrowser.Socket longer = browser.connect("events");
      longer.send("x".repeat(1025));
      assertThat(longer.closeCode()).isEqualTo(1009);
      TestBrowser.Socket command = browser.open("events");
      command.send("{\"type\":\"begin\"}");
      assertThat(command.closeCode()).isEqualTo(4400);
      assertThat(session.endAsked.getCount()).isEqualTo(1);
    }
  }

  @Test
  void aPortalsFormGetsThePageWithItsTab() throws Exception {
    try (TestSession session = new TestSession()) {
      FrontDesk frontDesk = session.frontDesk();
      TestBrowser browser = new TestBrowser(frontDesk.address());
      String form = "application/x-www-form-urlencoded";
      HttpResponse<String> page = browser.post(form, "token=" + session.mint());
      assertThat(page.statusCode()).isEqualTo(200);
      assertThat(page.body())
          .containsPattern("<meta name=\"casement-tab\" content=\"[\\w-]{16}[.][\\w-]{43}\">");
      assertThat(page.headers().firstValue("Set-Cookie")).isPresent();
      HttpResponse<String> wrong = browser.post(form, "token=" + TestBrowser.NONCE);
      assertThat(wrong.statusCode()).isEqualTo(403);
      assertThat(wrong.body()).contains("content=\"\"");
      browser.origin = "http://elsewhere";
      assertThat(browser.post(form, "token=" + session.mint()).statusCode()).isEqualTo(403);
      assertThat(browser.post("text/plain", "token=x").statusCode()).isEqualTo(415);
    }
  }

  @Test
  void everythingWorksBelowAPortalsPrefix() throws Exception {
    try (TestSession session = new TestSession()) {
      FrontDesk frontDesk = session.frontDesk();
      for (String prefix :
          new String[] {
            "/node/n1/80/", "/rnode/n1/80/", "/secure-node/n1/80/", "/secure-rnode/n/1/"
          }) {
        TestBrowser browser = new TestBrowser(frontDesk.address());
        browser.prefix = prefix;
        assertThat(browser.get("").body()).contains("a page");
        assertThat(browser.enter(session.mint()).statusCode()).isEqualTo(200);
        assertThat(browser.open("events").next()).contains("\"session\"");
      }
      TestBrowser browser = new TestBrowser(frontDesk.address());
      browser.prefix = "/node/n1/80";
      HttpResponse<String> redirect = browser.get("");
      assertThat(redirect.statusCode()).isEqualTo(303);
      assertThat(redirect.headers().firstValue("Location")).hasValue("80/");
    }
  }

  @Test
  void aFileIsSentInTheBestEncodingAndKeptForever() throws Exception {
    try (TestSession session = new TestSession()) {
      FrontDesk frontDesk = session.frontDesk();
      TestBrowser browser = new TestBrowser(frontDesk.address());
      String file = "main-1a2b3c4d.js";
      HttpResponse<String> brotli =
          browser.send(browser.request(file).header("Accept-Encoding", "gzip, br;q=0.9"));
      assertThat(brotli.headers().firstValue("Content-Encoding")).hasValue("br");
      assertThat(brotli.headers().firstValue("Cache-Control").orElse("")).contains("immutable");
      assertThat(brotli.body()).startsWith("brotli");
      HttpResponse<String> gzip =
          browser.send(browser.request(file).header("Accept-Encoding", "br;q=0, gzip"));
      assertThat(gzip.body()).startsWith("gzip");
      assertThat(browser.get(file).body()).contains("plain");
      assertThat(browser.get(file).body()).contains("plain");
    }
  }

  @Test
  void aButtonThatIsNotAllowedIsRefusedAndOneThatIsAllowedIsPressed() throws Exception {
    try (TestSession session = new TestSession()) {
      TestBrowser.Socket events = session.entered(session.frontDesk().address()).open("events");
      assertThat(events.next()).contains("\"power\":[\"reset\"]");
      events.next(); // the state
      events.send("{\"type\":\"power\",\"action\":\"poweroff\"}");
      events.expect("{\"type\":\"refused\",\"text\":\"this session does not allow poweroff\"}");
      events.send("{\"type\":\"power\",\"action\":\"reset\"}");
      assertThat(session.pressed.poll(10, TimeUnit.SECONDS)).isEqualTo(PowerAction.RESET);
      assertThat(session.pressed).isEmpty();
      assertThat(session.logged.toString(UTF_8))
          .containsPattern("power-refused action=poweroff tab=[\\w-]{16}")
          .containsPattern("power-asked action=reset tab=[\\w-]{16}");
      events.send("{\"type\":\"power\",\"action\":\"explode\"}");
      assertThat(events.closeCode()).isEqualTo(4400);
    }
  }

  @Test
  void aPageThatPressesWithoutEndIsCut() throws Exception {
    try (TestSession session = new TestSession()) {
      TestBrowser.Socket events = session.entered(session.frontDesk().address()).open("events");
      events.next();
      events.next(); // the state
      for (int i = 0; i < EventsRoute.COMMANDS_LIMIT; i++) {
        events.send("{\"type\":\"power\",\"action\":\"poweroff\"}");
        events.expect("{\"type\":\"refused\",\"text\":\"this session does not allow poweroff\"}");
      }
      events.send("{\"type\":\"power\",\"action\":\"poweroff\"}");
      assertThat(events.closeCode()).isEqualTo(4400);
    }
  }

  @Test
  void aDesktopsPageHasNoButtons() throws Exception {
    try (TestSession session = new TestSession();
        FrontDesk desktop =
            FrontDesk.open(
                session.desk,
                TestSession.listener(),
                new Route(Route.Shows.DESKTOP, "rdp", _ -> {}))) {
      TestBrowser.Socket events = session.entered(desktop.address()).open("events");
      assertThat(events.next()).contains("\"power\":[]");
      events.next();
      events.send("{\"type\":\"power\",\"action\":\"reset\"}");
      assertThat(events.next()).contains("refused");
      assertThat(session.pressed).isEmpty();
    }
  }

  @Test
  void picturesOfTheScreenComeWhileTheSocketIsOpen() throws Exception {
    try (TestSession session = new TestSession()) {
      TestBrowser browser = session.entered(session.frontDesk().address());
      assertThat(session.watchers).isEmpty();
      TestBrowser.Socket thumbnail = browser.open("thumbnail");
      TestBrowser.Socket chatty = browser.open("thumbnail");
      session.loops.group().submit(() -> {}).sync(); // after what opened them
      assertThat(session.watchers).hasSize(2);
      session.watchers.forEach(watcher -> watcher.accept(new byte[] {1, 2, 3}));
      assertThat(thumbnail.nextBytes()).containsExactly(1, 2, 3);
      chatty.send("{}");
      assertThat(chatty.closeCode()).isEqualTo(4400);
      thumbnail.abort();
      assertThat(session.unwatched.tryAcquire(2, 10, TimeUnit.SECONDS)).isTrue();
      assertThat(session.watchers).isEmpty();
    }
  }

  @Test
  void theEndOfTheListenerIsSaid() throws Exception {
    TestSession session = new TestSession();
    FrontDesk frontDesk = session.frontDesk();
    TestBrowser browser = new TestBrowser(frontDesk.address());
    browser.enter(session.mint());
    TestBrowser.Socket events = browser.open("events");
    session.close();
    assertThat(events.closeCode()).isEqualTo(1001);
    assertThatThrownBy(() -> browser.get("")).isInstanceOf(java.io.IOException.class);
  }

  @Test
  void aPageThatLeavesItsEventsUnreadIsClosed() throws Exception {
    try (TestSession session = new TestSession()) {
      FrontDesk frontDesk = session.frontDesk();
      TestBrowser.Socket reader = session.entered(frontDesk.address()).open("events");
      TestBrowser.Socket stalled = session.entered(frontDesk.address()).open("events");
      reader.next();
      stalled.next();
      stalled.stall();
      assertThat(frontDesk.pages()).isEqualTo(2);
      String text = "x".repeat(10_000);
      int told = 0;
      while (frontDesk.pages() == 2 && told < 10_000) { // 100 MB: no socket buffer holds that
        session.story.warn(text);
        told++;
        while (!reader.next().contains("warning")) {}
        // The event loop keeps up, so what closes is not its queue.
        session.loops.group().submit(() -> {}).sync();
      }
      assertThat(frontDesk.pages()).isEqualTo(1);
      session.story.warn("still told");
      while (!reader.next().contains("still told")) {} // throws where it never comes
    }
  }
}
