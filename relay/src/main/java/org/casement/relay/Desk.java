package org.casement.relay;

import java.security.SecureRandom;
import java.util.Set;
import java.util.function.Consumer;
import org.casement.session.EventLog;
import org.casement.session.PowerAction;
import org.casement.session.SessionStory;

/// What the connectors of one session share. `promise` is what seals the session, in the words of
/// the events (`unprivileged` or `node-agent`); `endSession` is called on an event loop when the
/// user ends the session, and returns at once.
public record Desk(
    EventLoops loops,
    Door door,
    SessionStory story,
    Pages pages,
    String promise,
    Runnable endSession,
    Power power,
    Screen screen,
    SecureRandom random,
    EventLog log) {

  /// The machine's buttons, on its console only. `press` is called on an event loop, with what is
  /// `allowed`, and returns at once.
  public record Power(Set<PowerAction> allowed, Consumer<PowerAction> press) {
    public Power {
      allowed = Set.copyOf(allowed);
    }
  }

  /// The machine's screen while it boots.
  public interface Screen {
    /// Tells `watcher` small pictures of it (PNG), now and then and on any thread, until the
    /// returned action is run.
    Runnable watch(Consumer<byte[]> watcher);
  }
}
