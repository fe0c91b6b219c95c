package org.casement.isolation;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// The listeners that whoever sealed this namespace left open for us, named by the environment
/// variables of spank_iso_netns: `SPANK_ISO_NETNS_LISTENING_FD_n`, `…_PORT_n`, `…_PROTO_n`, n from
/// 0.
public final class InheritedListeners {
  static final String FD = "SPANK_ISO_NETNS_LISTENING_FD_";
  static final String PORT = "SPANK_ISO_NETNS_LISTENING_PORT_";
  static final String PROTO = "SPANK_ISO_NETNS_LISTENING_PROTO_";

  private static final int SOL_SOCKET = 1;
  private static final int SO_TYPE = 3;
  private static final int SO_ACCEPTCONN = 30;
  private static final int SOCK_STREAM = 1;
  private static final int AF_INET = 2;
  private static final int AF_INET6 = 10;
  private static final int F_GETFD = 1;
  private static final int F_SETFD = 2;
  private static final int F_GETFL = 3;
  private static final int F_SETFL = 4;
  private static final int FD_CLOEXEC = 1;
  private static final int O_NONBLOCK = 0x800;

  private InheritedListeners() {}

  /// All of them, in order. Each is checked to be what the variables say, and made close-on-exec
  /// (no helper gets it) and non-blocking (else a connection that vanished blocks the event loop).
  public static List<InheritedListener> fromEnvironment(Map<String, String> environment)
      throws IsolationException {
    List<InheritedListener> listeners = new ArrayList<>();
    for (int n = 0; environment.containsKey(FD + n); n++) {
      String protocol = environment.getOrDefault(PROTO + n, "tcp");
      if (!protocol.equals("tcp")) {
        throw new IsolationException("listener " + n + " is " + protocol + ", not tcp");
      }
      int descriptor = number(environment, FD + n);
      InheritedListener listener = check(n, descriptor);
      if (listener.port() != number(environment, PORT + n)) {
        throw new IsolationException(
            PORT + n + " does not name the port of descriptor " + descriptor);
      }
      listeners.add(listener);
    }
    long named = environment.keySet().stream().filter(name -> name.startsWith(FD)).count();
    if (named != listeners.size()) {
      throw new IsolationException("the variables " + FD + "n are not numbered from 0 on");
    }
    return List.copyOf(listeners);
  }

  /// The variables for listeners that a child has at descriptors 3, 4, ….
  static SortedMap<String, String> toEnvironment(List<Listener> listeners) {
    SortedMap<String, String> variables = new TreeMap<>();
    for (int n = 0; n < listeners.size(); n++) {
      variables.put(FD + n, Integer.toString(3 + n));
      variables.put(PORT + n, Integer.toString(listeners.get(n).port()));
      variables.put(PROTO + n, "tcp");
    }
    return variables;
  }

  private static InheritedListener check(int n, int descriptor) throws IsolationException {
    String what = "use descriptor " + descriptor + " as listener " + n;
    if (descriptor < 3) {
      throw new IsolationException("cannot " + what + ": it is a standard stream");
    }
    long flags = Linux.must(what, Linux.Call.FCNTL, descriptor, F_GETFD);
    Linux.must(what, Linux.Call.FCNTL, descriptor, F_SETFD, flags | FD_CLOEXEC);
    if (option(what, descriptor, SO_TYPE) != SOCK_STREAM
        || option(what, descriptor, SO_ACCEPTCONN) != 1) {
      throw new IsolationException("cannot " + what + ": it does not listen");
    }
    long status = Linux.must(what, Linux.Call.FCNTL, descriptor, F_GETFL);
    Linux.must(what, Linux.Call.FCNTL, descriptor, F_SETFL, status | O_NONBLOCK);
    return listener(what, descriptor);
  }

  private static int option(String what, int descriptor, int option) throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(JAVA_INT);
      MemorySegment length = arena.allocateFrom(JAVA_INT, 4);
      Linux.must(
          what,
          Linux.Call.GETSOCKOPT,
          descriptor,
          SOL_SOCKET,
          option,
          value.address(),
          length.address());
      return value.get(JAVA_INT, 0);
    }
  }

  private static InheritedListener listener(String what, int descriptor) throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocate(128, 8);
      MemorySegment length = arena.allocateFrom(JAVA_INT, 128);
      Linux.must(what, Linux.Call.GETSOCKNAME, descriptor, name.address(), length.address());
      int family = name.get(JAVA_SHORT, 0);
      if (family != AF_INET && family != AF_INET6) {
        throw new IsolationException("cannot " + what + ": it is not a TCP socket");
      }
      byte[] address =
          (family == AF_INET ? name.asSlice(4, 4) : name.asSlice(8, 16)).toArray(JAVA_BYTE);
      return new InheritedListener(
          descriptor,
          InetAddress.getByAddress(address),
          Short.toUnsignedInt(name.get(JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN), 2)));
    } catch (UnknownHostException impossible) {
      throw new IsolationException("cannot " + what + ": " + impossible.getMessage(), impossible);
    }
  }

  private static int number(Map<String, String> environment, String name)
      throws IsolationException {
    @Nullable String value = environment.get(name);
    if (value == null || !value.matches("[0-9]{1,9}")) {
      throw new IsolationException(name + " is not a number");
    }
    return Integer.parseInt(value);
  }
}
