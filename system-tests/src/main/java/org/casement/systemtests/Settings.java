package org.casement.systemtests;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.casement.testkit.TestUser;

/// A configuration file in the making; every change is a copy.
public final class Settings {
  /// Not the default range: a session that somebody runs on this machine keeps its ports.
  static final int FIRST_PORT = 21000;

  private final Map<String, Map<String, String>> sections;
  private final Map<String, Path> shares;
  private final String umask;

  private Settings(
      Map<String, Map<String, String>> sections, Map<String, Path> shares, String umask) {
    this.sections = sections;
    this.shares = shares;
    this.umask = umask;
  }

  /// The demo guest, everything else as the program has it.
  public static Settings standard() {
    return new Settings(new TreeMap<>(), new LinkedHashMap<>(), "022")
        .with("golden", "image", Program.image().toString())
        .with("listen", "ports", FIRST_PORT + "-" + (FIRST_PORT + 999));
  }

  /// The same with the demo guest's other temper: freerdp-shadow, network level authentication.
  public Settings withShadow() {
    return with("golden", "image", Program.image().resolve("shadow").toString());
  }

  /// The same with root's shell in the guest, on a socket in the runtime directory.
  public Settings withTestPort() {
    return with("machine", "test_port", true);
  }

  /// The same with `section.key` set to a boolean, a whole number, a list of strings; anything else
  /// is written as a string.
  public Settings with(String section, String key, Object value) {
    Map<String, Map<String, String>> changed = new TreeMap<>();
    sections.forEach((name, keys) -> changed.put(name, new TreeMap<>(keys)));
    changed.computeIfAbsent(section, _ -> new TreeMap<>()).put(key, literal(value));
    return new Settings(changed, shares, umask);
  }

  private static String literal(Object value) {
    return switch (value) {
      case Boolean _, Integer _ -> value.toString();
      case List<?> list ->
          list.stream().map(Settings::literal).collect(Collectors.joining(", ", "[", "]"));
      default -> '"' + value.toString() + '"';
    };
  }

  /// Whether a session of these settings has this connector, `web` or `console`.
  boolean has(String connector) {
    return !sections.getOrDefault("listen", Map.of()).getOrDefault(connector, "").equals("false");
  }

  /// Where a session of these settings has its home.
  ///
  /// @param user whose home the default is in
  Path sessionHome(TestUser user) {
    String home = sections.getOrDefault("session", Map.of()).get("home");
    return home == null
        ? user.home().resolve(".local/state/casement")
        : Path.of(home.substring(1, home.length() - 1));
  }

  public Settings withShare(String name, Path path) {
    Map<String, Path> more = new LinkedHashMap<>(shares);
    more.put(name, path);
    return new Settings(sections, more, umask);
  }

  /// The umask of the shell that the session is started from.
  public Settings withUmask(String changed) {
    return new Settings(sections, shares, changed);
  }

  public String umask() {
    return umask;
  }

  public String toml() {
    StringBuilder toml = new StringBuilder();
    sections.forEach(
        (name, keys) -> {
          toml.append('[').append(name).append("]\n");
          keys.forEach((key, value) -> toml.append(key).append(" = ").append(value).append('\n'));
        });
    shares.forEach(
        (name, path) ->
            toml.append("[[shares.share]]\nname = \"")
                .append(name)
                .append("\"\npath = \"")
                .append(path)
                .append("\"\n"));
    return toml.toString();
  }
}
