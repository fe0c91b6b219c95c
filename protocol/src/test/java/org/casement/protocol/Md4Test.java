package org.casement.protocol;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Md4Test {
  @ParameterizedTest
  @CsvSource({ // RFC 1320, A.5
    "'', 31d6cfe0d16ae931b73c59d7e0c089c0",
    "a, bde52cb31de33e46245e05fbdbd6fb24",
    "abc, a448017aaf21d8525fc10ae87aa6729d",
    "message digest, d9130a8164549fe818874806e1c7014b",
    "abcdefghijklmnopqrstuvwxyz, d79e1c308aa5bbcdeea8ed63df412da9",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789,"
        + " 043f8582f241db351ce627e153e7f0e4",
    "1234567890123456789012345678901234567890"
        + "1234567890123456789012345678901234567890, e33b4ddc9c38f2199c3e7b164fcc0536"
  })
  void theHashesAreThoseOfTheRfc(String message, String hash) {
    assertThat(hex(Md4.digest(message.getBytes(US_ASCII)))).isEqualTo(hash);
  }

  /// 55 bytes are the most that leave room for the length in one block.
  @ParameterizedTest
  @CsvSource({
    "55, 92f32bb82c95ad10e8f87ae58ab06807",
    "56, 374d5f08103b7092c83b4626ebceffab",
    "63, 2870452596e98fffd48332289b3472b9",
    "64, b1abf956a5ae6f3221e5fe85e300fbb0"
  })
  void aMessageMayEndAnywhereInABlock(int length, String hash) {
    assertThat(hex(Md4.digest("x".repeat(length).getBytes(US_ASCII)))).isEqualTo(hash);
  }

  @Test
  void theNtHashOfAPasswordIsTheKnownOne() {
    // [MS-NLMP] 4.2.2.1.2: NTOWFv1 of "Password"
    assertThat(hex(Md4.digest("Password".getBytes(UTF_16LE))))
        .isEqualTo("a4f49c406510bdcab6824ee7c30fd852");
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }
}
