package org.casement.relay;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class PumpTest {
  @Test
  void aReasonFitsIntoACloseFrame() {
    assertThat(ProvenSocket.shortened("x".repeat(123))).hasSize(123);
    assertThat(ProvenSocket.shortened("x".repeat(124))).hasSize(123);
    String snowmen = ProvenSocket.shortened("☃".repeat(42));
    assertThat(snowmen.getBytes(StandardCharsets.UTF_8)).hasSize(123);
    assertThat(ProvenSocket.shortened("😀".repeat(31))).isEqualTo("😀".repeat(30));
  }
}
