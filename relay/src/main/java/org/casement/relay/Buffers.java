package org.casement.relay;

import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;

/// What relayed bytes lie in between two sockets.
public final class Buffers {
  private static final int PAGE_BYTES = 8192;

  /// Chunks of 256 KiB: four of the largest reads.
  private static final int MAX_ORDER = 5;

  private static final int SMALL_CACHE = 64;
  private static final int NORMAL_CACHE = 8;

  /// Direct, because epoll reads into nothing else, and pooled: the JVM fills a new direct buffer
  /// with zeros and stops every thread for a moment when it frees one (`Arena.ofShared`), which
  /// costs a small message more than both its system calls. Few chunks and no arenas for the heap:
  /// a session has two event loops.
  public static final ByteBufAllocator RELAY =
      new PooledByteBufAllocator(
          true, 0, 1, PAGE_BYTES, MAX_ORDER, SMALL_CACHE, NORMAL_CACHE, false);

  private Buffers() {}
}
