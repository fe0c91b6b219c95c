package org.casement.relay;

import java.security.SecureRandom;
import org.casement.session.EventLog;
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
    SecureRandom random,
    EventLog log) {}
