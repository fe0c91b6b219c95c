package org.casement.web;

import com.fasterxml.jackson.jr.ob.JSON;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.casement.protocol.rdp.ClipboardGuard.Side;
import org.casement.protocol.rdp.ClipboardPolicy;
import org.casement.relay.CloseCode;
import org.casement.relay.ProvenSocket;
import org.casement.session.EventLog;

/// Tells the page, in text messages beside the engine's binary ones (contracts/door.md), and the
/// log what becomes of the clipboard. On the event loop.
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
final class ClipboardNotes implements ClipboardFilter.Observer {
  /// A guest can be refused as often as it likes, and is not heard so often.
  private static final long TOO_LONG_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(5);

  private final ProvenSocket page;
  private final EventLog log;
  private final Set<Side> refused = EnumSet.noneOf(Side.class);
  private long nextTooLong = System.nanoTime();

  ClipboardNotes(ProvenSocket page, EventLog log) {
    this.page = page;
    this.log = log;
  }

  void policy(ClipboardPolicy policy) {
    tell(
        Map.of(
            "type", "clipboard",
            "fromDesktop", policy.fromDesktop(),
            "toDesktop", policy.toDesktop(),
            "limitBytes", policy.limitBytes()));
  }

  @Override
  public void tooLong(Side from, long bytes) {
    if (System.nanoTime() - nextTooLong < 0) {
      return;
    }
    nextTooLong = System.nanoTime() + TOO_LONG_PAUSE_NANOS;
    log.warn("clipboard-too-long", "from", word(from), "bytes", String.valueOf(bytes));
    tell(Map.of("type", "clipboard-too-long", "from", word(from), "bytes", bytes));
  }

  /// An ordinary desktop offers pictures and files as well: once a connection is enough to know.
  @Override
  public void refused(Side from, String what) {
    if (refused.add(from)) {
      log.info("clipboard-refused", "from", word(from), "what", what);
    }
  }

  /// A page that does not read needs no such word.
  @Override
  public void answered(Side by, boolean taken) {
    if (by == Side.DESKTOP && pageReads()) {
      tell(Map.of("type", "clipboard-answered", "taken", taken));
    }
  }

  @Override
  public void broken(Side by, String how) {
    log.warn("desktop-refused", "by", word(by), "why", how);
    page.close(by == Side.PAGE ? CloseCode.BAD_MESSAGE : CloseCode.NOT_THERE, how);
  }

  @Override
  public boolean pageReads() {
    return page.channel().isWritable();
  }

  private static String word(Side side) {
    return side == Side.DESKTOP ? "desktop" : "page";
  }

  private void tell(Map<String, Object> message) {
    if (page.isClosing()) {
      return;
    }
    try {
      page.channel().writeAndFlush(new TextWebSocketFrame(JSON.std.asString(message)));
    } catch (IOException impossible) {
      throw new UncheckedIOException("writing JSON into memory", impossible);
    }
  }
}
