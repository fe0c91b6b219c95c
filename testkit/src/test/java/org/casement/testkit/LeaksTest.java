package org.casement.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.casement.testkit.Holdings.Kind;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

final class LeaksTest {
  private static final Duration LIMIT = Duration.ofSeconds(10);

  /// Listens, binds an abstract name, keeps a file open in a directory of its own, in namespaces of
  /// its own; says `there` and waits to be killed.
  private static final String HOLDER =
      """
      use Socket;
      socket(my $t, AF_INET, SOCK_STREAM, 0); bind($t, pack_sockaddr_in(0, INADDR_LOOPBACK)); listen($t, 1);
      socket(my $u, AF_UNIX, SOCK_STREAM, 0); bind($u, pack('S x a*', AF_UNIX, "ct.$$")); listen($u, 1);
      mkdir "/tmp/ct.$ENV{USER}"; open(my $f, '>', "/tmp/ct.$ENV{USER}/file");
      shmget(77, 4096, 01600);
      $| = 1; print "there\\n"; 1 while <STDIN>; shmctl(shmget(77, 4096, 0), 0, 0);
      unlink "/tmp/ct.$ENV{USER}/file"; rmdir "/tmp/ct.$ENV{USER}" unless -e "$ENV{HOME}/forget";
      """;

  private static TestUser user;

  @BeforeAll
  static void makeUser() {
    user = TestUser.create();
  }

  @AfterAll
  static void removeUser() {
    user.close();
    Command.run("rm", "-rf", "/tmp/ct." + user.name()).orFail();
  }

  private static Process hold() throws IOException {
    Process holder =
        user.process(
                List.of(
                    "/usr/bin/unshare",
                    "--user",
                    "--net",
                    "--mount",
                    "--map-current-user",
                    "/usr/bin/perl",
                    "-e",
                    HOLDER))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    BufferedReader out = holder.inputReader();
    assertThat(out.readLine()).isEqualTo("there");
    return holder;
  }

  @Test
  void whatAProcessHoldsIsSeenAndGoneAfterwards() throws IOException {
    Leaks leaks = Leaks.watch(user);
    Process holder = hold();
    leaks.assertMore(Kind.values());
    holder.getOutputStream().close();
    leaks.awaitBack(LIMIT);
  }

  @Test
  void aFileLeftBehindIsALeak() throws IOException {
    user.run("touch", "forget").orFail();
    Leaks leaks = Leaks.watch(user);
    hold().getOutputStream().close();
    assertThatThrownBy(() -> leaks.awaitBack(Duration.ofMillis(1500)))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("FILES={/tmp/ct." + user.name());
    Path left = Path.of("/tmp/ct." + user.name());
    leaks.exceptFor(left.toString()).awaitBack(LIMIT);
    user.run("rmdir", left.toString()).orFail();
    user.run("rm", "forget").orFail();
  }

  @Test
  void aProcessLeftBehindIsALeak() throws IOException {
    Leaks leaks = Leaks.watch(user);
    Process holder = hold();
    assertThatThrownBy(() -> leaks.awaitBack(Duration.ofMillis(300)))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("PROCESSES={perl=1}");
    holder.getOutputStream().close();
    leaks.awaitBack(LIMIT);
  }

  @Test
  void aMissingProcessIsNotedToo() throws IOException {
    Leaks before = Leaks.watch(user);
    Process holder = hold();
    Leaks during = before.rebased();
    holder.getOutputStream().close();
    assertThatThrownBy(() -> during.awaitBack(Duration.ofMillis(1500)))
        .hasMessageContaining("PROCESSES={perl=-1}");
    before.awaitBack(LIMIT);
  }

  @Test
  void aUserWithNothingHasNothingMoreThanBefore() {
    assertThatThrownBy(() -> Leaks.watch(user).assertMore(Kind.PROCESSES))
        .isInstanceOf(AssertionError.class);
  }
}
