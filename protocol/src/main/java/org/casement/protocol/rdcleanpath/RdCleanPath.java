package org.casement.protocol.rdcleanpath;

import static org.casement.protocol.der.DerWriter.explicit;
import static org.casement.protocol.der.DerWriter.integer;
import static org.casement.protocol.der.DerWriter.octets;
import static org.casement.protocol.der.DerWriter.text;
import static org.casement.protocol.der.DerWriter.value;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.der.DerReader;

/// A message of RDCleanPath, the protocol by which the RDP engine in a browser leaves TCP, the
/// X.224 negotiation and TLS to us. DER, every field `[n] EXPLICIT`, in ascending order. The kind
/// shows by its fields: a request has a destination, a response the server's address.
@SuppressWarnings("ArrayRecordComponent") // bytes on their way through, compared by nobody
public sealed interface RdCleanPath {
  int VERSION = 3390;

  /// Longest request. The engine's own has some 200 bytes; its longest fields are texts of its
  /// page.
  int REQUEST_LIMIT_BYTES = 8192;

  /// From the browser. `destination` and `proxyAuth` are labels to us: we know our desktop, and the
  /// door has checked the tab.
  record Request(
      String destination,
      String proxyAuth,
      Optional<String> preconnectionBlob,
      byte[] connectionRequest)
      implements RdCleanPath {}

  /// TLS with the desktop stands; the engine checks the leaf's key, nothing else.
  record Response(byte[] connectionConfirm, List<byte[]> certificateChain, String serverAddress)
      implements RdCleanPath {}

  /// It did not work. `code` is [#GENERAL] or [#NEGOTIATION], the latter with the desktop's own
  /// X.224 answer; one of the others says more.
  record Failure(
      int code,
      OptionalInt httpStatus,
      OptionalInt wsaError,
      OptionalInt tlsAlert,
      Optional<byte[]> connectionConfirm)
      implements RdCleanPath {
    public static final int GENERAL = 1;
    public static final int NEGOTIATION = 2;

    /// Winsock's numbers, in which the engine is told what happened to the connection.
    public static final int WSA_RESET = 10054;

    public static final int WSA_TIMED_OUT = 10060;
    public static final int WSA_REFUSED = 10061;

    public static Failure http(int status) {
      return new Failure(
          GENERAL,
          OptionalInt.of(status),
          OptionalInt.empty(),
          OptionalInt.empty(),
          Optional.empty());
    }

    public static Failure wsa(int error) {
      return new Failure(
          GENERAL,
          OptionalInt.empty(),
          OptionalInt.of(error),
          OptionalInt.empty(),
          Optional.empty());
    }

    public static Failure tls(int alert) {
      return new Failure(
          GENERAL,
          OptionalInt.empty(),
          OptionalInt.empty(),
          OptionalInt.of(alert),
          Optional.empty());
    }

    public static Failure negotiation(byte[] connectionConfirm) {
      return new Failure(
          NEGOTIATION,
          OptionalInt.empty(),
          OptionalInt.empty(),
          OptionalInt.empty(),
          Optional.of(connectionConfirm));
    }
  }

  /// The length of the message that `bytes` begins with, or empty while too little is there to
  /// tell.
  static OptionalInt length(byte[] bytes) throws ProtocolException {
    return DerReader.sequenceLength(bytes, REQUEST_LIMIT_BYTES);
  }

  static RdCleanPath decode(byte[] message) throws ProtocolException {
    if (message.length > REQUEST_LIMIT_BYTES) {
      throw new ProtocolException("RDCleanPath of more than " + REQUEST_LIMIT_BYTES + " bytes");
    }
    DerReader outer = DerReader.of(message);
    DerReader fields = outer.enter(DerReader.SEQUENCE);
    outer.end();
    if (integerField(fields, 0) != VERSION) {
      throw new ProtocolException("RDCleanPath of another version than " + VERSION);
    }
    Optional<DerReader> error = field(fields, 1);
    Optional<String> destination = textField(fields, 2);
    Optional<String> proxyAuth = textField(fields, 3);
    textField(fields, 4); // serverAuth: nobody uses it
    Optional<String> blob = textField(fields, 5);
    Optional<DerReader> x224Field = field(fields, 6);
    Optional<byte[]> x224 = Optional.empty();
    if (x224Field.isPresent()) {
      x224 = Optional.of(x224Field.get().octets());
      x224Field.get().end();
    }
    Optional<DerReader> chain = field(fields, 7);
    Optional<String> serverAddress = textField(fields, 9);
    fields.end();
    if (destination.isPresent()) {
      return new Request(
          destination.get(),
          proxyAuth.orElse(""),
          blob,
          x224.orElseThrow(() -> new ProtocolException("RDCleanPath request without X.224")));
    }
    if (serverAddress.isPresent()) {
      return new Response(
          x224.orElseThrow(() -> new ProtocolException("RDCleanPath response without X.224")),
          chain.isPresent() ? certificates(chain.get()) : List.of(),
          serverAddress.get());
    }
    return failure(error.orElseThrow(() -> new ProtocolException("RDCleanPath of no kind")), x224);
  }

  static byte[] encode(RdCleanPath message) {
    byte[] version = integer(0, VERSION);
    return switch (message) {
      case Request request ->
          value(
              DerReader.SEQUENCE,
              version,
              text(2, request.destination()),
              text(3, request.proxyAuth()),
              request.preconnectionBlob().map(blob -> text(5, blob)).orElse(new byte[0]),
              octets(6, request.connectionRequest()));
      case Response response -> {
        ByteArrayOutputStream chain = new ByteArrayOutputStream();
        for (byte[] certificate : response.certificateChain()) {
          chain.writeBytes(value(DerReader.OCTET_STRING, certificate));
        }
        yield value(
            DerReader.SEQUENCE,
            version,
            octets(6, response.connectionConfirm()),
            explicit(7, value(DerReader.SEQUENCE, chain.toByteArray())),
            text(9, response.serverAddress()));
      }
      case Failure failure ->
          value(
              DerReader.SEQUENCE,
              version,
              explicit(
                  1,
                  value(
                      DerReader.SEQUENCE,
                      integer(0, failure.code()),
                      optional(1, failure.httpStatus()),
                      optional(2, failure.wsaError()),
                      optional(3, failure.tlsAlert()))),
              failure.connectionConfirm().map(x224 -> octets(6, x224)).orElse(new byte[0]));
    };
  }

  private static byte[] optional(int n, OptionalInt value) {
    return value.isPresent() ? integer(n, value.getAsInt()) : new byte[0];
  }

  private static Failure failure(DerReader field, Optional<byte[]> x224) throws ProtocolException {
    DerReader error = field.enter(DerReader.SEQUENCE);
    field.end();
    int code = integerField(error, 0);
    OptionalInt http = optionalInteger(error, 1);
    OptionalInt wsa = optionalInteger(error, 2);
    OptionalInt tls = optionalInteger(error, 3);
    error.end();
    return new Failure(code, http, wsa, tls, x224);
  }

  private static List<byte[]> certificates(DerReader field) throws ProtocolException {
    DerReader chain = field.enter(DerReader.SEQUENCE);
    field.end();
    List<byte[]> certificates = new ArrayList<>();
    while (chain.hasMore()) {
      certificates.add(chain.octets());
    }
    return List.copyOf(certificates);
  }

  private static Optional<DerReader> field(DerReader fields, int n) throws ProtocolException {
    int tag = DerReader.explicit(n);
    return fields.nextIs(tag) ? Optional.of(fields.enter(tag)) : Optional.empty();
  }

  private static Optional<String> textField(DerReader fields, int n) throws ProtocolException {
    Optional<DerReader> field = field(fields, n);
    if (field.isEmpty()) {
      return Optional.empty();
    }
    String text = field.get().text();
    field.get().end();
    return Optional.of(text);
  }

  private static OptionalInt optionalInteger(DerReader fields, int n) throws ProtocolException {
    Optional<DerReader> field = field(fields, n);
    if (field.isEmpty()) {
      return OptionalInt.empty();
    }
    int value = field.get().integer();
    field.get().end();
    return OptionalInt.of(value);
  }

  private static int integerField(DerReader fields, int n) throws ProtocolException {
    return optionalInteger(fields, n)
        .orElseThrow(() -> new ProtocolException("RDCleanPath without field " + n));
  }
}
