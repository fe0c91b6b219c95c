package org.casement.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.casement.testkit.Canaries.Spec;
import org.junit.jupiter.api.Test;

final class ProbeTest {
  @Test
  void everyKindOfCanaryAnswersWithItsOwnToken() {
    List<Spec> specs =
        List.of(
            new Spec("tcp", "tcp", "127.0.0.1", 0),
            new Spec("tcp6", "tcp", "::1", 0),
            new Spec("udp", "udp", "127.0.0.1", 0),
            new Spec("udplite", "udplite", "127.0.0.1", 0),
            new Spec("stream", "abstract-stream", "casement-probe-test.1", 0),
            new Spec("packet", "abstract-seqpacket", "casement-probe-test.2", 0),
            new Spec("dgram", "abstract-dgram", "casement-probe-test.3", 0));
    try (Canaries canaries = Canaries.open(specs)) {
      List<Probe> probes =
          specs.stream()
              .map(
                  spec ->
                      spec.port() == 0 && spec.kind().startsWith("abstract")
                          ? Probe.of(spec.name(), spec.kind(), spec.address())
                          : Probe.of(
                              spec.name(), spec.kind(), spec.address(), canaries.port(spec.name())))
              .toList();
      Probe.Results results = Probe.run(Place.node(), probes);
      for (Spec spec : specs) {
        assertThat(results.of(spec.name()))
            .isEqualTo(new Probe.Result(true, canaries.token(spec.name())));
      }
      assertThat(canaries.contacted()).hasSameSizeAs(specs);
      canaries.forget();
      assertThat(canaries.contacted()).isEmpty();
    }
  }

  @Test
  void aProbeOfNothingFailsWithItsReason() {
    assertThat(
            Probe.run(
                    Place.node(),
                    List.of(
                        Probe.of("closed", "tcp", "127.0.0.1", 1),
                        Probe.of("typo", "no-such-kind", "x"),
                        Probe.of("absent", "read", "/no/such/file")))
                .all())
        .containsExactly(
            Map.entry("closed", new Probe.Result(false, "connect: Connection refused")),
            Map.entry("typo", new Probe.Result(false, "no such probe: no-such-kind")),
            Map.entry("absent", new Probe.Result(false, "open: No such file or directory")));
  }
}
