package org.casement.systemtests;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.casement.testkit.Canaries;
import org.casement.testkit.Canaries.Spec;
import org.casement.testkit.Place;
import org.casement.testkit.Probe;

/// Canaries in one place, and the ways by which a guest behind QEMU's user network could come to
/// them: through the host alias, which QEMU maps to 127.0.0.1 or ::1 of where it runs, and by their
/// own addresses. A probe is named after its canary: `tcp@127.0.0.1`.
final class GuestTargets implements AutoCloseable {
  /// What the guest calls the host (libslirp's second address in the network).
  private static final String ALIAS = "169.254.100.2";

  private static final String ALIAS_IPV6 = "fec0::2";

  private final Canaries canaries;
  private final List<Probe> probes = new ArrayList<>();

  private GuestTargets(Canaries canaries, Map<String, String> dialled) {
    this.canaries = canaries;
    dialled.forEach(
        (bound, address) -> {
          for (String transport : List.of("tcp", "udp")) {
            String name = transport + "@" + bound;
            probes.add(Probe.of(name, transport, address, canaries.port(name)));
          }
        });
  }

  /// On loopback, everything, the second address, and (on the node) its real addresses.
  static GuestTargets open(Place place, List<String> real) {
    Map<String, String> dialled = new LinkedHashMap<>();
    dialled.put("127.0.0.1", ALIAS);
    dialled.put("0.0.0.0", ALIAS);
    dialled.put(NodeAddresses.SECOND, NodeAddresses.SECOND);
    dialled.put("::1", ALIAS_IPV6);
    dialled.put("::", ALIAS_IPV6);
    real.forEach(address -> dialled.put(address, address));
    List<Spec> specs = new ArrayList<>();
    for (String bound : dialled.keySet()) {
      specs.add(new Spec("tcp@" + bound, "tcp", bound, 0));
      specs.add(new Spec("udp@" + bound, "udp", bound, 0));
    }
    return new GuestTargets(Canaries.open(place, specs, List.of()), dialled);
  }

  List<Probe> probes() {
    return probes;
  }

  Canaries canaries() {
    return canaries;
  }

  /// The names of the probes that came back with their own canary's token.
  List<String> reached(Probe.Results results) {
    return results.reached().stream()
        .filter(name -> results.of(name).detail().equals(canaries.token(name)))
        .toList();
  }

  @Override
  public void close() {
    canaries.close();
  }
}
