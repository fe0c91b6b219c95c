package org.casement.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.jr.ob.JSON;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.casement.session.EndReason;
import org.casement.session.SessionEvent.StepStatus;
import org.casement.session.SessionState.Ended;
import org.casement.session.SessionState.Ready;
import org.casement.session.Step;
import org.junit.jupiter.api.Test;

class FrontDeskTest {
  @Test
  void aPageIsServedHardenedAndUnstored() throws Exception {
    try (TestSession session = new TestSession()) {
      HttpResponse<String> page = session.browser().get("");
      assertThat(page.statusCode()).isEqualTo(200);
      assertThat(page.body()).contains("a page");
      assertThat(page.headers().firstValue("Cache-Control")).hasValue("no-store");
      assertThat(page.headers().firstValue("Content-Security-Policy"))
          .hasValueSatisfying(policy -> assertThat(policy).startsWith("default-src 'none'"));
      assertThat(session.browser().get("index.json").statusCode()).isEqualTo(404);
      assertThat(session.browser().get("../pages/index.html").statusCode()).isEqualTo(404);
    }
  }

  @Test
  void theLinkLetsInOnceAndTheStoryIsTold() throws Exception {
    try (TestSession session = new TestSession()) {
      session.story.step(Step.NODE, StepStatus.DONE, "checked");
      TestBrowser browser = session.browser();
      String token = session.mint();
      assertThat(browser.enter(token).statusCode()).isEqualTo(200);
      assertThat(session.browser().enter(token).statusCode()).isEqualTo(403);

      TestBrowser.Socket events = browser.open("events");
      Map<String, Object> first = JSON.std.mapFrom(events.next());
      assertThat(first).containsEntry("type", "session").containsEntry("screen", "vnc");
      assertThat(first).containsEntry("desktop", null).containsEntry("id", "abc");
      assertThat((List<?>) first.get("steps")).hasSize(Step.values().length);
      events.expect("{\"type\":\"state\",\"state\":\"preparing\"}");
      assertThat(events.next()).contains("\"status\":\"done\"");
      session.story.become(new Ready(session.now.get()));
      events.expect("{\"type\":\"state\",\"state\":\"ready\"}");
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
      TestBrowser browser = session.browser();
      browser.enter(session.mint());
      String cookie = browser.cookie;
      browser.cookie = "";
      assertThatThrownBy(() -> browser.connect("events")).hasStackTraceContaining("403");
      browser.cookie = cookie;
      browser.origin = "http://127.0.0.1:1";
      assertThatThrownBy(() -> browser.connect("events")).hasStackTraceContaining("403");
      browser.origin = "";
      assertThatThrownBy(() -> browser.connect("events")).hasStackTraceContaining("403");
      browser.origin = "http://127.0.0.1:" + session.frontDesk.address().getPort();
      browser.open("events").close();
    }
  }
}
