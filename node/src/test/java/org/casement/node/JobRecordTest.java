package org.casement.node;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.casement.node.TaskRequest.Listeners;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JobRecordTest {
  private static final JobRecord MADE =
      JobRecord.made("net:[4026532177]", 4294967291L)
          .with(new Listeners(2, 1), List.of(21000, 21001, 21002), false);

  @Test
  void whatIsWrittenIsRead() {
    assertThat(JobRecord.parse(MADE.text())).contains(MADE);
    assertThat(JobRecord.parse(JobRecord.UNMADE.text())).contains(JobRecord.UNMADE);
    JobRecord plain = JobRecord.made("net:[1]", 0);
    assertThat(JobRecord.parse(plain.text())).contains(plain);
    JobRecord session = MADE.with(JobRecord.Kind.SESSION);
    assertThat(JobRecord.parse(session.text())).contains(session);
    JobRecord relayed = plain.with(new Listeners(1, 0), List.of(21003), true);
    assertThat(JobRecord.parse(relayed.text())).contains(relayed);
  }

  @Test
  void tcpComesFirst() {
    assertThat(MADE.tcpPorts()).containsExactly(21000, 21001);
    assertThat(MADE.udpPorts()).containsExactly(21002);
  }

  /// Nothing of a damaged record is believed.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "net:[4026532177] 4294967291 2,1 [21000,21001,21002] JOB",
        "net:[4026532177] 4294967291 2,1 [21000,21001] JOB\n",
        "net:[4026532177] 4294967291 2,1 JOB\n",
        "net:[4026532177] x 0,0 [] JOB\n",
        "net:[4026532177] 1 0,0 [99999999999] JOB\n",
        "net:[4026532177] 1 0,0 [] OTHER\n",
        "net:[4026532177] 1 0,0 []\n",
        "net:[4026532177] 1 0,0 [] JOB ELSE\n",
        "net:[4026532177] 1 0,0 [] JOB RELAYED RELAYED\n",
        "\n"
      })
  void aDamagedOneIsNone(String text) {
    assertThat(JobRecord.parse(text)).isEmpty();
  }
}
