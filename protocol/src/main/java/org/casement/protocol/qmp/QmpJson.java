package org.casement.protocol.qmp;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.util.Collections;
import java.util.Map;
import org.casement.protocol.ProtocolException;

/// JSON as a hostile QEMU may write it: bounded before anything is built from it.
final class QmpJson {
  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(QmpMessage.LIMIT_DEPTH)
                  .maxNumberLength(QmpMessage.LIMIT_DIGITS)
                  .maxStringLength(QmpMessage.LIMIT_BYTES)
                  .build())
          .build();

  private QmpJson() {}

  /// The members of the one object that `line` is.
  static Map<String, Object> object(byte[] line) throws ProtocolException {
    if (line.length > QmpMessage.LIMIT_BYTES) {
      throw new ProtocolException("QMP: a line of more than " + QmpMessage.LIMIT_BYTES + " bytes");
    }
    try (JsonParser parser = FACTORY.createParser(line)) {
      Map<String, Object> members = JSON.std.mapFrom(parser);
      if (members == null || parser.nextToken() != null) {
        throw new ProtocolException("QMP: a line that is not one JSON object");
      }
      return Collections.unmodifiableMap(members);
    } catch (IOException malformed) {
      throw new ProtocolException("QMP: a line that is not one JSON object", malformed);
    }
  }
}
