package org.casement.supervisor;

import java.util.function.Consumer;
import org.casement.session.EndReason;
import org.casement.session.EventLog;
import org.casement.session.SessionEvent;
import org.casement.session.SessionState;

/// Writes each event of a session's story as one line of its log.
public record StoryLog(EventLog log) implements Consumer<SessionEvent> {
  @Override
  public void accept(SessionEvent event) {
    switch (event) {
      case SessionEvent.StateChanged changed -> state(changed.state());
      case SessionEvent.StepChanged step ->
          log.info(
              "step",
              "step",
              step.step().code(),
              "status",
              step.status().code(),
              "ms",
              step.sinceStart().toMillis(),
              "text",
              step.text());
      case SessionEvent.Warning warning -> log.warn("warning", "text", warning.text());
      case SessionEvent.TroubleBegan began ->
          log.warn("trouble", "what", began.trouble().code(), "text", began.text());
      case SessionEvent.TroubleOver over -> log.info("trouble-over", "what", over.trouble().code());
      case SessionEvent.WalltimeNotice notice ->
          log.info("walltime", "left", notice.left().toSeconds() + "s");
    }
  }

  private void state(SessionState state) {
    switch (state) {
      case SessionState.Draining draining -> state(state.code(), draining.reason());
      case SessionState.Ended ended -> state(state.code(), ended.reason());
      case SessionState.Preparing _, SessionState.Booting _, SessionState.Ready _ ->
          log.info("state", "state", state.code());
    }
  }

  private void state(String code, EndReason reason) {
    log.info("state", "state", code, "reason", reason.kind().code(), "text", reason.text());
  }
}
