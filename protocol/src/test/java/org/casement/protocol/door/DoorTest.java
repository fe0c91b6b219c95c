package org.casement.protocol.door;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.casement.protocol.ProtocolException;
import org.casement.session.PowerAction;
import org.casement.session.Secret;
import org.junit.jupiter.api.Test;

class DoorTest {
  private static final String TOKEN = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

  @Test
  void theProofsAreThoseOfTheContract() throws IOException {
    Map<String, Object> vector =
        JSON.std.mapFrom(Files.readAllBytes(Path.of("../contracts/door/proof.json")));
    DoorProof proof =
        new DoorProof(
            Secret.ofBase64url(String.valueOf(vector.get("secret"))),
            String.valueOf(vector.get("route")),
            String.valueOf(vector.get("pageNonce")),
            String.valueOf(vector.get("connectorNonce")));
    String pageProof = String.valueOf(vector.get("pageProof"));
    assertThat(proof.ofConnector()).isEqualTo(vector.get("connectorProof"));
    assertThat(proof.isOfPage(pageProof)).isTrue();
    assertThat(proof.isOfPage(proof.ofConnector())).isFalse();
    assertThat(proof.isOfPage(pageProof.substring(1))).isFalse();
  }

  @Test
  void aMessageHasExactlyItsMembers() throws ProtocolException {
    String hello = "{\"v\":1,\"tab\":\"0123456789abcdef\",\"nonce\":\"" + TOKEN + "\"}";
    assertThat(PageMessage.hello(hello.getBytes(UTF_8)))
        .isEqualTo(new PageMessage.Hello("0123456789abcdef", TOKEN));
    refused(hello.replace("\"v\":1", "\"v\":2"));
    refused(hello.replace("\"v\":1,", ""));
    refused(hello.replace("\"v\":1", "\"v\":1,\"x\":0"));
    refused(hello.replace("0123456789abcdef", "0123456789abcde"));
    refused(hello.replace("nonce\":\"A", "nonce\":\""));
    refused("[]");
    refused("null");
    refused("");
  }

  @Test
  void aCommandIsOneOfThoseOfTheContract() throws ProtocolException {
    for (PowerAction action : PowerAction.values()) {
      String power = "{\"type\":\"power\",\"action\":\"%s\"}".formatted(action.code());
      assertThat(PageMessage.command(power.getBytes(UTF_8)))
          .isEqualTo(new PageMessage.Power(action));
    }
    for (String bad :
        new String[] {
          "{\"type\":\"power\"}",
          "{\"type\":\"power\",\"action\":\"RESET\"}",
          "{\"type\":\"power\",\"action\":\"quit\"}",
          "{\"type\":\"power\",\"action\":[\"reset\"]}",
          "{\"type\":\"power\",\"action\":\"reset\",\"force\":true}",
          "{\"type\":\"end\",\"action\":\"reset\"}",
          "{\"action\":\"reset\"}",
          "{}",
          "null"
        }) {
      assertThatThrownBy(() -> PageMessage.command(bad.getBytes(UTF_8)))
          .as(bad)
          .isInstanceOf(ProtocolException.class);
    }
  }

  @Test
  void aMessageMayBeAsLongAsTheLimit() throws ProtocolException {
    String end = "{\"type\":\"end\"}";
    byte[] longest = (end + " ".repeat(PageMessage.LIMIT_BYTES - end.length())).getBytes(UTF_8);
    assertThat(PageMessage.command(longest)).isEqualTo(new PageMessage.End());
    byte[] longer = java.util.Arrays.copyOf(longest, longest.length + 1);
    longer[longest.length] = ' ';
    assertThatThrownBy(() -> PageMessage.command(longer)).hasMessageContaining("more than");
  }

  @Test
  void anEchoHasASmallNumber() throws ProtocolException {
    assertThat(PageMessage.command("{\"type\":\"echo\",\"id\":2147483647}".getBytes(UTF_8)))
        .isEqualTo(new PageMessage.Echo(Integer.MAX_VALUE));
    for (String id : new String[] {"-1", "2147483648", "1.5", "\"1\"", "null", "[1]"}) {
      String echo = "{\"type\":\"echo\",\"id\":" + id + "}";
      assertThatThrownBy(() -> PageMessage.command(echo.getBytes(UTF_8)))
          .isInstanceOf(ProtocolException.class);
    }
  }

  @Test
  void aFormMayCarryOtherFieldsButOneToken() throws ProtocolException {
    assertThat(EntryForm.token(("utf8=%E2%9C%93&token=" + TOKEN).getBytes(UTF_8))).isEqualTo(TOKEN);
    String padded = "token=" + TOKEN + "&x=";
    padded += "y".repeat(EntryForm.LIMIT_BYTES - padded.length());
    assertThat(EntryForm.token(padded.getBytes(UTF_8))).isEqualTo(TOKEN);
    for (String bad :
        new String[] {
          padded + "y", "token=" + TOKEN + "&token=" + TOKEN, "token=", "", "token=%41" + TOKEN
        }) {
      assertThatThrownBy(() -> EntryForm.token(bad.getBytes(UTF_8)))
          .isInstanceOf(ProtocolException.class);
    }
  }

  @FuzzTest
  void anyMessageIsTakenOrRefused(byte[] bytes) {
    try {
      PageMessage.hello(bytes);
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
    try {
      PageMessage.proof(bytes);
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
    try {
      PageMessage.command(bytes);
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
  }

  @FuzzTest
  void anyFormIsTakenOrRefused(byte[] bytes) {
    try {
      assertThat(EntryForm.token(bytes)).hasSize(43);
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
  }

  @Test
  void theDestinationSaysHowTheDesktopIsOpened() throws ProtocolException {
    assertThat(DesktopOptions.of("desktop")).isEqualTo(DesktopOptions.NONE);
    assertThat(DesktopOptions.of("desktop?keyboard=00020409&scale=500"))
        .isEqualTo(new DesktopOptions(0x00020409, 500));
    assertThat(DesktopOptions.of("desktop?keyboard=ffffffff&scale=100").keyboardLayout())
        .isEqualTo(-1);
    for (String bad :
        new String[] {
          "",
          "desktop?",
          "127.0.0.1:22",
          "desktop?keyboard=407&scale=100",
          "desktop?keyboard=00000407&scale=099",
          "desktop?keyboard=00000407&scale=501",
          "desktop?keyboard=00000407&scale=100\n",
          "desktop?scale=100&keyboard=00000407"
        }) {
      assertThatThrownBy(() -> DesktopOptions.of(bad)).isInstanceOf(ProtocolException.class);
    }
  }

  @FuzzTest
  void anyDestinationIsTakenOrRefused(byte[] bytes) {
    try {
      assertThat(DesktopOptions.of(new String(bytes, UTF_8)).scalePercent()).isBetween(100, 500);
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
  }

  private static void refused(String hello) {
    assertThatThrownBy(() -> PageMessage.hello(hello.getBytes(UTF_8)))
        .isInstanceOf(ProtocolException.class);
  }
}
