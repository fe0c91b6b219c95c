package org.casement.session;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.casement.session.SessionEvent.StateChanged;
import org.casement.session.SessionEvent.StepChanged;
import org.casement.session.SessionEvent.StepStatus;
import org.casement.session.SessionEvent.TroubleBegan;
import org.casement.session.SessionEvent.TroubleOver;
import org.casement.session.SessionEvent.WalltimeNotice;
import org.casement.session.SessionEvent.Warning;
import org.casement.session.SessionState.Preparing;

/// What has happened in one session so far, and where it stands: the supervisor tells it, the page
/// and the log follow it. Thread-safe; a follower is called on the teller's thread while this
/// object's lock is held, so that events arrive in order: it must hand over and return.
public final class SessionStory {
  /// Warnings kept for pages that open later; older ones are only in the log.
  static final int WARNINGS_LIMIT = 20;

  private final SessionId id;
  private final Instant start;
  private final Optional<Instant> walltimeEnd;
  private final InstantSource clock;
  private final List<Consumer<SessionEvent>> followers = new CopyOnWriteArrayList<>();
  private final Map<Step, StepChanged> steps = new EnumMap<>(Step.class);
  private final List<Warning> warnings = new ArrayList<>();
  private final Map<Trouble, TroubleBegan> troubles = new EnumMap<>(Trouble.class);
  private SessionState state;

  public SessionStory(SessionId id, Optional<Instant> walltimeEnd, InstantSource clock) {
    this.id = id;
    this.walltimeEnd = walltimeEnd;
    this.clock = clock;
    this.start = clock.instant();
    this.state = new Preparing(start);
  }

  public SessionId id() {
    return id;
  }

  public Instant start() {
    return start;
  }

  public Optional<Instant> walltimeEnd() {
    return walltimeEnd;
  }

  public Instant now() {
    return clock.instant();
  }

  public synchronized SessionState state() {
    return state;
  }

  /// Moves on to `next`; ignored where the session is already as far or farther, so that the first
  /// reason to end is the one that stays.
  ///
  /// @return whether the state changed
  public synchronized boolean become(SessionState next) {
    if (next.rank() <= state.rank()) {
      return false;
    }
    state = next;
    tell(new StateChanged(clock.instant(), next));
    return true;
  }

  public synchronized void step(Step step, StepStatus status, String text) {
    StepChanged changed =
        new StepChanged(step, status, Duration.between(start, clock.instant()), text);
    steps.put(step, changed);
    tell(changed);
  }

  public synchronized void warn(String text) {
    Warning warning = new Warning(clock.instant(), text);
    if (warnings.size() == WARNINGS_LIMIT) {
      warnings.removeFirst();
    }
    warnings.add(warning);
    tell(warning);
  }

  public synchronized void trouble(Trouble trouble, String text) {
    TroubleBegan began = new TroubleBegan(clock.instant(), trouble, text);
    troubles.put(trouble, began);
    tell(began);
  }

  /// Ignored where `trouble` was not told.
  public synchronized void over(Trouble trouble) {
    if (troubles.remove(trouble) != null) {
      tell(new TroubleOver(clock.instant(), trouble));
    }
  }

  public synchronized void walltimeNotice(Duration left) {
    tell(new WalltimeNotice(clock.instant(), left));
  }

  /// Tells `follower` everything that still matters (state, last word on each step, warnings,
  /// troubles), then every later event, without gap or repetition, until the returned subscription
  /// is closed.
  public synchronized Subscription follow(Consumer<SessionEvent> follower) {
    follower.accept(new StateChanged(clock.instant(), state));
    steps.values().forEach(follower);
    warnings.forEach(follower);
    troubles.values().forEach(follower);
    followers.add(follower);
    return () -> followers.remove(follower);
  }

  private void tell(SessionEvent event) {
    for (Consumer<SessionEvent> follower : followers) {
      follower.accept(event);
    }
  }

  /// Ends what [#follow] began.
  public interface Subscription extends AutoCloseable {
    @Override
    void close();
  }
}
