package org.casement.protocol.guestapi;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.Map;
import org.casement.protocol.ProtocolException;

/// The members of the one JSON object that a body from the guest is. Nothing but UTF-8 is read, and
/// nothing may follow the object; members that nobody asks for are ignored.
final class Members {
  /// Ours have a depth of 1; the rest is for members that a later version adds.
  static final int DEPTH_LIMIT = 16;

  /// Digits of the longest long, and room. Turning digits into a number costs more than linear
  /// time.
  static final int NUMBER_LIMIT_CHARS = 40;

  /// Names are not kept from one body to the next: the guest chooses them.
  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(DEPTH_LIMIT)
                  .maxNumberLength(NUMBER_LIMIT_CHARS)
                  .build())
          .build();

  private final Map<String, Object> values;

  private Members(Map<String, Object> values) {
    this.values = values;
  }

  static Members of(byte[] body) throws ProtocolException {
    if (body.length > GuestRequest.LIMIT_BYTES) {
      throw new ProtocolException("body of more than " + GuestRequest.LIMIT_BYTES + " bytes");
    }
    String text;
    try {
      text = UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString();
    } catch (CharacterCodingException malformed) {
      throw new ProtocolException("body is not UTF-8", malformed);
    }
    try (JsonParser parser = FACTORY.createParser(text)) {
      Map<String, Object> values = JSON.std.mapFrom(parser);
      if (values == null || parser.nextToken() != null) {
        throw new ProtocolException("body is not one JSON object");
      }
      return new Members(values);
    } catch (IOException malformed) {
      throw new ProtocolException("body is not one JSON object", malformed);
    }
  }

  String text(String name) throws ProtocolException {
    if (values.get(name) instanceof String text) {
      return text;
    }
    throw new ProtocolException(name + " is not a string");
  }

  boolean flag(String name) throws ProtocolException {
    if (values.get(name) instanceof Boolean flag) {
      return flag;
    }
    throw new ProtocolException(name + " is not true or false");
  }

  /// A number without fraction or exponent, from `least` to `most`.
  long wholeNumber(String name, long least, long most) throws ProtocolException {
    long number =
        switch (values.get(name)) {
          case Integer small -> small;
          case Long large -> large;
          case null, default -> throw new ProtocolException(name + " is not a whole number");
        };
    if (number < least || number > most) {
      throw new ProtocolException(name + " is not between " + least + " and " + most);
    }
    return number;
  }
}
