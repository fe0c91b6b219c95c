package org.casement.protocol.rdp;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.casement.protocol.ProtocolException;

/// Stands in the clipboard's channel (`cliprdr`, [MS-RDPECLIP]) between the desktop and the page
/// and holds both to a [ClipboardPolicy], whatever either of them says. Text passes, as far as the
/// policy allows; files, pictures, HTML and everything unknown do not. What is not passed on is
/// answered here, so that neither end waits.
///
/// A message is passed on when it is whole: so much memory it takes, and no more than the policy's
/// limit for each direction.
public final class ClipboardGuard {
  /// The channel's name.
  public static final String CHANNEL = "cliprdr";

  /// Of a message that is no text; a Format List with some hundred names has less.
  static final int LIST_LIMIT_BYTES = 64 * 1024;

  // Message types ([MS-RDPECLIP] 2.2.1).
  private static final int MONITOR_READY = 1;
  private static final int FORMAT_LIST = 2;
  private static final int FORMAT_LIST_RESPONSE = 3;
  private static final int FORMAT_DATA_REQUEST = 4;
  private static final int FORMAT_DATA_RESPONSE = 5;
  private static final int CLIP_CAPS = 7;

  private static final int RESPONSE_OK = 1;
  private static final int RESPONSE_FAIL = 2;

  /// The only capability that is let through; the others are about files.
  private static final int USE_LONG_FORMAT_NAMES = 2;

  /// Message type, flags, length.
  private static final int HEADER_BYTES = 8;

  /// One at a time is what a well-behaved side asks.
  private static final int ASKED_LIMIT = 8;

  private static final int NOT_KNOWN = -1;
  private static final byte[] NOTHING = {};

  public enum Side {
    DESKTOP,
    PAGE;

    Side other() {
      return this == DESKTOP ? PAGE : DESKTOP;
    }
  }

  /// Takes what the guard lets through.
  public interface Wire {
    /// A PDU that the other side has sent, or that stands for one.
    void pass(Side to, byte[] pdu);

    /// A PDU that answers `to` itself. May be dropped where that side does not read.
    void answer(Side to, byte[] pdu);

    /// A text of `from` was too long, by its own word.
    void tooLong(Side from, long bytes);

    /// `by` has answered a list of the other side, with a yes or a no.
    void answered(Side by, boolean taken);

    /// Something of `from` was against the policy.
    void refused(Side from, String what);
  }

  /// What one side sends.
  private static final class Sender {
    final Side side;

    /// Its text may pass.
    final boolean allowed;

    /// Of one message: a large one's memory is given back with it.
    ByteArrayOutputStream message = new ByteArrayOutputStream();

    /// Of the message that is being put together.
    int type = NOT_KNOWN;

    long total;

    /// A message has begun, and is wanted.
    boolean collecting;

    int initiator;
    int showProtocol;
    boolean longNames;

    /// It has taken part in the initialisation with a list.
    boolean hasListed;

    /// It has accepted a list of the other side.
    boolean hasAccepted;

    /// Requests that were passed to it and are not answered yet.
    int asked;

    Sender(Side side, boolean allowed) {
      this.side = side;
      this.allowed = allowed;
    }
  }

  private final int channel;
  private final int textLimit;
  private final Wire wire;
  private final Sender desktop;
  private final Sender page;

  /// @param channel number of the MCS channel
  public ClipboardGuard(int channel, ClipboardPolicy policy, Wire wire) {
    this.channel = channel;
    this.textLimit = policy.limitBytes();
    this.wire = wire;
    this.desktop = new Sender(Side.DESKTOP, policy.fromDesktop());
    this.page = new Sender(Side.PAGE, policy.toDesktop());
  }

  /// Takes a PDU of the clipboard's channel that `from` has sent.
  public void accept(Side from, byte[] pdu) throws ProtocolException {
    ChannelChunk chunk = ChannelChunk.of(pdu);
    if (chunk.channel() != channel || chunk.fromClient() != (from == Side.PAGE)) {
      throw new ProtocolException("clipboard data of another channel or direction");
    }
    Sender sender = sender(from);
    sender.initiator = chunk.initiator();
    if ((chunk.flags() & ChannelChunk.FIRST) != 0) {
      sender.message = new ByteArrayOutputStream();
      sender.type = NOT_KNOWN;
      sender.total = chunk.total();
      sender.showProtocol = chunk.flags() & ChannelChunk.SHOW_PROTOCOL;
      sender.collecting = true;
    }
    if (!sender.collecting) {
      return;
    }
    if ((chunk.flags() & ChannelChunk.COMPRESSED) != 0) {
      abandon(sender, "compressed, which was not agreed");
      return;
    }
    long room = Math.min(sender.total, HEADER_BYTES + limit(sender)) - sender.message.size();
    int fits = (int) Math.min(chunk.data().length, Math.max(room, 0));
    sender.message.write(chunk.data(), 0, fits);
    if (sender.type == NOT_KNOWN && sender.message.size() >= 2) {
      sender.type = RdpPdu.u16le(sender.message.toByteArray(), 0);
    }
    if (sender.type == FORMAT_DATA_RESPONSE && sender.asked == 0) {
      abandon(sender, "text that nobody asked for");
      return;
    }
    if (sender.total > HEADER_BYTES + limit(sender)) {
      if (sender.type == FORMAT_DATA_RESPONSE) {
        wire.tooLong(from, sender.total - HEADER_BYTES);
      }
      abandon(sender, "too long");
    } else if (fits < chunk.data().length) {
      abandon(sender, "longer than it says");
    } else if ((chunk.flags() & ChannelChunk.LAST) != 0) {
      byte[] message = sender.message.toByteArray();
      long length = message.length < HEADER_BYTES ? -1 : RdpPdu.u32le(message, 4);
      if (message.length != sender.total || length < 0 || length > message.length - HEADER_BYTES) {
        abandon(sender, "malformed");
        return;
      }
      sender.collecting = false;
      sender.message = new ByteArrayOutputStream();
      // Some servers append bytes that the length does not count.
      int end = HEADER_BYTES + (int) length;
      whole(sender, RdpPdu.u16le(message, 2), Arrays.copyOfRange(message, HEADER_BYTES, end));
    }
  }

  private long limit(Sender sender) {
    return switch (sender.type) {
      case FORMAT_DATA_RESPONSE -> textLimit;
      case NOT_KNOWN -> Math.max(textLimit, LIST_LIMIT_BYTES);
      default -> LIST_LIMIT_BYTES;
    };
  }

  /// The rest of the message is swallowed, and whoever waits for it is told that it failed.
  private void abandon(Sender sender, String why) {
    sender.collecting = false;
    sender.message = new ByteArrayOutputStream();
    wire.refused(sender.side, why);
    if (sender.type == FORMAT_DATA_RESPONSE && sender.asked > 0) {
      sender.asked--;
      pass(sender, FORMAT_DATA_RESPONSE, RESPONSE_FAIL, NOTHING);
    } else if (sender.type == FORMAT_LIST) {
      answer(sender, FORMAT_LIST_RESPONSE, RESPONSE_FAIL);
    }
  }

  private void whole(Sender sender, int flags, byte[] body) {
    switch (sender.type) {
      case MONITOR_READY -> {
        if (sender.side == Side.DESKTOP) {
          pass(sender, MONITOR_READY, 0, NOTHING);
        }
      }
      case CLIP_CAPS -> capabilities(sender, body);
      case FORMAT_LIST -> list(sender, flags, body);
      case FORMAT_LIST_RESPONSE -> {
        boolean taken = flags == RESPONSE_OK;
        sender.hasAccepted |= taken;
        pass(sender, FORMAT_LIST_RESPONSE, flags, NOTHING);
        wire.answered(sender.side, taken);
      }
      case FORMAT_DATA_REQUEST -> request(sender, body);
      case FORMAT_DATA_RESPONSE -> response(sender, flags, body);
      default -> wire.refused(sender.side, "a message of type " + sender.type);
    }
  }

  /// One general capability set ([MS-RDPECLIP] 2.2.2.1), of which only long names are left.
  private void capabilities(Sender sender, byte[] body) {
    boolean general = body.length >= 16 && RdpPdu.u16le(body, 4) == 1;
    int version = general ? RdpPdu.u32le(body, 8) : 1;
    int flags = general ? RdpPdu.u32le(body, 12) & USE_LONG_FORMAT_NAMES : 0;
    sender.longNames = flags != 0;
    byte[] ours = {1, 0, 0, 0, 1, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    RdpPdu.putU32le(ours, 8, version);
    RdpPdu.putU32le(ours, 12, flags);
    pass(sender, CLIP_CAPS, 0, ours);
  }

  private void list(Sender sender, int flags, byte[] body) {
    // The page's first list, even an empty one, is what the desktop waits for. One that comes from
    // the desktop before it has accepted that finds the engine not ready, and would end it.
    boolean initial = sender.side == Side.PAGE && !sender.hasListed;
    boolean early = sender.side == Side.DESKTOP && !sender.hasAccepted;
    if (early || (!sender.allowed && !initial)) {
      answer(sender, FORMAT_LIST_RESPONSE, RESPONSE_OK);
      return;
    }
    sender.hasListed = true;
    boolean longNames = sender.longNames && other(sender).longNames;
    byte[] texts = sender.allowed ? ClipboardFormats.texts(body, longNames) : NOTHING;
    pass(sender, FORMAT_LIST, flags, texts);
  }

  private void request(Sender sender, byte[] body) {
    Sender owner = other(sender);
    boolean text = body.length >= 4 && ClipboardFormats.isText(RdpPdu.u32le(body, 0));
    if (owner.allowed && text && owner.asked < ASKED_LIMIT) {
      owner.asked++;
      pass(sender, FORMAT_DATA_REQUEST, 0, Arrays.copyOf(body, 4));
    } else {
      wire.refused(sender.side, text ? "a request for text" : "a request for what is no text");
      answer(sender, FORMAT_DATA_RESPONSE, RESPONSE_FAIL);
    }
  }

  private void response(Sender sender, int flags, byte[] body) {
    sender.asked--;
    boolean ok = flags == RESPONSE_OK;
    pass(sender, FORMAT_DATA_RESPONSE, ok ? RESPONSE_OK : RESPONSE_FAIL, ok ? body : NOTHING);
  }

  private Sender sender(Side side) {
    return side == Side.DESKTOP ? desktop : page;
  }

  private Sender other(Sender sender) {
    return sender(sender.side.other());
  }

  private void pass(Sender sender, int type, int flags, byte[] body) {
    for (byte[] pdu : pdus(sender, type, flags, body)) {
      wire.pass(sender.side.other(), pdu);
    }
  }

  /// As if the other side had said it.
  private void answer(Sender sender, int type, int flags) {
    wire.answer(sender.side, pdus(other(sender), type, flags, NOTHING).getFirst());
  }

  private List<byte[]> pdus(Sender as, int type, int flags, byte[] body) {
    byte[] message = new byte[HEADER_BYTES + body.length];
    RdpPdu.putU16le(message, 0, type);
    RdpPdu.putU16le(message, 2, flags);
    RdpPdu.putU32le(message, 4, body.length);
    System.arraycopy(body, 0, message, HEADER_BYTES, body.length);
    List<byte[]> pdus = new ArrayList<>();
    for (int at = 0; at < message.length; at += ChannelChunk.LIMIT_BYTES) {
      int end = Math.min(message.length, at + ChannelChunk.LIMIT_BYTES);
      int chunkFlags =
          as.showProtocol
              | (at == 0 ? ChannelChunk.FIRST : 0)
              | (end == message.length ? ChannelChunk.LAST : 0);
      byte[] data = Arrays.copyOfRange(message, at, end);
      pdus.add(
          new ChannelChunk(
                  as.side == Side.PAGE, as.initiator, channel, message.length, chunkFlags, data)
              .pdu());
    }
    return pdus;
  }
}
