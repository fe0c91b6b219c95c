package org.casement.isolation;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/// Landlock's network rules and scopes (landlock(7)) for the calling *thread* and what it starts.
/// Only these: file-system rules laid before bubblewrap break its mounts and uid map.
final class Landlock {
  /// TCP bind and connect by port: Linux 6.7. Below it Landlock has nothing for us.
  static final int ABI_NETWORK = 4;

  /// Abstract unix sockets and signals stay in the domain: Linux 6.12.
  static final int ABI_SCOPES = 6;

  private static final long BIND_TCP = 1;
  private static final long CONNECT_TCP = 2;
  private static final long SCOPE_ABSTRACT_UNIX_SOCKET = 1;
  private static final long SCOPE_SIGNAL = 2;
  private static final long CREATE_RULESET_VERSION = 1;
  private static final long RULE_NET_PORT = 2;
  private static final long PR_SET_NO_NEW_PRIVS = 38;

  private Landlock() {}

  /// This kernel's ABI, 0 where Landlock is absent or switched off.
  static int abi() {
    long version = Linux.call(Linux.Call.LANDLOCK_CREATE_RULESET, 0, 0, CREATE_RULESET_VERSION);
    return (int) Math.max(0, version);
  }

  /// Binds the calling thread, for good. The kernel must have [#ABI_NETWORK].
  static void restrictThread(NetworkRules rules) throws IsolationException {
    boolean scopes = abi() >= ABI_SCOPES;
    try (Arena arena = Arena.ofConfined()) {
      // struct landlock_ruleset_attr: handled_access_fs, handled_access_net, scoped (ABI 6).
      MemorySegment attributes = arena.allocate(24, 8);
      attributes.set(JAVA_LONG, 8, BIND_TCP | CONNECT_TCP);
      attributes.set(JAVA_LONG, 16, scopes ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL : 0);
      long ruleset =
          Linux.must(
              "make a Landlock ruleset",
              Linux.Call.LANDLOCK_CREATE_RULESET,
              attributes.address(),
              scopes ? 24 : 16,
              0);
      try {
        allow(arena, ruleset, BIND_TCP, rules.bindPorts());
        allow(arena, ruleset, CONNECT_TCP, rules.connectPorts());
        Linux.must("set no_new_privs", Linux.Call.PRCTL, PR_SET_NO_NEW_PRIVS, 1);
        Linux.must("enter Landlock", Linux.Call.LANDLOCK_RESTRICT_SELF, ruleset, 0);
      } finally {
        Linux.call(Linux.Call.CLOSE, ruleset);
      }
    }
  }

  private static void allow(Arena arena, long ruleset, long access, Set<Integer> ports)
      throws IsolationException {
    for (int port : ports) {
      MemorySegment rule = arena.allocate(16, 8);
      rule.set(JAVA_LONG, 0, access);
      rule.set(JAVA_LONG, 8, port);
      Linux.must(
          "allow port " + port,
          Linux.Call.LANDLOCK_ADD_RULE,
          ruleset,
          RULE_NET_PORT,
          rule.address(),
          0);
    }
  }
}
