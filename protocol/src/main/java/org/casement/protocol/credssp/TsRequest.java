package org.casement.protocol.credssp;

import static org.casement.protocol.der.DerWriter.explicit;
import static org.casement.protocol.der.DerWriter.integer;
import static org.casement.protocol.der.DerWriter.octets;
import static org.casement.protocol.der.DerWriter.value;

import java.util.Optional;
import java.util.OptionalInt;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.der.DerReader;

/// The one message of CredSSP ([MS-CSSP] 2.2.1), DER, in both directions.
///
/// @param negoToken the NTLM message; only one at a time is taken
/// @param authInfo the credentials, sealed
/// @param pubKeyAuth the binding to the TLS key, sealed
/// @param errorCode an NTSTATUS
@SuppressWarnings("ArrayRecordComponent") // bytes on their way through, compared by nobody
public record TsRequest(
    int version,
    Optional<byte[]> negoToken,
    Optional<byte[]> authInfo,
    Optional<byte[]> pubKeyAuth,
    OptionalInt errorCode,
    Optional<byte[]> clientNonce) {

  /// Longest taken. A server's longest holds the challenge, whose names of computer and domain come
  /// to some hundred bytes.
  public static final int LIMIT_BYTES = 8192;

  /// The length of the message that `bytes` begins with, or empty while too little is there to
  /// tell.
  public static OptionalInt length(byte[] bytes) throws ProtocolException {
    return DerReader.sequenceLength(bytes, LIMIT_BYTES);
  }

  static TsRequest decode(byte[] message) throws ProtocolException {
    if (message.length > LIMIT_BYTES) {
      throw new ProtocolException("TSRequest of more than " + LIMIT_BYTES + " bytes");
    }
    DerReader outer = DerReader.of(message);
    DerReader fields = outer.enter(DerReader.SEQUENCE);
    outer.end();
    DerReader version = fields.enter(DerReader.explicit(0));
    int number = version.integer();
    version.end();
    Optional<byte[]> negoToken = Optional.empty();
    if (fields.nextIs(DerReader.explicit(1))) {
      negoToken = Optional.of(negoToken(fields.enter(DerReader.explicit(1))));
    }
    Optional<byte[]> authInfo = octetsField(fields, 2);
    Optional<byte[]> pubKeyAuth = octetsField(fields, 3);
    OptionalInt errorCode = OptionalInt.empty();
    if (fields.nextIs(DerReader.explicit(4))) {
      DerReader field = fields.enter(DerReader.explicit(4));
      errorCode = OptionalInt.of(field.bits32());
      field.end();
    }
    Optional<byte[]> clientNonce = octetsField(fields, 5);
    fields.end();
    return new TsRequest(number, negoToken, authInfo, pubKeyAuth, errorCode, clientNonce);
  }

  /// The message, without an error code, which only servers send.
  byte[] encode() {
    return value(
        DerReader.SEQUENCE,
        integer(0, version),
        negoToken.map(TsRequest::negoData).orElse(new byte[0]),
        authInfo.map(bytes -> octets(2, bytes)).orElse(new byte[0]),
        pubKeyAuth.map(bytes -> octets(3, bytes)).orElse(new byte[0]),
        clientNonce.map(bytes -> octets(5, bytes)).orElse(new byte[0]));
  }

  /// NegoData: a sequence of sequences of one token each.
  private static byte[] negoData(byte[] token) {
    return explicit(1, value(DerReader.SEQUENCE, value(DerReader.SEQUENCE, octets(0, token))));
  }

  private static byte[] negoToken(DerReader field) throws ProtocolException {
    DerReader tokens = field.enter(DerReader.SEQUENCE);
    field.end();
    DerReader item = tokens.enter(DerReader.SEQUENCE);
    tokens.end();
    DerReader token = item.enter(DerReader.explicit(0));
    item.end();
    byte[] bytes = token.octets();
    token.end();
    return bytes;
  }

  private static Optional<byte[]> octetsField(DerReader fields, int n) throws ProtocolException {
    int tag = DerReader.explicit(n);
    if (!fields.nextIs(tag)) {
      return Optional.empty();
    }
    DerReader field = fields.enter(tag);
    byte[] bytes = field.octets();
    field.end();
    return Optional.of(bytes);
  }
}
