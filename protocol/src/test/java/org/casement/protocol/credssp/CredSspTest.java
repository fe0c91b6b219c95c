package org.casement.protocol.credssp;

import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.security.KeyPairGenerator;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.credssp.CredSspClient.Step;
import org.casement.protocol.credssp.NtlmChallenge.AvPair;
import org.casement.session.Secret;
import org.casement.testkit.CredSspServer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CredSspTest {
  private static final Secret PASSWORD = new Secret("Password".getBytes(UTF_8));

  /// [MS-NLMP] 4.2.2.1.2: NTOWFv1 of "Password".
  private static final byte[] NT_HASH = hex("a4f49c406510bdcab6824ee7c30fd852");

  private static final byte[] KEY = publicKeyInfo();

  private static byte[] publicKeyInfo() {
    try {
      return KeyPairGenerator.getInstance("EC").generateKeyPair().getPublic().getEncoded();
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  private static byte[] hex(String hex) {
    return HexFormat.of().parseHex(hex.replace(" ", ""));
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  private static CredSspClient client(String user, Secret password, byte[] key) {
    try {
      return new CredSspClient("", user, password, key, new Random(1));
    } catch (ProtocolException e) {
      throw new AssertionError(e);
    }
  }

  private static CredSspServer server(byte[] key, int version) {
    return new CredSspServer("Änn", NT_HASH, CredSspServer.publicKey(key), version);
  }

  // [MS-NLMP] 4.2.1 and 4.2.4: "User" of "Domain" with "Password", time 0.
  private static final byte[] SERVER_CHALLENGE = hex("0123456789abcdef");
  private static final byte[] TARGET_INFO =
      hex("02000c00 44006f006d00610069006e00 01000c00 530065007200760065007200 00000000");
  private static final byte[] SESSION_KEY = hex("55555555555555555555555555555555");

  @Test
  void theNtlmResponseIsThePublishedOne() {
    byte[] key = NtlmClient.responseKey("User", "Domain", PASSWORD);
    assertThat(hex(key)).isEqualTo("0c868a403bfd7a93a3001ef22ef02e3f");
    byte[] temp = NtlmClient.temp(0, hex("aaaaaaaaaaaaaaaa"), TARGET_INFO);
    byte[] proof = NtlmClient.proof(key, SERVER_CHALLENGE, temp);
    assertThat(hex(proof)).isEqualTo("68cd0ab851e51c96aabc927bebef6a1c");
    byte[] base = NtlmClient.sessionBaseKey(key, proof);
    assertThat(hex(base)).isEqualTo("8de40ccadbc14a82f15cb0ad0de95ca3");
    assertThat(hex(Digests.rc4(base).update(SESSION_KEY)))
        .isEqualTo("c5dad2544fc9799094ce1ce90bc9d03e");
  }

  @Test
  void theSealIsThePublishedOneAndOpensOnlyInOrder() throws ProtocolException {
    NtlmSeal seal = NtlmSeal.clientToServer(SESSION_KEY);
    byte[] sealed = seal.seal("Plaintext".getBytes(UTF_16LE));
    assertThat(hex(sealed))
        .isEqualTo("010000007fb38ec5c55d497600000000" + "54e50165bf1936dc996020c1811b0f06fb5f");
    byte[] second = seal.seal(new byte[1]);

    NtlmSeal open = NtlmSeal.clientToServer(SESSION_KEY);
    assertThat(open.open(sealed)).isEqualTo("Plaintext".getBytes(UTF_16LE));
    assertThat(open.open(second)).containsExactly(0);
    assertThatThrownBy(() -> NtlmSeal.clientToServer(SESSION_KEY).open(second))
        .hasMessageContaining("signature");
    assertThatThrownBy(() -> NtlmSeal.serverToClient(SESSION_KEY).open(sealed))
        .hasMessageContaining("signature");
    assertThatThrownBy(() -> open.open(new byte[NtlmSeal.SIGNATURE_BYTES]))
        .hasMessageContaining("too short");
  }

  @Test
  void thePublishedChallengeIsRead() throws ProtocolException {
    // [MS-NLMP] 4.2.4.3
    NtlmChallenge challenge =
        NtlmChallenge.decode(
            hex(
                "4e544c4d53535000 02000000 0c000c00 38000000 33828ae2 0123456789abcdef"
                    + "0000000000000000 24002400 44000000 060070170000000f"
                    + "530065007200760065007200"
                    + hex(TARGET_INFO)));
    assertThat(challenge.flags()).isEqualTo(0xe28a8233);
    assertThat(challenge.serverChallenge()).isEqualTo(SERVER_CHALLENGE);
    assertThat(challenge.targetInfo()).extracting(AvPair::id).containsExactly(2, 1);
    assertThat(challenge.value(1))
        .hasValueSatisfying(name -> assertThat(new String(name, UTF_16LE)).isEqualTo("Server"));
  }

  @ParameterizedTest
  @ValueSource(ints = {5, 6, 7})
  void anAccountProvesItselfAndTheServerGetsThePassword(int version) throws ProtocolException {
    CredSspClient client = client("Änn", PASSWORD, KEY);
    CredSspServer server = server(KEY, version);
    byte[] challenge = server.receive(client.begin()).orElseThrow();
    assertThat(client.awaitsVerdict()).isFalse();
    Step.Send send = (Step.Send) client.receive(challenge);
    assertThat(client.awaitsVerdict()).isTrue();
    byte[] binding = server.receive(send.message()).orElseThrow();
    Step.Finish finish = (Step.Finish) client.receive(binding);
    assertThat(client.awaitsVerdict()).isFalse();
    assertThat(server.receive(finish.message())).isEmpty();
    assertThat(server.password()).isEqualTo("Password");
    // Nothing more is taken.
    assertThatThrownBy(() -> client.receive(binding)).hasMessageContaining("out of turn");
  }

  @Test
  void aWrongPasswordIsRefusedByItsStatus() throws ProtocolException {
    CredSspClient client = client("Änn", new Secret("password".getBytes(UTF_8)), KEY);
    CredSspServer server = server(KEY, 6);
    Step.Send send = (Step.Send) client.receive(server.receive(client.begin()).orElseThrow());
    assertThat(client.receive(server.receive(send.message()).orElseThrow()))
        .isEqualTo(new Step.Refused(LogonFailure.WRONG_PASSWORD, 0xc000006d));
    assertThat(server.password()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "c0000234, ACCOUNT_LOCKED", "c0000072, ACCOUNT_DISABLED", "c0000193, ACCOUNT_EXPIRED",
    "c0000071, PASSWORD_EXPIRED", "c0000224, PASSWORD_EXPIRED", "c000015b, RESTRICTED",
    "c0000418, NTLM_BLOCKED", "8009030c, WRONG_PASSWORD", "c0000001, OTHER"
  })
  void everyRefusalIsNamed(String status, LogonFailure why) throws ProtocolException {
    int number = Integer.parseUnsignedInt(status, 16);
    CredSspClient client = client("Änn", PASSWORD, KEY);
    client.begin();
    assertThat(client.receive(server(KEY, 6).error(number)))
        .isEqualTo(new Step.Refused(why, number));
    // As others write it: not negative, with a leading zero.
    CredSspClient other = client("Änn", PASSWORD, KEY);
    other.begin();
    assertThat(other.receive(hex("300e a003020106 a407 020500" + status)))
        .isEqualTo(new Step.Refused(why, number));
  }

  @Test
  void anotherTlsKeyIsNoticedBeforeThePasswordIsSent() throws ProtocolException {
    CredSspClient client = client("Änn", PASSWORD, KEY);
    CredSspServer server = server(KEY, 6);
    Step.Send send = (Step.Send) client.receive(server.receive(client.begin()).orElseThrow());
    byte[] binding = server.receive(send.message()).orElseThrow();
    // As somebody in the middle who knows the session's key, but ends another TLS connection.
    assertThatThrownBy(() -> client.receive(server.sealed(new byte[32])))
        .hasMessage("CredSSP: the server sees another TLS key");
    byte[] damaged = binding.clone();
    damaged[binding.length - 1] ^= 1;
    assertThatThrownBy(() -> client.receive(damaged)).hasMessageContaining("signature");
    assertThat(client.receive(binding)).isInstanceOf(Step.Finish.class);
  }

  @Test
  void anOldVersionIsRefused() throws ProtocolException {
    CredSspClient client = client("Änn", PASSWORD, KEY);
    byte[] challenge = server(KEY, 4).receive(client.begin()).orElseThrow();
    assertThatThrownBy(() -> client.receive(challenge))
        .hasMessage("the server speaks CredSSP version 4, safe are 5 and later");
  }

  @Test
  void aServerThatLacksStrengthIsRefused() throws ProtocolException {
    byte[] challenge = server(KEY, 6).receive(client("Änn", PASSWORD, KEY).begin()).orElseThrow();
    int flags = hex(challenge).indexOf("35828862") / 2;
    assertThat(flags).isPositive();
    for (int bit : new int[] {0, 4, 5, 19, 29, 30}) {
      byte[] weak = challenge.clone();
      weak[flags + bit / 8] &= (byte) ~(1 << bit % 8);
      CredSspClient client = client("Änn", PASSWORD, KEY);
      client.begin();
      assertThatThrownBy(() -> client.receive(weak)).hasMessageContaining("lacks strength");
    }
  }

  @Test
  void everyShortenedAnswerIsRefused() throws ProtocolException {
    byte[] challenge = server(KEY, 6).receive(client("Änn", PASSWORD, KEY).begin()).orElseThrow();
    for (int length = 0; length < challenge.length; length++) {
      byte[] shortened = Arrays.copyOf(challenge, length);
      CredSspClient client = client("Änn", PASSWORD, KEY);
      client.begin();
      assertThatThrownBy(() -> client.receive(shortened)).isInstanceOf(ProtocolException.class);
    }
  }

  @Test
  void aMessageHasALimit() throws ProtocolException {
    assertThat(TsRequest.length(hex("30 82 1f fc"))).hasValue(TsRequest.LIMIT_BYTES);
    assertThat(TsRequest.length(hex("30 82 1f"))).isEmpty();
    for (String bad : List.of("30821ffd", "3083000001", "3080", "16030300")) {
      assertThatThrownBy(() -> TsRequest.length(hex(bad))).isInstanceOf(ProtocolException.class);
    }
    assertThatThrownBy(() -> TsRequest.decode(new byte[TsRequest.LIMIT_BYTES + 1]))
        .hasMessageContaining("more than 8192");
    assertThatThrownBy(() -> NtlmChallenge.decode(new byte[NtlmChallenge.LIMIT_BYTES + 1]))
        .hasMessageContaining("more than 4096");
  }

  @Test
  void targetInfoLiesInTheMessageAndEnds() {
    String head =
        "4e544c4d53535000 02000000 00000000 30000000 358288e2 0123456789abcdef 0000000000000000";
    assertThat(List.of("0800 0800 30000000", "0800 0800 ffffffff", "ffff ffff 30000000"))
        .allSatisfy(
            field ->
                assertThatThrownBy(() -> NtlmChallenge.decode(hex(head + field)))
                    .hasMessageContaining("outside"));
    assertThatThrownBy(() -> NtlmChallenge.decode(hex(head + "0400 0400 30000000 01000000")))
        .hasMessageContaining("without end");
    assertThatThrownBy(() -> NtlmChallenge.decode(hex(head + "0400 0400 30000000 01000100")))
        .hasMessageContaining("too long");
    String pairs = "01000000".repeat(NtlmChallenge.PAIRS_LIMIT + 1);
    assertThatThrownBy(
            () -> NtlmChallenge.decode(hex(head + "8800 8800 30000000" + pairs + "0000")))
        .isInstanceOf(ProtocolException.class);
  }

  @FuzzTest
  void anyRequestIsTakenOrRefused(byte[] bytes) {
    try {
      TsRequest.length(bytes);
      TsRequest request = TsRequest.decode(bytes);
      if (request.errorCode().isEmpty()) {
        assertThat(request.encode()).isEqualTo(bytes);
      }
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
  }

  @FuzzTest
  void anyChallengeIsAnsweredOrRefused(byte[] bytes) {
    NtlmClient client = new NtlmClient("", "Änn", PASSWORD, new Random(1));
    try {
      assertThat(client.authenticate(bytes).exportedSessionKey()).hasSize(16);
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
  }
}
