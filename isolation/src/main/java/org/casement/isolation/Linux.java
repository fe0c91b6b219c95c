package org.casement.isolation;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/// The only class that calls native code: one handle for syscall(2), and posix_spawn(3), which is a
/// library function. Every call happens in the calling thread; where that matters (credentials,
/// Landlock, keyrings, parent-death signals are the *thread's*), the caller says so.
@SuppressWarnings("restricted")
final class Linux {
  /// Numbers of asm/unistd.h: x86-64, and the generic table that aarch64 uses.
  enum Call {
    ACCEPT4(288, 242),
    BIND(49, 200),
    CAPSET(126, 91),
    CLOSE(3, 57),
    CONNECT(42, 203),
    DUP3(292, 24),
    EXECVE(59, 221),
    FCNTL(72, 25),
    FLOCK(73, 32),
    GETGID(104, 176),
    GETPID(39, 172),
    GETSOCKNAME(51, 204),
    GETSOCKOPT(55, 209),
    GETUID(102, 174),
    IOCTL(16, 29),
    KEYCTL(250, 219),
    LANDLOCK_ADD_RULE(445, 445),
    LANDLOCK_CREATE_RULESET(444, 444),
    LANDLOCK_RESTRICT_SELF(446, 446),
    LISTEN(50, 201),
    MOUNT(165, 40),
    OPENAT(257, 56),
    PIDFD_OPEN(434, 434),
    PIDFD_SEND_SIGNAL(424, 424),
    PRCTL(157, 167),
    READ(0, 63),
    RECVMSG(47, 212),
    RT_SIGACTION(13, 134),
    RT_SIGPROCMASK(14, 135),
    SENDMSG(46, 211),
    SETNS(308, 268),
    SETSOCKOPT(54, 208),
    SHUTDOWN(48, 210),
    SOCKET(41, 198),
    SOCKETPAIR(53, 199),
    UMOUNT2(166, 39),
    WAIT4(61, 260),
    WRITE(1, 64);

    private final long x86;
    private final long generic;

    Call(long x86, long generic) {
      this.x86 = x86;
      this.generic = generic;
    }

    long number() {
      return X86 ? x86 : generic;
    }
  }

  static final int EPERM = 1;
  static final int ENOENT = 2;
  static final int EACCES = 13;
  static final int EAGAIN = 11;
  static final int EEXIST = 17;
  static final int EINTR = 4;
  static final int ENOSYS = 38;
  static final int EADDRINUSE = 98;
  static final int EADDRNOTAVAIL = 99;
  static final int ECONNABORTED = 103;
  static final int SIGKILL = 9;

  private static final boolean X86 = System.getProperty("os.arch", "").equals("amd64");
  private static final Linker LINKER = Linker.nativeLinker();
  private static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");
  private static final VarHandle ERRNO_OF =
      Linker.Option.captureStateLayout()
          .varHandle(MemoryLayout.PathElement.groupElement("errno"))
          .withInvokeExactBehavior();
  private static final MethodHandle SYSCALL =
      LINKER.downcallHandle(
          symbol("syscall"),
          FunctionDescriptor.of(
              JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
          Linker.Option.firstVariadicArg(1),
          ERRNO);

  private Linux() {}

  /// Links everything that [#call] and [#spawn] use, which otherwise the first call does.
  static void prepare() {
    call(Call.GETUID);
    Spawning.EXECUTE.type();
  }

  /// The call's result, or minus errno.
  static long call(Call call, long... arguments) {
    long[] a = java.util.Arrays.copyOf(arguments, 5);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(Linker.Option.captureStateLayout());
      long result = (long) SYSCALL.invokeExact(state, call.number(), a[0], a[1], a[2], a[3], a[4]);
      return result >= 0 ? result : -(long) (int) ERRNO_OF.get(state, 0L);
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /// The call's result; a failure says what was tried: `cannot lock /x: errno 11 (…)`.
  static long must(String what, Call call, long... arguments) throws IsolationException {
    long result = call(call, arguments);
    if (result < 0) {
      throw failure(what, (int) -result);
    }
    return result;
  }

  static IsolationException failure(String what, int errno) {
    return new IsolationException("cannot " + what + ": " + describe(errno));
  }

  /// strerror(3), in the words of the C library.
  static String describe(int errno) {
    MethodHandle strerror =
        LINKER.downcallHandle(symbol("strerror"), FunctionDescriptor.of(ADDRESS, JAVA_INT));
    try {
      MemorySegment text = (MemorySegment) strerror.invokeExact(errno);
      return text.reinterpret(256).getString(0, StandardCharsets.UTF_8);
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /// posix_spawn(3) and what prepares it, linked when first needed.
  private static final class Spawning {
    static final MethodHandle EXECUTE =
        function("posix_spawn", ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS);
    static final MethodHandle INIT_ACTIONS = function("posix_spawn_file_actions_init", ADDRESS);
    static final MethodHandle DESTROY_ACTIONS =
        function("posix_spawn_file_actions_destroy", ADDRESS);
    static final MethodHandle ADD_DUP2 =
        function("posix_spawn_file_actions_adddup2", ADDRESS, JAVA_INT, JAVA_INT);
    static final MethodHandle INIT = function("posix_spawnattr_init", ADDRESS);
    static final MethodHandle DESTROY = function("posix_spawnattr_destroy", ADDRESS);
    static final MethodHandle SET_MASK = function("posix_spawnattr_setsigmask", ADDRESS, ADDRESS);
    static final MethodHandle SET_DEFAULTS =
        function("posix_spawnattr_setsigdefault", ADDRESS, ADDRESS);
    static final MethodHandle SET_FLAGS =
        function("posix_spawnattr_setflags", ADDRESS, ValueLayout.JAVA_SHORT);

    private static MethodHandle function(String name, ValueLayout... parameters) {
      return LINKER.downcallHandle(symbol(name), FunctionDescriptor.of(JAVA_INT, parameters));
    }
  }

  /// Starts `command[0]` with these descriptors at 3, 4, …, in a process group of its own, with all
  /// signals at their defaults and none blocked. Every other descriptor must be close-on-exec.
  static int spawn(List<String> command, Map<String, String> environment, List<Integer> descriptors)
      throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      // SAFETY: glibc's types are 80 and 336 bytes (spawn.h, 64 bit); zeroed, then initialised.
      MemorySegment actions = arena.allocate(1024, 16);
      MemorySegment attributes = arena.allocate(1024, 16);
      check("prepare files", (int) Spawning.INIT_ACTIONS.invokeExact(actions));
      check("prepare attributes", (int) Spawning.INIT.invokeExact(attributes));
      for (int i = 0; i < descriptors.size(); i++) {
        int descriptor = descriptors.get(i);
        check("pass a file", (int) Spawning.ADD_DUP2.invokeExact(actions, descriptor, 3 + i));
      }
      MemorySegment all = arena.allocate(128, 8);
      check("unblock signals", (int) Spawning.SET_MASK.invokeExact(attributes, all));
      all.asSlice(0, 8).fill((byte) 0xff);
      check("reset signals", (int) Spawning.SET_DEFAULTS.invokeExact(attributes, all));
      // POSIX_SPAWN_SETPGROUP | SETSIGDEF | SETSIGMASK (spawn.h); the group defaults to a new one.
      short flags = 0x02 | 0x04 | 0x08;
      check("set flags", (int) Spawning.SET_FLAGS.invokeExact(attributes, flags));
      MemorySegment pid = arena.allocate(JAVA_INT);
      int error =
          (int)
              Spawning.EXECUTE.invokeExact(
                  pid,
                  arena.allocateFrom(command.getFirst()),
                  actions,
                  attributes,
                  strings(arena, command),
                  strings(arena, assignments(environment)));
      check("release files", (int) Spawning.DESTROY_ACTIONS.invokeExact(actions));
      check("release attributes", (int) Spawning.DESTROY.invokeExact(attributes));
      check("start " + command.getFirst(), error);
      return pid.get(JAVA_INT, 0);
    } catch (IsolationException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /// wait4(2) for our own child: its status, or 128 + the signal.
  static int await(int pid) throws IsolationException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment status = arena.allocate(JAVA_INT);
      long result;
      do {
        result = call(Call.WAIT4, pid, status.address(), 0, 0);
      } while (result == -EINTR);
      if (result < 0) {
        throw failure("wait for process " + pid, (int) -result);
      }
      int value = status.get(JAVA_INT, 0);
      return (value & 0x7f) == 0 ? (value >> 8) & 0xff : 128 + (value & 0x7f);
    }
  }

  static List<String> assignments(Map<String, String> environment) {
    return environment.entrySet().stream().map(e -> e.getKey() + "=" + e.getValue()).toList();
  }

  /// A null-terminated array of C strings.
  static MemorySegment strings(Arena arena, List<String> texts) {
    MemorySegment array = arena.allocate(ADDRESS, texts.size() + 1L);
    for (int i = 0; i < texts.size(); i++) {
      array.setAtIndex(ADDRESS, i, arena.allocateFrom(texts.get(i)));
    }
    return array;
  }

  private static void check(String what, int error) throws IsolationException {
    if (error != 0) {
      throw failure(what, error);
    }
  }

  private static MemorySegment symbol(String name) {
    return LINKER.defaultLookup().findOrThrow(name);
  }
}
