package org.casement.relay;

import java.util.function.Consumer;

/// What a listener shows besides the events: a desktop or the machine's screen, or the desktop's
/// sound beside it. `name` is the last part of the WebSocket's path and enters the proof. `opened`
/// takes each WebSocket on its event loop and adds a handler for its frames at once.
public record Route(Shows shows, String name, Consumer<ProvenSocket> opened) {
  public enum Shows {
    DESKTOP,
    SCREEN,
    SOUND
  }
}
