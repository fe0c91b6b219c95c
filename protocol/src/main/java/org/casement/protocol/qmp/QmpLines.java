package org.casement.protocol.qmp;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.casement.protocol.ProtocolException;

/// Cuts what QEMU sends into lines. Does no I/O: feed it bytes, ask it for lines until there is
/// none. Holds one line of at most [QmpMessage#LIMIT_BYTES] and what was fed last. Not thread-safe.
public final class QmpLines {
  private final ByteArrayOutputStream line = new ByteArrayOutputStream();
  private ByteBuffer fed = ByteBuffer.allocate(0);

  /// Reads `bytes` as lines are asked for. They stay as they are until [#next] is empty; then the
  /// buffer may be used again.
  public void feed(ByteBuffer bytes) {
    if (fed.hasRemaining()) {
      throw new IllegalStateException("fed before all lines were taken");
    }
    fed = bytes.duplicate();
  }

  /// The next whole line without its end, which is CR LF in QEMU's words and may be LF alone.
  public Optional<byte[]> next() throws ProtocolException {
    while (fed.hasRemaining()) {
      byte b = fed.get();
      if (b == '\n') {
        byte[] whole = line.toByteArray();
        line.reset();
        return Optional.of(withoutCarriageReturn(whole));
      }
      if (line.size() > QmpMessage.LIMIT_BYTES) { // one more than the limit, for the CR
        throw new ProtocolException(
            "QMP: a line of more than " + QmpMessage.LIMIT_BYTES + " bytes");
      }
      line.write(b);
    }
    return Optional.empty();
  }

  private static byte[] withoutCarriageReturn(byte[] line) {
    int end = line.length;
    return end > 0 && line[end - 1] == '\r' ? java.util.Arrays.copyOf(line, end - 1) : line;
  }
}
