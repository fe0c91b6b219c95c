package org.casement.protocol.qmp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.casement.protocol.ProtocolException;
import org.casement.session.GuestText;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QmpTest {
  private static final String EVENT = // QEMU 7.2
      "{\"timestamp\": {\"seconds\": 1764000000, \"microseconds\": 250001}, \"event\": \"SHUTDOWN\","
          + " \"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}}";

  @Test
  void aGreetingTellsTheVersion() throws ProtocolException {
    assertThat(
            parse(
                "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7},"
                    + " \"package\": \"Debian\"}, \"capabilities\": [\"oob\"]}}"))
        .isEqualTo(new QmpMessage.Greeting(7, 2, 22));
  }

  @Test
  void anAnswerCarriesTheCommandsId() throws ProtocolException {
    assertThat(parse("{\"return\": {\"running\": false}, \"id\": 7}"))
        .isEqualTo(new QmpMessage.Return(7, Map.of("running", false)));
    assertThat(parse("{\"return\": [1], \"id\": 4294967296}"))
        .isEqualTo(new QmpMessage.Return(1L << 32, List.of(1)));
    assertThat(
            parse(
                "{\"id\": 0, \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no\\n way\"}}"))
        .isEqualTo(new QmpMessage.Failure(0, "CommandNotFound", "no\ufffd way"));
  }

  @Test
  void anEventTellsWhatAndWhen() throws ProtocolException {
    assertThat(parse(EVENT))
        .isEqualTo(
            new QmpMessage.Event(
                "SHUTDOWN",
                Map.of("guest", true, "reason", "guest-shutdown"),
                Instant.parse("2025-11-24T16:00:00.250001Z")));
    assertThat(parse("{\"timestamp\":{\"seconds\":-1,\"microseconds\":-1},\"event\":\"STOP\"}"))
        .isEqualTo(
            new QmpMessage.Event("STOP", Map.of(), Instant.EPOCH.minusSeconds(1).minusNanos(1000)));
  }

  @Test
  void membersWeDoNotKnowAreNoFault() throws ProtocolException {
    assertThat(parse("{\"return\": {}, \"id\": 1, \"new\": [null]}"))
        .isEqualTo(new QmpMessage.Return(1, Map.of()));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "null",
        "[]",
        "{}",
        "{\"return\": {}}",
        "{\"return\": {}, \"id\": -1}",
        "{\"return\": {}, \"id\": \"1\"}",
        "{\"return\": {}, \"id\": 1.0}",
        "{\"return\": {}, \"id\": 9223372036854775808}",
        "{\"return\": null, \"id\": 1}",
        "{\"return\": {}, \"id\": 1, \"error\": {\"class\": \"a\", \"desc\": \"b\"}}",
        "{\"return\": {}, \"return\": {}, \"id\": 1}",
        "{\"return\": {}, \"id\": 1} {}",
        "{\"return\": {}, \"id\": 1} x",
        "{\"return\": {}, \"id\": 1",
        "{\"error\": {\"class\": \"a\"}, \"id\": 1}",
        "{\"error\": \"a\", \"id\": 1}",
        "{\"event\": \"STOP\"}",
        "{\"event\": 1, \"timestamp\": {\"seconds\": 0, \"microseconds\": 0}}",
        "{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 0, \"microseconds\": 1000000}}",
        "{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1e300, \"microseconds\": 0}}",
        "{\"event\": \"STOP\", \"data\": 1, \"timestamp\": {\"seconds\": 0, \"microseconds\": 0}}",
        "{\"QMP\": {}}",
        "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 0, \"major\": 10000}}}}",
        "\u0000",
      })
  void whatIsNotAMessageIsRefused(String line) {
    assertThatThrownBy(() -> parse(line)).isInstanceOf(ProtocolException.class);
  }

  @Test
  void aLineMayBeAsLongAsTheLimit() throws ProtocolException {
    String answer = "{\"return\": \"\", \"id\": 1}";
    String longest =
        answer.replace("\"\"", '"' + "x".repeat(QmpMessage.LIMIT_BYTES - answer.length()) + '"');
    assertThat(parse(longest)).isInstanceOf(QmpMessage.Return.class);
    refused(longest + " ", "more than");
    assertThat(lines(longest + "\r\n")).containsExactly(longest);
    assertThatThrownBy(() -> lines(longest + " \r\n")).hasMessageContaining("more than");
    assertThatThrownBy(() -> lines("x".repeat(QmpMessage.LIMIT_BYTES + 2)))
        .hasMessageContaining("more than");
  }

  @Test
  void aMessageMayBeAsDeepAsTheLimit() throws ProtocolException {
    // The message itself is one level.
    int most = QmpMessage.LIMIT_DEPTH - 1;
    assertThat(parse("{\"return\":" + "[".repeat(most) + "]".repeat(most) + ",\"id\":1}"))
        .isInstanceOf(QmpMessage.Return.class);
    refused("{\"return\":" + "[".repeat(most + 1) + "]".repeat(most + 1) + ",\"id\":1}", "JSON");
  }

  @Test
  void aNumberMayBeAsLongAsTheLimit() throws ProtocolException {
    String longest = "9".repeat(QmpMessage.LIMIT_DIGITS);
    assertThat(parse("{\"return\":" + longest + ",\"id\":1}"))
        .isInstanceOf(QmpMessage.Return.class);
    refused("{\"return\":" + longest + "9,\"id\":1}", "JSON");
  }

  @Test
  void aDescriptionIsCutToWhatMayBeShown() throws ProtocolException {
    QmpMessage error =
        parse(
            "{\"id\":1,\"error\":{\"class\":\"GenericError\",\"desc\":\""
                + "d".repeat(201)
                + "\"}}");
    assertThat(error)
        .isEqualTo(new QmpMessage.Failure(1, "GenericError", "d".repeat(GuestText.LIMIT_CHARS)));
  }

  @Test
  void linesEndAsTheyMayAndComeInAnyPieces() throws ProtocolException {
    assertThat(lines("a\r\n\nb\n\rc\r\r\nrest")).containsExactly("a", "", "b", "\rc\r");
    QmpLines lines = new QmpLines();
    List<String> whole = new ArrayList<>();
    ByteBuffer same = ByteBuffer.allocate(1);
    for (byte b : "a\r\nb\r\n".getBytes(UTF_8)) {
      lines.feed(same.clear().put(b).flip());
      lines.next().ifPresent(line -> whole.add(new String(line, UTF_8)));
    }
    assertThat(whole).containsExactly("a", "b");
  }

  @Test
  void aCommandIsOneLine() {
    assertThat(new QmpCommand(3, "cont", Map.of()).line())
        .asString(UTF_8)
        .isEqualTo("{\"execute\":\"cont\",\"id\":3}\n");
    assertThat(new QmpCommand(4, "screendump", Map.of("filename", "/a\n\"b")).line())
        .asString(UTF_8)
        .isEqualTo(
            "{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"/a\\n\\\"b\"},\"id\":4}\n");
    assertThatThrownBy(() -> new QmpCommand(-1, "cont", Map.of()))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @FuzzTest
  void anyLineIsTakenOrRefused(byte[] line) {
    try {
      switch (QmpMessage.parse(line)) {
        case QmpMessage.Greeting greeting -> assertThat(greeting.major()).isBetween(0, 9999);
        case QmpMessage.Return answer -> assertThat(answer.id()).isNotNegative();
        case QmpMessage.Failure failure -> assertThat(failure.description()).hasSizeLessThan(201);
        case QmpMessage.Event event -> assertThat(event.name()).hasSizeLessThan(201);
      }
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
  }

  private static QmpMessage parse(String line) throws ProtocolException {
    return QmpMessage.parse(line.getBytes(UTF_8));
  }

  private static void refused(String line, String why) {
    assertThatThrownBy(() -> parse(line))
        .isInstanceOf(ProtocolException.class)
        .hasMessageContaining(why);
  }

  private static List<String> lines(String bytes) throws ProtocolException {
    QmpLines lines = new QmpLines();
    lines.feed(ByteBuffer.wrap(bytes.getBytes(UTF_8)));
    List<String> whole = new ArrayList<>();
    for (Optional<byte[]> line = lines.next(); line.isPresent(); line = lines.next()) {
      whole.add(new String(line.orElseThrow(), UTF_8));
    }
    return whole;
  }
}
