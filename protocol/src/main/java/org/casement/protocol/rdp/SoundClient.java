package org.casement.protocol.rdp;

import java.util.Arrays;
import java.util.List;
import org.casement.protocol.ProtocolException;
import org.jspecify.annotations.Nullable;

/// The client's side of sound ([MS-RDPEA]) on the static virtual channel [#CHANNEL]: agrees on one
/// format, answers the training, confirms every block.
///
/// The format is PCM, 16 bits, two channels, 44.1 kHz: what every server has, and what a browser
/// plays without a decoder. A block is confirmed at once, so the server sends as fast as the sound
/// goes; whoever plays it bounds what waits.
public final class SoundClient {
  /// The channel's name.
  public static final String CHANNEL = "rdpsnd";

  /// Samples of each channel, a second.
  public static final int RATE_HERTZ = 44_100;

  /// Two channels of 16 bits, little-endian.
  public static final int FRAME_BYTES = 4;

  /// The body's length has 16 bits.
  public static final int MESSAGE_LIMIT_BYTES = 4 + 0xffff;

  private static final int SNDC_WAVE = 0x02;
  private static final int SNDC_WAVECONFIRM = 0x05;
  private static final int SNDC_TRAINING = 0x06;
  private static final int SNDC_FORMATS = 0x07;
  private static final int SNDC_QUALITYMODE = 0x0c;
  private static final int SNDC_WAVE2 = 0x0d;

  private static final int HEADER_BYTES = 4;

  /// Since 8 there is Wave2, since 6 the quality mode.
  private static final int VERSION = 8;

  private static final int VERSION_WITH_QUALITY = 6;
  private static final int HIGH_QUALITY = 2;
  private static final int TSSNDCAPS_ALIVE = 1;

  // Server Audio Formats and Version (2.2.2.1), and Client (2.2.2.2): offsets with the header.
  private static final int FORMAT_COUNT = 18;
  private static final int FORMATS_VERSION = 21;
  private static final int FORMATS = 24;

  // AUDIO_FORMAT (2.2.2.1.1).
  private static final int FORMAT_EXTRA_LENGTH = 16;
  private static final int FORMAT_BYTES = 18;

  /// WAVE_FORMAT_PCM, two channels, 44100 samples a second, bytes a second, bytes a frame, bits a
  /// sample, nothing more.
  private static final byte[] PCM = pcm();

  // WaveInfo (2.2.3.3), Wave2 (2.2.3.10).
  private static final int WAVE_FORMAT = 6;
  private static final int WAVE_BLOCK = 8;
  private static final int WAVE_INFO_BYTES = 16;
  private static final int WAVE_INFO_DATA = 12;
  private static final int WAVE2_DATA = 16;

  /// The padding at the start of a Wave PDU (2.2.3.4), where the WaveInfo's first bytes belong.
  private static final int WAVE_PAD_BYTES = 4;

  private static final byte[] NONE = new byte[0];

  /// What a message asks for.
  ///
  /// @param replies to be sent on the channel, in order
  /// @param sound to be played: whole frames, none where the message brought none
  @SuppressWarnings("ArrayRecordComponent") // bytes on their way through, compared by nobody
  public record Step(List<byte[]> replies, byte[] sound) {}

  private boolean agreed;

  /// A WaveInfo whose Wave comes next.
  private byte @Nullable [] waveInfo;

  /// Takes one message of the server.
  public Step receive(byte[] message) throws ProtocolException {
    byte[] info = waveInfo;
    if (info != null) {
      waveInfo = null;
      return wave(info, message);
    }
    if (message.length < HEADER_BYTES) {
      throw new ProtocolException("sound message of " + message.length + " bytes");
    }
    return switch (message[0]) {
      case SNDC_FORMATS -> formats(message);
      case SNDC_TRAINING -> {
        need(message, HEADER_BYTES + 4);
        yield reply(pdu(SNDC_TRAINING, Arrays.copyOfRange(message, 4, 8)));
      }
      case SNDC_WAVE -> {
        needAgreed(message);
        if (message.length != WAVE_INFO_BYTES || body(message) < WAVE_INFO_DATA) {
          throw new ProtocolException("malformed sound information");
        }
        waveInfo = message;
        yield new Step(List.of(), NONE);
      }
      case SNDC_WAVE2 -> {
        need(message, WAVE2_DATA);
        needAgreed(message);
        yield played(message, Arrays.copyOfRange(message, WAVE2_DATA, message.length));
      }
      // Volume and pitch were not offered, so a server has no business with them; a close is only
      // a pause.
      default -> new Step(List.of(), NONE);
    };
  }

  private Step formats(byte[] message) throws ProtocolException {
    need(message, FORMATS);
    int count = RdpPdu.u16le(message, FORMAT_COUNT);
    int at = FORMATS;
    agreed = false;
    for (int i = 0; i < count; i++) {
      if (message.length - at < FORMAT_BYTES) {
        throw new ProtocolException("sound formats cut short");
      }
      agreed |= Arrays.equals(message, at, at + FORMAT_BYTES, PCM, 0, FORMAT_BYTES);
      at += FORMAT_BYTES + RdpPdu.u16le(message, at + FORMAT_EXTRA_LENGTH);
    }
    byte[] answer = new byte[agreed ? FORMATS + FORMAT_BYTES : FORMATS];
    RdpPdu.putU32le(answer, HEADER_BYTES, TSSNDCAPS_ALIVE);
    RdpPdu.putU16le(answer, FORMAT_COUNT, agreed ? 1 : 0);
    RdpPdu.putU16le(answer, FORMATS_VERSION, VERSION);
    if (agreed) {
      System.arraycopy(PCM, 0, answer, FORMATS, FORMAT_BYTES);
    }
    byte[] ours = pdu(SNDC_FORMATS, Arrays.copyOfRange(answer, HEADER_BYTES, answer.length));
    return RdpPdu.u16le(message, FORMATS_VERSION) < VERSION_WITH_QUALITY
        ? reply(ours)
        : new Step(List.of(ours, pdu(SNDC_QUALITYMODE, new byte[] {HIGH_QUALITY, 0, 0, 0})), NONE);
  }

  /// Whether the server has the one format.
  public boolean agreed() {
    return agreed;
  }

  private Step wave(byte[] info, byte[] rest) throws ProtocolException {
    int length = body(info) - (WAVE_INFO_DATA - HEADER_BYTES);
    if (rest.length != length) {
      throw new ProtocolException("sound of another length than was said");
    }
    System.arraycopy(info, WAVE_INFO_DATA, rest, 0, WAVE_PAD_BYTES);
    return played(info, rest);
  }

  private static Step played(byte[] header, byte[] sound) {
    byte[] confirm = {header[4], header[5], header[WAVE_BLOCK], 0};
    int whole = sound.length - sound.length % FRAME_BYTES;
    return new Step(
        List.of(pdu(SNDC_WAVECONFIRM, confirm)),
        whole == sound.length ? sound : Arrays.copyOf(sound, whole));
  }

  private void needAgreed(byte[] message) throws ProtocolException {
    need(message, WAVE_FORMAT + 2);
    if (!agreed || RdpPdu.u16le(message, WAVE_FORMAT) != 0) {
      throw new ProtocolException("sound in a format that was not agreed on");
    }
  }

  private static void need(byte[] message, int bytes) throws ProtocolException {
    if (message.length < bytes) {
      throw new ProtocolException("sound message cut short");
    }
  }

  private static int body(byte[] message) {
    return RdpPdu.u16le(message, 2);
  }

  private static Step reply(byte[] pdu) {
    return new Step(List.of(pdu), NONE);
  }

  private static byte[] pdu(int type, byte[] body) {
    byte[] pdu = new byte[HEADER_BYTES + body.length];
    pdu[0] = (byte) type;
    RdpPdu.putU16le(pdu, 2, body.length);
    System.arraycopy(body, 0, pdu, HEADER_BYTES, body.length);
    return pdu;
  }

  private static byte[] pcm() {
    byte[] format = new byte[FORMAT_BYTES];
    RdpPdu.putU16le(format, 0, 1);
    RdpPdu.putU16le(format, 2, 2);
    RdpPdu.putU32le(format, 4, RATE_HERTZ);
    RdpPdu.putU32le(format, 8, RATE_HERTZ * FRAME_BYTES);
    RdpPdu.putU16le(format, 12, FRAME_BYTES);
    RdpPdu.putU16le(format, 14, 16);
    return format;
  }
}
