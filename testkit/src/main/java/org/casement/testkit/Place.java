package org.casement.testkit;

import java.util.ArrayList;
import java.util.List;

/// Where a probe or a canary runs, as the command line that leads there.
///
/// @param name for messages
/// @param prefix comes before the command; empty is root on the node
public record Place(String name, List<String> prefix) {
  /// The namespaces that `bwrap` and `unshare` make.
  private static final List<String> ALL =
      List.of("cgroup", "ipc", "uts", "net", "pid", "mnt", "user");

  public Place {
    prefix = List.copyOf(prefix);
  }

  /// Root, on the node.
  public static Place node() {
    return new Place("the node, as root", List.of());
  }

  /// The node itself, as an ordinary user.
  public static Place of(TestUser user) {
    return new Place("the node, as " + user.name(), user.prefix());
  }

  /// Inside a process's namespaces of the listed `kinds`, as `user`, without capabilities. What is
  /// started is a program of the node's, which needs not exist inside.
  public static Place inside(ProcessEntry process, TestUser user, String... kinds) {
    return inside(process, user.uid(), user.gid(), kinds);
  }

  /// The same as an account that this machine need not know.
  public static Place inside(ProcessEntry process, int uid, int gid, String... kinds) {
    return new Place(
        String.join(",", kinds) + " namespaces of " + process.pid() + " " + process.name(),
        List.of(
            "/usr/bin/perl",
            "-e",
            Probe.resource("enter.pl"),
            Integer.toString(process.pid()),
            String.join(",", kinds),
            Integer.toString(uid),
            Integer.toString(gid)));
  }

  /// Inside all of a process's namespaces.
  public static Place inside(ProcessEntry process, TestUser user) {
    return inside(process, user, ALL.toArray(String[]::new));
  }

  /// A process of `command` there, with hardly any environment.
  public ProcessBuilder process(List<String> command) {
    List<String> line = new ArrayList<>(prefix);
    line.addAll(command);
    ProcessBuilder builder = new ProcessBuilder(line);
    builder.environment().clear();
    builder.environment().put("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    return builder;
  }
}
