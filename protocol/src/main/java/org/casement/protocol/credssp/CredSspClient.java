package org.casement.protocol.credssp;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static org.casement.protocol.der.DerWriter.integer;
import static org.casement.protocol.der.DerWriter.octets;
import static org.casement.protocol.der.DerWriter.value;

import java.security.MessageDigest;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.random.RandomGenerator;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.der.DerReader;
import org.casement.session.Secret;

/// CredSSP as its client ([MS-CSSP] 3.1.5), inside a TLS connection that stands: proves the account
/// by NTLMv2, both sides prove that they see the same TLS key, then the credentials are delegated.
///
/// Send what [#begin] returns; give each whole message of the server (see [TsRequest#length]) to
/// [#receive] and do what it says. Only versions 5 and 6: what older ones sign can be relayed to
/// another server (CVE-2018-0886). One log-in, not thread-safe.
public final class CredSspClient {
  private static final int VERSION = 6;

  /// The first that signs a hash with a nonce instead of the bare key.
  private static final int LEAST_VERSION = 5;

  private static final int NONCE_BYTES = 32;
  private static final byte[] CLIENT_BINDING =
      "CredSSP Client-To-Server Binding Hash\0".getBytes(US_ASCII);
  private static final byte[] SERVER_BINDING =
      "CredSSP Server-To-Client Binding Hash\0".getBytes(US_ASCII);

  /// TSCredentials.credType: a password.
  private static final int PASSWORD = 1;

  /// What to do next.
  @SuppressWarnings("ArrayRecordComponent") // bytes on their way through, compared by nobody
  public sealed interface Step {
    /// Send this, and wait for the server.
    record Send(byte[] message) implements Step {}

    /// Send this; the log-in is over and RDP begins.
    record Finish(byte[] message) implements Step {}

    /// The server does not let the account in.
    record Refused(LogonFailure why, int ntStatus) implements Step {}
  }

  private enum Awaits {
    BEGIN,
    CHALLENGE,
    SERVER_BINDING,
    NOTHING
  }

  private final String domain;
  private final String user;
  private final Secret password;
  private final byte[] subjectPublicKey;
  private final NtlmClient ntlm;
  private final byte[] nonce = new byte[NONCE_BYTES];
  private Awaits awaits = Awaits.BEGIN;
  private Optional<byte[]> sessionKey = Optional.empty();
  private Optional<NtlmSeal> sending = Optional.empty();

  /// A log-in that has not begun.
  ///
  /// @param domain empty for an account of the server's own
  /// @param publicKeyInfo the SubjectPublicKeyInfo of the server's TLS certificate, DER
  /// @param random a secure one
  public CredSspClient(
      String domain, String user, Secret password, byte[] publicKeyInfo, RandomGenerator random)
      throws ProtocolException {
    this.domain = domain;
    this.user = user;
    this.password = password;
    this.subjectPublicKey = subjectPublicKey(publicKeyInfo);
    this.ntlm = new NtlmClient(domain, user, password, random);
    random.nextBytes(nonce);
  }

  /// The content of the key alone, without its algorithm (RFC 5280, 4.1.2.7).
  private static byte[] subjectPublicKey(byte[] publicKeyInfo) throws ProtocolException {
    DerReader outer = DerReader.of(publicKeyInfo);
    DerReader fields = outer.enter(DerReader.SEQUENCE);
    outer.end();
    fields.enter(DerReader.SEQUENCE); // algorithm
    byte[] key = fields.bits();
    fields.end();
    return key;
  }

  /// The first message.
  public byte[] begin() {
    expect(Awaits.BEGIN);
    awaits = Awaits.CHALLENGE;
    return token(ntlm.negotiateMessage(), Optional.empty(), Optional.empty());
  }

  /// Whether the account has been named and proven, and the server has not answered yet. A server
  /// that closes the connection now refuses the log-in, without saying why.
  public boolean awaitsVerdict() {
    return awaits == Awaits.SERVER_BINDING;
  }

  /// Takes the server's next message.
  ///
  /// @param message one whole message
  public Step receive(byte[] message) throws ProtocolException {
    TsRequest request = TsRequest.decode(message);
    if (request.errorCode().isPresent() && request.errorCode().getAsInt() != 0) {
      awaits = Awaits.NOTHING;
      int status = request.errorCode().getAsInt();
      return new Step.Refused(LogonFailure.of(status), status);
    }
    if (request.version() < LEAST_VERSION) {
      throw new ProtocolException(
          "the server speaks CredSSP version " + request.version() + ", safe are 5 and later");
    }
    return switch (awaits) {
      case CHALLENGE -> challenged(request);
      case SERVER_BINDING -> bound(request);
      case BEGIN, NOTHING -> throw new ProtocolException("CredSSP: a message out of turn");
    };
  }

  private Step challenged(TsRequest request) throws ProtocolException {
    byte[] challenge =
        request
            .negoToken()
            .orElseThrow(() -> new ProtocolException("CredSSP: no challenge from the server"));
    NtlmClient.Authenticated authenticated = ntlm.authenticate(challenge);
    NtlmSeal seal = NtlmSeal.clientToServer(authenticated.exportedSessionKey());
    sessionKey = Optional.of(authenticated.exportedSessionKey());
    sending = Optional.of(seal);
    awaits = Awaits.SERVER_BINDING;
    byte[] binding = seal.seal(Digests.sha256(CLIENT_BINDING, nonce, subjectPublicKey));
    return new Step.Send(
        token(authenticated.message(), Optional.of(binding), Optional.of(nonce.clone())));
  }

  private Step bound(TsRequest request) throws ProtocolException {
    byte[] sealed =
        request
            .pubKeyAuth()
            .orElseThrow(() -> new ProtocolException("CredSSP: no binding from the server"));
    byte[] binding = NtlmSeal.serverToClient(sessionKey.orElseThrow()).open(sealed);
    byte[] expected = Digests.sha256(SERVER_BINDING, nonce, subjectPublicKey);
    // SECURITY: before the password is sent. Whoever ends the TLS connection is who was proven to.
    if (!MessageDigest.isEqual(binding, expected)) {
      throw new ProtocolException("CredSSP: the server sees another TLS key");
    }
    awaits = Awaits.NOTHING;
    byte[] credentials = sending.orElseThrow().seal(credentials());
    return new Step.Finish(
        new TsRequest(
                VERSION,
                Optional.empty(),
                Optional.of(credentials),
                Optional.empty(),
                OptionalInt.empty(),
                Optional.empty())
            .encode());
  }

  /// TSCredentials with TSPasswordCreds ([MS-CSSP] 2.2.1.2).
  private byte[] credentials() {
    byte[] passwordCredentials =
        value(
            DerReader.SEQUENCE,
            octets(0, domain.getBytes(UTF_16LE)),
            octets(1, user.getBytes(UTF_16LE)),
            octets(2, password.text().getBytes(UTF_16LE)));
    return value(DerReader.SEQUENCE, integer(0, PASSWORD), octets(1, passwordCredentials));
  }

  private static byte[] token(
      byte[] negoToken, Optional<byte[]> pubKeyAuth, Optional<byte[]> clientNonce) {
    return new TsRequest(
            VERSION,
            Optional.of(negoToken),
            Optional.empty(),
            pubKeyAuth,
            OptionalInt.empty(),
            clientNonce)
        .encode();
  }

  private void expect(Awaits state) {
    if (awaits != state) {
      throw new IllegalStateException("begun already");
    }
  }
}
