package org.casement.supervisor;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.casement.session.EventLog;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ScreenPicturesTest {
  private static final long DEADLINE_SECONDS = 10;

  private final ByteArrayOutputStream logged = new ByteArrayOutputStream();
  private final ScreenPictures pictures =
      new ScreenPictures(
          new EventLog(new PrintStream(logged, true, UTF_8), InstantSource.system()));
  private final BlockingQueue<byte[]> seen = new LinkedBlockingQueue<>();
  private final AtomicInteger asked = new AtomicInteger();

  @AfterEach
  void end() {
    pictures.end();
  }

  private byte[] picture() {
    return new byte[] {(byte) asked.incrementAndGet()};
  }

  private byte[] next() throws InterruptedException {
    byte[] picture = seen.poll(DEADLINE_SECONDS, TimeUnit.SECONDS);
    assertThat(picture).as("a picture").isNotNull();
    return picture;
  }

  @Test
  void allWatchersSeeTheSameAndNoneIsTakenForNobody() throws InterruptedException {
    pictures.of(this::picture);
    Thread.sleep(100); // would be enough for one
    assertThat(asked).hasValue(0);
    BlockingQueue<byte[]> other = new LinkedBlockingQueue<>();
    Runnable enough = pictures.watch(seen::add);
    pictures.watch(other::add);
    long first = System.nanoTime();
    byte[] one = next();
    byte[] two = next();
    assertThat(two).isNotEqualTo(one);
    assertThat(Duration.ofNanos(System.nanoTime() - first))
        .isGreaterThan(ScreenPictures.PAUSE.minusMillis(100));
    byte[] theirs;
    do { // the first may have been before it watched
      theirs = other.poll(DEADLINE_SECONDS, TimeUnit.SECONDS);
      assertThat(theirs).isNotNull();
    } while (!Arrays.equals(theirs, two));
    enough.run();
    assertThat(other.poll(DEADLINE_SECONDS, TimeUnit.SECONDS)).isNotNull();
    assertThat(seen).isEmpty();
    pictures.end();
    assertThat(logged.toString(UTF_8)).contains("screen-pictures").contains("taken=3");
  }

  @Test
  void aMachineThatFailsIsNotAskedAgainAndTheNextOneIs() throws InterruptedException {
    pictures.watch(seen::add);
    pictures.of(
        () -> {
          asked.incrementAndGet();
          throw new IOException("gone");
        });
    while (!logged.toString(UTF_8).contains("no-screen-pictures")) {
      Thread.sleep(10);
    }
    assertThat(asked).hasValue(1);
    pictures.of(this::picture);
    assertThat(next()).containsExactly(2);
  }

  @Test
  void afterTheEndThereAreNone() throws InterruptedException {
    pictures.end();
    pictures.of(this::picture);
    pictures.watch(seen::add);
    Thread.sleep(100);
    assertThat(seen).isEmpty();
  }
}
