package org.casement.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.casement.testkit.Canaries.Spec;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

final class PlaceTest {
  private static TestUser user;

  @BeforeAll
  static void makeUser() {
    user = TestUser.create();
  }

  @AfterAll
  static void removeUser() {
    user.close();
  }

  @Test
  void aPlaceInsideAnotherNamespaceSeesWhatThatSees() throws IOException {
    Process confined =
        user.process(
                List.of(
                    "/usr/bin/bwrap",
                    "--unshare-all",
                    "--dev",
                    "/dev",
                    "--as-pid-1",
                    "--die-with-parent",
                    "--ro-bind",
                    "/usr/lib",
                    "/usr/lib",
                    "--ro-bind",
                    "/usr/bin/sleep",
                    "/sleep",
                    "--symlink",
                    "usr/lib",
                    "/lib",
                    "--ro-bind-try",
                    "/usr/lib64",
                    "/usr/lib64",
                    "--symlink",
                    "usr/lib64",
                    "/lib64",
                    "--",
                    "/sleep",
                    "60"))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (Canaries canaries = Canaries.open(List.of(new Spec("tcp", "tcp", "127.0.0.1", 0)))) {
      ProcessEntry sleep =
          Await.found(
              "a confined sleep",
              Duration.ofSeconds(10),
              () ->
                  ProcessEntry.ofUser(user.uid()).stream()
                      .filter(process -> process.name().equals("sleep"))
                      .findFirst());
      List<Probe> probes =
          List.of(
              Probe.of("root", "list", "/"),
              Probe.of("canary", "tcp", "127.0.0.1", canaries.port("tcp")),
              Probe.of("init", "signal", 1));
      assertThat(Probe.run(Place.inside(sleep, user), probes).all())
          .containsExactly(
              Map.entry("root", new Probe.Result(true, "dev,lib,lib64,sleep,usr")),
              Map.entry("canary", new Probe.Result(false, "connect: Connection refused")),
              Map.entry("init", new Probe.Result(true, "allowed")));
      assertThat(Probe.run(Place.inside(sleep, user, "net", "user"), probes).of("root").detail())
          .contains("home");
      assertThat(canaries.contacted()).isEmpty();

      Probe.Results outside = Probe.run(Place.of(user), probes);
      assertThat(outside.of("canary")).isEqualTo(new Probe.Result(true, canaries.token("tcp")));
      assertThat(outside.of("init").detail()).isEqualTo("kill: Operation not permitted");
    } finally {
      confined.destroyForcibly();
    }
  }
}
