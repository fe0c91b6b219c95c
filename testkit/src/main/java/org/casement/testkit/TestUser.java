package org.casement.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/// An ordinary account that lives as long as this object: home, group of its own, shell. Needs
/// root.
public final class TestUser implements AutoCloseable {
  private static final Duration ACCOUNT_LIMIT = Duration.ofSeconds(30);

  private final String name;
  private final int uid;
  private final int gid;
  private final Path home;
  private final List<String> groups = new ArrayList<>();

  private TestUser(String name) {
    this.name = name;
    this.uid = Integer.parseInt(Command.run("id", "-u", name).orFail().strip());
    this.gid = Integer.parseInt(Command.run("id", "-g", name).orFail().strip());
    this.home = Path.of("/home", name);
  }

  public static TestUser create() {
    if (!System.getProperty("user.name", "").equals("root")) {
      throw new AssertionError("this test makes accounts: run it as root, through ./dev test");
    }
    String name = String.format("ct-%06x", ThreadLocalRandom.current().nextInt(1 << 24));
    // --no-log-init: lastlog is a sparse file as long as the highest uid.
    account(
        "useradd",
        "--create-home",
        "--user-group",
        "--no-log-init",
        "--shell",
        "/bin/bash",
        "--home-dir",
        "/home/" + name,
        name);
    return new TestUser(name);
  }

  public String name() {
    return name;
  }

  public int uid() {
    return uid;
  }

  public int gid() {
    return gid;
  }

  public Path home() {
    return home;
  }

  /// A new group that this user is in beside their own.
  ///
  /// @return its id
  public int joinNewGroup() {
    String group = name + "-" + groups.size();
    account("groupadd", group);
    groups.add(group);
    account("usermod", "--append", "--groups", group, name);
    return Integer.parseInt(
        Command.run("getent", "group", group).orFail().strip().split(":", -1)[2]);
  }

  /// A process of this user, in their home, with an environment such as a login has.
  public ProcessBuilder process(List<String> command) {
    List<String> line = new ArrayList<>(prefix());
    line.addAll(command);
    ProcessBuilder builder = new ProcessBuilder(line).directory(home.toFile());
    Map<String, String> environment = builder.environment();
    environment.clear();
    environment.putAll(
        Map.of(
            "HOME",
            home.toString(),
            "USER",
            name,
            "LOGNAME",
            name,
            "LANG",
            "C.UTF-8",
            "PATH",
            "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"));
    return builder;
  }

  /// What turns a command of root's into one of this user's.
  public List<String> prefix() {
    return List.of(
        "/usr/bin/setpriv",
        "--reuid=" + uid,
        "--regid=" + gid,
        "--init-groups",
        "--inh-caps=-all",
        "--");
  }

  public Command.Outcome run(String... command) {
    return Command.run(process(List.of(command)), "", ACCOUNT_LIMIT);
  }

  /// A file of this user's, readable by nobody else.
  public Path write(String path, String text) {
    Path file = home.resolve(path);
    try {
      Files.createDirectories(file.getParent());
      Files.writeString(file, text);
      Command.run("chown", "-R", uid + ":" + gid, home.toString()).orFail();
      Command.run("chmod", "600", file.toString()).orFail();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return file;
  }

  /// Ends what this user still runs and removes account, groups and home.
  @Override
  public void close() {
    Await.until(
        "no process of " + name,
        ACCOUNT_LIMIT,
        () -> {
          List<ProcessEntry> left = ProcessEntry.ofUser(uid);
          left.forEach(ProcessEntry::kill);
          return left.isEmpty();
        });
    account("userdel", "--remove", "--force", name);
    groups.forEach(group -> account("groupdel", group));
  }

  /// The account tools give up at once where somebody else holds the lock of /etc/passwd.
  private static void account(String... command) {
    Await.found(
        String.join(" ", command),
        ACCOUNT_LIMIT,
        () -> {
          Command.Outcome outcome = Command.run(command);
          if (outcome.err().contains("cannot lock") || outcome.err().contains("try again")) {
            return Optional.empty();
          }
          // 12: userdel could not remove the mail spool or home, which may be gone already.
          if (outcome.status() != 0 && outcome.status() != 12) {
            outcome.orFail();
          }
          return Optional.of(outcome);
        });
  }
}
