package org.casement.testkit;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_16LE;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// A server's side of CredSSP 6 with NTLMv2 ([MS-CSSP], [MS-NLMP]) for one account, written apart
/// from the client that it tests: it shares no code with it, checks every field that a Windows
/// server checks, and fails with an AssertionError where the client breaks the protocol.
///
/// Give it one whole TSRequest after another; [#password] says what came at the end.
public final class CredSspServer {
  public static final int LOGON_FAILURE = 0xc000006d;

  private static final byte[] SERVER_CHALLENGE = "01234567".getBytes(US_ASCII);

  /// UNICODE, REQUEST_TARGET, SIGN, SEAL, NTLM, ALWAYS_SIGN, EXTENDED_SESSIONSECURITY, TARGET_INFO,
  /// VERSION, 128, KEY_EXCH.
  private static final int FLAGS = 0x6288_8235;

  private final String user;
  private final byte[] ntHash;
  private final byte[] publicKey;
  private final int version;
  private byte[] negotiate = new byte[0];
  private byte[] challenge = new byte[0];
  private byte[] sessionKey = new byte[0];
  private Cipher fromClient = rc4(new byte[16]);
  private String password = "";

  /// @param ntHash MD4 of the password in UTF-16LE
  /// @param publicKey the content of the TLS certificate's key, without algorithm
  /// @param version what it says of itself
  public CredSspServer(String user, byte[] ntHash, byte[] publicKey, int version) {
    this.user = user;
    this.ntHash = ntHash.clone();
    this.publicKey = publicKey.clone();
    this.version = version;
  }

  /// What follows the algorithm in the SubjectPublicKeyInfo `encoded`.
  public static byte[] publicKey(byte[] encoded) {
    byte[] fields = content(encoded, 0x30);
    int algorithm = tlvBytes(fields);
    byte[] bits = content(Arrays.copyOfRange(fields, algorithm, fields.length), 0x03);
    return Arrays.copyOfRange(bits, 1, bits.length);
  }

  /// The password that the client has delegated; empty before.
  public String password() {
    return password;
  }

  /// The answer to `request`; empty after the last.
  public Optional<byte[]> receive(byte[] request) {
    byte[] fields = content(request, 0x30);
    require(field(fields, 0).orElseThrow()[2] == 6, "version 6");
    if (negotiate.length == 0) {
      negotiate = negoToken(fields);
      require(ByteBuffer.wrap(negotiate, 8, 4).order(ByteOrder.LITTLE_ENDIAN).getInt() == 1, "1");
      challenge = challenge();
      return Optional.of(request(tlv(0xa1, tlv(0x30, tlv(0x30, octets(0, challenge))))));
    }
    if (sessionKey.length == 0) {
      if (!authenticate(negoToken(fields))) {
        return Optional.of(error(LOGON_FAILURE));
      }
      byte[] nonce = field(fields, 5).map(content -> content(content, 0x04)).orElseThrow();
      require(nonce.length == 32, "nonce of 32 bytes");
      fromClient = rc4(key("client-to-server sealing"));
      byte[] binding = open(field(fields, 3).map(c -> content(c, 0x04)).orElseThrow(), 0);
      require(Arrays.equals(binding, hash("Client-To-Server", nonce)), "the client's binding");
      return Optional.of(sealed(hash("Server-To-Client", nonce)));
    }
    byte[] credentials = open(field(fields, 2).map(c -> content(c, 0x04)).orElseThrow(), 1);
    byte[] outer = content(credentials, 0x30);
    byte[] inner = content(content(field(outer, 1).orElseThrow(), 0x04), 0x30); // TSPasswordCreds
    require(
        new String(content(field(inner, 1).orElseThrow(), 0x04), UTF_16LE).equals(user), "user");
    password = new String(content(field(inner, 2).orElseThrow(), 0x04), UTF_16LE);
    return Optional.empty();
  }

  /// A TSRequest whose binding is `message`, as the server seals it once the client has proven
  /// itself.
  public byte[] sealed(byte[] message) {
    return request(octets(3, seal(message)));
  }

  /// A TSRequest that only says `ntStatus`.
  public byte[] error(int ntStatus) {
    return request(tlv(0xa4, tlv(0x02, ByteBuffer.allocate(4).putInt(ntStatus).array())));
  }

  /// A TSRequest with this field.
  public byte[] request(byte[] field) {
    return tlv(0x30, tlv(0xa0, tlv(0x02, new byte[] {(byte) version})), field);
  }

  private static byte[] challenge() {
    ByteBuffer info = ByteBuffer.allocate(256).order(ByteOrder.LITTLE_ENDIAN);
    for (int id : new int[] {2, 1}) {
      byte[] name = "DEMO".getBytes(UTF_16LE);
      info.putShort((short) id).putShort((short) name.length).put(name);
    }
    info.putShort((short) 7).putShort((short) 8).putLong(0x01d9_0000_0000_0000L);
    info.putInt(0);
    byte[] name = "DEMO".getBytes(UTF_16LE);
    ByteBuffer out =
        ByteBuffer.allocate(56 + name.length + info.position()).order(ByteOrder.LITTLE_ENDIAN);
    out.put("NTLMSSP\0".getBytes(US_ASCII)).putInt(2);
    out.putShort((short) name.length).putShort((short) name.length).putInt(56);
    out.putInt(FLAGS).put(SERVER_CHALLENGE).putLong(0);
    out.putShort((short) info.position()).putShort((short) info.position());
    out.putInt(56 + name.length).putLong(0x0f00_0000_0000_000aL);
    return out.put(name).put(info.array(), 0, info.position()).array();
  }

  /// Checks response, integrity code and key; false for a wrong password.
  private boolean authenticate(byte[] message) {
    ByteBuffer in = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
    require(in.getInt(8) == 3, "AUTHENTICATE");
    require(in.getInt(60) == FLAGS, "the flags that were agreed on");
    byte[] response = payload(in, 20);
    String domain = new String(payload(in, 28), UTF_16LE);
    String name = new String(payload(in, 36), UTF_16LE);
    byte[] responseKey = hmac(ntHash, (name.toUpperCase(Locale.ROOT) + domain).getBytes(UTF_16LE));
    byte[] proof = Arrays.copyOf(response, 16);
    byte[] temp = Arrays.copyOfRange(response, 16, response.length);
    if (!name.equals(user) || !Arrays.equals(proof, hmac(responseKey, SERVER_CHALLENGE, temp))) {
      return false;
    }
    ByteBuffer times = ByteBuffer.wrap(temp).order(ByteOrder.LITTLE_ENDIAN);
    require(times.getShort(0) == 0x0101, "the response's version");
    require(times.getLong(8) == 0x01d9_0000_0000_0000L, "the time that the server told");
    byte[] exported = decrypt(rc4(hmac(responseKey, proof)), payload(in, 52));
    byte[] mic = Arrays.copyOfRange(message, 72, 88);
    byte[] without = message.clone();
    Arrays.fill(without, 72, 88, (byte) 0);
    require(Arrays.equals(mic, hmac(exported, negotiate, challenge, without)), "integrity code");
    sessionKey = exported;
    return true;
  }

  private static byte[] payload(ByteBuffer message, int at) {
    byte[] bytes = new byte[message.getShort(at)];
    message.get(message.getInt(at + 4), bytes);
    return bytes;
  }

  private byte[] hash(String direction, byte[] nonce) {
    return digest(
        "SHA-256",
        ("CredSSP " + direction + " Binding Hash\0").getBytes(US_ASCII),
        nonce,
        publicKey);
  }

  private byte[] key(String use) {
    return digest(
        "MD5", sessionKey, ("session key to " + use + " key magic constant\0").getBytes(US_ASCII));
  }

  private byte[] seal(byte[] message) {
    Cipher cipher = rc4(key("server-to-client sealing"));
    byte[] encrypted = decrypt(cipher, message);
    byte[] signature = signature(cipher, "server-to-client signing", 0, message);
    return concat(signature, encrypted);
  }

  private byte[] open(byte[] sealed, int sequence) {
    byte[] message = decrypt(fromClient, Arrays.copyOfRange(sealed, 16, sealed.length));
    byte[] signature = signature(fromClient, "client-to-server signing", sequence, message);
    require(Arrays.equals(signature, Arrays.copyOf(sealed, 16)), "signature " + sequence);
    return message;
  }

  private byte[] signature(Cipher cipher, String use, int sequence, byte[] message) {
    byte[] number = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(sequence).array();
    byte[] checksum = decrypt(cipher, Arrays.copyOf(hmac(key(use), number, message), 8));
    return concat(new byte[] {1, 0, 0, 0}, checksum, number);
  }

  private static byte[] decrypt(Cipher cipher, byte[] bytes) {
    return cipher.update(bytes);
  }

  private static Cipher rc4(byte[] key) {
    try {
      Cipher cipher = Cipher.getInstance("ARCFOUR");
      cipher.init(Cipher.DECRYPT_MODE, new SecretKeySpec(key, "ARCFOUR"));
      return cipher;
    } catch (GeneralSecurityException e) {
      throw new AssertionError(e);
    }
  }

  private static byte[] hmac(byte[] key, byte[]... parts) {
    try {
      Mac mac = Mac.getInstance("HmacMD5");
      mac.init(new SecretKeySpec(key, "HmacMD5"));
      return mac.doFinal(concat(parts));
    } catch (GeneralSecurityException e) {
      throw new AssertionError(e);
    }
  }

  private static byte[] digest(String algorithm, byte[]... parts) {
    try {
      return MessageDigest.getInstance(algorithm).digest(concat(parts));
    } catch (GeneralSecurityException e) {
      throw new AssertionError(e);
    }
  }

  private static byte[] negoToken(byte[] fields) {
    byte[] token = content(content(field(fields, 1).orElseThrow(), 0x30), 0x30);
    return content(field(token, 0).orElseThrow(), 0x04);
  }

  /// The content of `[n]` among `fields`.
  private static Optional<byte[]> field(byte[] fields, int n) {
    byte[] rest = fields;
    while (rest.length > 0) {
      int length = tlvBytes(rest);
      if ((rest[0] & 0xff) == (0xa0 | n)) {
        return Optional.of(content(Arrays.copyOf(rest, length), 0xa0 | n));
      }
      rest = Arrays.copyOfRange(rest, length, rest.length);
    }
    return Optional.empty();
  }

  private static byte[] content(byte[] tlv, int tag) {
    require((tlv[0] & 0xff) == tag, "tag " + tag);
    int length = tlvBytes(tlv);
    require(length == tlv.length, "nothing behind the value");
    return Arrays.copyOfRange(tlv, headerBytes(tlv), length);
  }

  private static int headerBytes(byte[] tlv) {
    return (tlv[1] & 0xff) < 0x80 ? 2 : 2 + (tlv[1] & 0x7f);
  }

  private static int tlvBytes(byte[] tlv) {
    int header = headerBytes(tlv);
    int length = header == 2 ? tlv[1] : 0;
    for (int i = 2; i < header; i++) {
      length = length << 8 | (tlv[i] & 0xff);
    }
    return header + length;
  }

  private static byte[] octets(int n, byte[] bytes) {
    return tlv(0xa0 | n, tlv(0x04, bytes));
  }

  private static byte[] tlv(int tag, byte[]... contents) {
    byte[] content = concat(contents);
    byte[] header =
        content.length < 0x80
            ? new byte[] {(byte) tag, (byte) content.length}
            : content.length < 0x100
                ? new byte[] {(byte) tag, (byte) 0x81, (byte) content.length}
                : new byte[] {
                  (byte) tag, (byte) 0x82, (byte) (content.length >> 8), (byte) content.length
                };
    return concat(header, content);
  }

  private static byte[] concat(byte[]... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    return out.toByteArray();
  }

  private static void require(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError("the client breaks the protocol: " + what);
    }
  }
}
