package org.casement.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.Optional;
import org.casement.node.TaskRequest.Event;
import org.casement.node.TaskRequest.Listeners;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TaskRequestTest {
  private static final String TASK =
      "task 1\njob 12\nstep 4294967291\nuid 1002\ngid 1002\ntasks 3\nasked 1\nlisteners 2,1\n";

  @Test
  void aTaskThatAsks() {
    assertThat(TaskRequest.parse(TASK))
        .contains(
            new TaskRequest(Event.TASK, 12, 4294967291L, 1002, 3, true, new Listeners(2, 1), ""));
  }

  @Test
  void aJobThatComesAndGoes() {
    assertThat(TaskRequest.parse("begin 1\njob 12\nuid 1002\npartition main\n"))
        .contains(new TaskRequest(Event.BEGIN, 12, 0, 1002, 1, false, Listeners.NONE, "main"));
    assertThat(TaskRequest.parse("end 1\njob 12\nuid 1002\npartition main\n"))
        .map(TaskRequest::event)
        .contains(Event.END);
  }

  /// What scripts that were written for spank_iso_netns may say.
  @ParameterizedTest
  @CsvSource({
    "'', 0, 0",
    "' 3', 3, 0",
    "+2, 2, 0",
    "01, 1, 0",
    "'1,', 1, 0",
    "0, 0, 0",
    "'0,0', 0, 0",
    "'20,20', 20, 20"
  })
  void listenersAreAsThePredecessorTookThem(String text, int tcp, int udp) {
    assertThat(Listeners.parse(text)).contains(new Listeners(tcp, udp));
  }

  @ParameterizedTest
  @ValueSource(strings = {"abc", "-1", "21", "0x10", "1,2,3", "1,21", "99999999999999999999"})
  void otherListenersAreRefused(String text) {
    assertThat(Listeners.parse(text)).isEmpty();
    assertThat(TaskRequest.parse(TASK.replace("2,1", text))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "task 2\njob 1\nuid 1\n",
        "task 1\n",
        "task 1\njob -1\nuid 1\n",
        "task 1\njob 1\n"
      })
  void whatIsNotUnderstoodIsRefused(String text) {
    assertThat(TaskRequest.parse(text)).isEmpty();
  }

  @FuzzTest
  void anyTextIsTakenOrRefused(byte[] packet) {
    Optional<TaskRequest> request = TaskRequest.parse(new String(packet, UTF_8));
    request.ifPresent(
        taken -> {
          assertThat(taken.job()).isBetween(0L, 0xffffffffL);
          assertThat(taken.listeners().tcp()).isBetween(0, 20);
          assertThat(taken.listeners().udp()).isBetween(0, 20);
        });
  }
}
