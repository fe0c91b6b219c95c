package org.casement.isolation;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// What one helper may see: its program, its files, nothing else. Becomes a bubblewrap command line
/// that makes a child user, pid, ipc, uts and mount namespace with an empty root, in the network
/// namespace of the caller (bwrap(1)). Immutable once built.
public final class Confinement {
  private static final List<String> NAMESPACES =
      List.of(
          "--unshare-user",
          "--unshare-pid",
          "--unshare-ipc",
          "--unshare-uts",
          "--unshare-cgroup-try",
          "--disable-userns",
          "--die-with-parent",
          "--new-session",
          "--as-pid-1",
          "--clearenv");

  /// Where distributions keep shared libraries: Debian's multiarch directories, the others' lib64,
  /// and the loaders. Not /usr/lib as a whole: programs and foreign data live there too.
  private static final List<String> LIBRARIES =
      List.of(
          "/usr/lib/x86_64-linux-gnu",
          "/usr/lib/aarch64-linux-gnu",
          "/usr/lib/ld-linux-aarch64.so.1",
          "/usr/lib64");

  private final List<String> mounts;
  private final Map<String, String> environment;
  private final List<String> command;

  private Confinement(Builder builder) {
    this.mounts = List.copyOf(builder.mounts);
    this.environment = new TreeMap<>(builder.environment);
    this.command = List.copyOf(builder.command);
  }

  /// Begins a confinement of `program` (absolute), which is visible inside at the same path.
  public static Builder of(Path program) {
    return new Builder(program);
  }

  /// The whole command line, to be started with an *empty* environment.
  public List<String> commandLine(Path bwrap) throws IOException {
    List<String> line = new ArrayList<>();
    line.add(bwrap.toString());
    line.addAll(Bubblewrap.known(bwrap, NAMESPACES));
    environment.forEach((name, value) -> line.addAll(List.of("--setenv", name, value)));
    for (String libraries : LIBRARIES) {
      line.addAll(List.of("--ro-bind-try", libraries, libraries));
    }
    line.addAll(List.of("--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"));
    line.addAll(List.of("--dev", "/dev"));
    line.addAll(mounts);
    // Last: a bind after these fails, "Can't mkdir …: Read-only file system".
    line.addAll(List.of("--chdir", "/", "--remount-ro", "/dev", "--remount-ro", "/", "--"));
    line.addAll(command);
    return line;
  }

  /// Collects what a helper may see; later binds lie over earlier ones.
  public static final class Builder {
    private final List<String> mounts = new ArrayList<>();
    private final Map<String, String> environment = new TreeMap<>();
    private final List<String> command = new ArrayList<>();

    private Builder(Path program) {
      if (!program.isAbsolute()) {
        throw new IllegalArgumentException("program must be an absolute path: " + program);
      }
      command.add(program.toString());
      readOnly(program);
    }

    public Builder readOnly(Path path) {
      return readOnly(path, path);
    }

    public Builder readOnly(Path outside, Path inside) {
      return mount("--ro-bind", outside, inside);
    }

    public Builder writable(Path outside, Path inside) {
      return mount("--bind", outside, inside);
    }

    /// A device node such as /dev/kvm; left out where it does not exist.
    public Builder device(Path device) {
      return mount("--dev-bind-try", device, device);
    }

    /// An empty, writable directory in the confinement's own memory.
    public Builder temporary(Path inside) {
      mounts.addAll(List.of("--tmpfs", inside.toString()));
      return this;
    }

    /// What lies at `inside` is not there: an empty, read-only directory instead.
    public Builder hideDirectory(Path inside) {
      mounts.addAll(List.of("--tmpfs", inside.toString(), "--remount-ro", inside.toString()));
      return this;
    }

    /// What lies at `inside` can be neither read nor written: a device without permission instead.
    public Builder hideFile(Path inside) {
      return mount("--ro-bind", Path.of("/dev/null"), inside);
    }

    public Builder environment(String name, String value) {
      environment.put(name, value);
      return this;
    }

    public Builder arguments(List<String> arguments) {
      command.addAll(arguments);
      return this;
    }

    public Builder arguments(String... arguments) {
      return arguments(List.of(arguments));
    }

    public Confinement build() {
      return new Confinement(this);
    }

    private Builder mount(String option, Path outside, Path inside) {
      mounts.addAll(List.of(option, outside.toString(), inside.toString()));
      return this;
    }
  }
}
