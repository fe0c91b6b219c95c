package org.casement.session;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.security.SecureRandom;
import java.time.Instant;
import org.junit.jupiter.api.Test;

/// Names, secrets, the guest's text and log lines: what hostile text cannot do to them.
class TextsTest {
  @Test
  void aSessionIdHasANarrowAlphabet() {
    assertThat(SessionId.random(new SecureRandom()).value()).matches("[a-z2-9]{8}");
    assertThat(new SessionId("4711-3").value()).isEqualTo("4711-3");
    assertThat(new SessionId("a".repeat(40)).value()).hasSize(40);
    for (String wrong : new String[] {"", "-a", "A", "a/b", "a b", "../x", "a".repeat(41)}) {
      assertThatThrownBy(() -> new SessionId(wrong)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void aPasswordSatisfiesWindowsComplexityAndIsNotPrinted() {
    for (int i = 0; i < 50; i++) {
      Secret password = Secret.password(new SecureRandom());
      assertThat(password.text()).matches("(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9]{24}");
      assertThat(password.toString()).isEqualTo("Secret[redacted]");
    }
  }

  @Test
  void aSecretMatchesOnlyItself() {
    Secret secret = Secret.random(new SecureRandom());
    assertThat(secret.matches(Secret.ofBase64url(secret.base64url()))).isTrue();
    assertThat(secret.matches(Secret.random(new SecureRandom()))).isFalse();
    assertThat(secret.matches(new byte[0])).isFalse();
  }

  @Test
  void theGuestsTextIsCutAndCleaned() {
    assertThat(new GuestText("drive H: é 😀").value()).isEqualTo("drive H: é 😀");
    assertThat(new GuestText("a\r\nb\u0000c\u202ed\u2028e\ud800").value())
        .isEqualTo("a\ufffd\ufffdb\ufffdc\ufffdd\ufffde\ufffd");
    assertThat(new GuestText("x".repeat(200)).value()).hasSize(200);
    assertThat(new GuestText("x".repeat(201)).value()).hasSize(200);
    assertThat(new GuestText("😀".repeat(101)).value()).hasSize(200);
    assertThat(new GuestText("x" + "😀".repeat(100)).value()).hasSize(199);
  }

  @Test
  void oneEventIsOneLineWhateverItsValues() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    EventLog log =
        new EventLog(
            new PrintStream(out, true, UTF_8), () -> Instant.parse("2026-11-24T08:00:00.123Z"));
    log.info("ready", "session", "abc", "boot", "41s");
    log.warn("guest", "text", "a b\n2026 info event=ready \"x\"\u2028\u001b[31m", "empty", "");
    log.error("long", "text", "y".repeat(601));
    assertThat(out.toString(UTF_8).lines().toList())
        .containsExactly(
            "2026-11-24T08:00:00.123Z info event=ready session=abc boot=41s",
            "2026-11-24T08:00:00.123Z warn event=guest"
                + " text=\"a b\\n2026 info event=ready \\\"x\\\"\\u2028\\u001b[31m\" empty=\"\"",
            "2026-11-24T08:00:00.123Z error event=long text=\"" + "y".repeat(600) + "…\"");
  }
}
