package org.casement.systemtests;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Predicate;
import org.casement.testkit.Canaries;
import org.casement.testkit.Canaries.Spec;
import org.casement.testkit.Place;
import org.casement.testkit.Probe;

/// Canaries in one place, and probes that aim at each of them in every way we know. A probe's name
/// is `KIND-to-ADDRESS:CANARY`, its canary being named after kind and bind address.
final class Targets implements AutoCloseable {
  private final Canaries canaries;
  private final Map<String, String> canaryOf = new LinkedHashMap<>();
  private final List<Probe> probes = new ArrayList<>();

  private Targets(Canaries canaries) {
    this.canaries = canaries;
  }

  /// Canaries on the node: loopback, everything, the second address, the real ones, abstract names.
  static Targets onTheNode() {
    return onANode(Place.node(), NodeAddresses.real());
  }

  /// The same on another node, whose loopback has the second address.
  ///
  /// @param real its own addresses
  static Targets onANode(Place place, List<String> real) {
    List<String> bind =
        new ArrayList<>(List.of("127.0.0.1", "0.0.0.0", NodeAddresses.SECOND, "::1", "::"));
    bind.addAll(real);
    Targets targets =
        open(place, bind, real.stream().filter(a -> !NodeAddresses.isIpv6(a)).toList());
    for (String address : real) {
      targets.dial(address, address);
      targets.dial(NodeAddresses.isIpv6(address) ? "::" : "0.0.0.0", address);
    }
    for (String group : List.of("255.255.255.255", "127.255.255.255", "239.255.77.77")) {
      targets.aim("group", group, "udp", "0.0.0.0");
    }
    return targets;
  }

  /// Canaries inside a sealed namespace.
  static Targets inside(Place place) {
    return open(
        place, List.of("127.0.0.1", "0.0.0.0", NodeAddresses.SECOND, "::1", "::"), List.of());
  }

  private static Targets open(Place place, List<String> bind, List<String> multicast) {
    List<Spec> specs = new ArrayList<>();
    for (String address : bind) {
      specs.add(new Spec("tcp@" + address, "tcp", address, 0));
      specs.add(new Spec("udp@" + address, "udp", address, 0));
    }
    specs.add(new Spec("udplite@127.0.0.1", "udplite", "127.0.0.1", 0));
    specs.add(new Spec("udplite@::1", "udplite", "::1", 0));
    String name = "casement-test-" + Long.toHexString(ThreadLocalRandom.current().nextLong());
    List<String> abstractKinds = List.of("abstract-stream", "abstract-seqpacket", "abstract-dgram");
    for (String kind : abstractKinds) {
      specs.add(new Spec(kind + "@" + name, kind, name + "." + kind, 0));
    }
    Targets targets = new Targets(Canaries.open(place, specs, multicast));
    targets.dial("127.0.0.1", "127.0.0.1");
    targets.aim("mptcp", "127.0.0.1", "tcp", "127.0.0.1");
    targets.aim("fastopen", "127.0.0.1", "tcp", "127.0.0.1");
    targets.aim("tcp", "::ffff:127.0.0.1", "tcp", "127.0.0.1");
    targets.aim("udp", "::ffff:127.0.0.1", "udp", "127.0.0.1");
    targets.aim("udplite", "127.0.0.1", "udplite", "127.0.0.1");
    targets.aim("udplite", "::1", "udplite", "::1");
    for (String address : List.of("0.0.0.0", "127.0.0.1", NodeAddresses.SECOND)) {
      targets.dial("0.0.0.0", address);
    }
    targets.aim("tcp", "127.9.9.9", "tcp", "0.0.0.0"); // UDP would be answered from 127.0.0.1
    targets.dial(NodeAddresses.SECOND, NodeAddresses.SECOND);
    targets.dial("::1", "::1");
    targets.aim("fastopen", "::1", "tcp", "::1");
    targets.dial("::", "::1");
    targets.dial("::", "::");
    for (String kind : abstractKinds) {
      Probe probe = Probe.of(kind, kind, name + "." + kind);
      targets.probes.add(probe);
      targets.canaryOf.put(probe.name(), kind + "@" + name);
    }
    return targets;
  }

  private void dial(String bound, String address) {
    aim("tcp", address, "tcp", bound);
    aim("udp", address, "udp", bound);
  }

  private void aim(String kind, String address, String transport, String bound) {
    String canary = transport + "@" + bound;
    Probe probe =
        Probe.of(kind + "-to-" + address + ":" + canary, kind, address, canaries.port(canary));
    if (canaryOf.put(probe.name(), canary) == null) {
      probes.add(probe);
    }
  }

  List<Probe> probes() {
    return probes;
  }

  Canaries canaries() {
    return canaries;
  }

  String canaryOf(String probe) {
    return java.util.Objects.requireNonNull(canaryOf.get(probe), probe);
  }

  /// Fails unless every probe reached exactly its canary.
  void assertAllReached(Probe.Results results) {
    assertReached(results, _ -> true);
  }

  /// Fails unless exactly the probes whose names `expected` accepts reached their canaries.
  void assertReached(Probe.Results results, Predicate<String> expected) {
    List<String> wrong = new ArrayList<>();
    results
        .all()
        .forEach(
            (name, result) -> {
              boolean reached = result.detail().equals(canaries.token(canaryOf(name)));
              if (reached != expected.test(name)) {
                wrong.add(name + ": " + result.detail());
              }
            });
    if (!wrong.isEmpty()
        || results.all().size() != probes.size()
        || probes.stream().map(Probe::name).noneMatch(expected)) {
      throw new AssertionError("in the weakened run these probes went otherwise: " + wrong);
    }
  }

  /// Fails if any probe reached anything, or any canary was contacted since the last `forget`.
  void assertNoneReached(Probe.Results results) {
    if (!results.reached().isEmpty() || !canaries.contacted().isEmpty()) {
      throw new AssertionError(
          "reached: " + results.reached() + ", contacted: " + canaries.contacted());
    }
  }

  @Override
  public void close() {
    canaries.close();
  }
}
