package org.casement.protocol;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// The MD4 hash (RFC 1320), which the JDK has no more. Broken as a hash, and still what a Windows
/// password is stored and proven by (NTLM: MD4 of the password in UTF-16LE), so it lives here, for
/// nothing else.
public final class Md4 {
  private static final int BLOCK_BYTES = 64;

  /// Rounds' constants: 0, and the square roots of 2 and 3 (RFC 1320, 3.4).
  private static final int[] CONSTANT = {0, 0x5a827999, 0x6ed9eba1};

  private static final int[][] SHIFT = {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}};

  /// Which word of the block each step of a round takes.
  private static final int[][] WORD = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
    {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15}
  };

  private Md4() {}

  /// The 16 bytes of `message`'s hash.
  public static byte[] digest(byte[] message) {
    int[] state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    ByteBuffer padded = padded(message);
    int[] block = new int[BLOCK_BYTES / Integer.BYTES];
    while (padded.hasRemaining()) {
      for (int i = 0; i < block.length; i++) {
        block[i] = padded.getInt();
      }
      mix(state, block);
    }
    ByteBuffer digest = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    for (int word : state) {
      digest.putInt(word);
    }
    return digest.array();
  }

  /// A one bit, zeros, and the length in bits, up to a whole number of blocks (RFC 1320, 3.1-3.2).
  private static ByteBuffer padded(byte[] message) {
    int blocks = Math.addExact(message.length, 1 + Long.BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES;
    ByteBuffer padded =
        ByteBuffer.allocate(Math.multiplyExact(blocks, BLOCK_BYTES))
            .order(ByteOrder.LITTLE_ENDIAN)
            .put(message)
            .put((byte) 0x80);
    padded.putLong(padded.capacity() - Long.BYTES, 8L * message.length);
    return padded.rewind();
  }

  private static void mix(int[] state, int[] block) {
    int a = state[0];
    int b = state[1];
    int c = state[2];
    int d = state[3];
    for (int round = 0; round < 3; round++) {
      for (int step = 0; step < 16; step++) {
        int mixed =
            switch (round) {
              case 0 -> (b & c) | (~b & d);
              case 1 -> (b & c) | (b & d) | (c & d);
              default -> b ^ c ^ d;
            };
        int sum = a + mixed + block[WORD[round][step]] + CONSTANT[round];
        a = d;
        d = c;
        c = b;
        b = Integer.rotateLeft(sum, SHIFT[round][step % 4]);
      }
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
  }
}
