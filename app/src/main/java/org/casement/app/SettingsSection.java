package org.casement.app;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.tomlj.Toml;
import org.tomlj.TomlArray;
import org.tomlj.TomlPosition;
import org.tomlj.TomlTable;

/// One table of the configuration file. Reading a key makes it known; [#end()] then refuses every
/// key that nobody read, so that no list of keys can drift from the code.
final class SettingsSection {
  private static final Pattern DURATION = Pattern.compile("([0-9]{1,6})([smhd])");
  private static final Pattern PLACEHOLDER = Pattern.compile("\\$\\{([A-Za-z_]*)\\}");

  private final Path file;
  private final String name;
  private final TomlTable table;
  private final Map<String, String> placeholders;
  private final Set<String> known = new LinkedHashSet<>();

  SettingsSection(Path file, String name, TomlTable table, Map<String, String> placeholders) {
    this.file = file;
    this.name = name;
    this.table = table;
    this.placeholders = placeholders;
  }

  SettingsSection section(String key) throws ConfigurationException {
    known.add(key);
    Object value = value(key);
    if (value == null) {
      return new SettingsSection(file, path(key), Toml.parse(""), placeholders);
    }
    if (!(value instanceof TomlTable inner)) {
      throw wrong(key, "is a table: write [" + path(key) + "]");
    }
    return new SettingsSection(file, path(key), inner, placeholders);
  }

  /// The tables of `[[name.key]]`; empty if there is none.
  List<SettingsSection> sections(String key) throws ConfigurationException {
    known.add(key);
    Object value = value(key);
    if (value == null) {
      return List.of();
    }
    if (!(value instanceof TomlArray array)) {
      throw wrong(key, "is a list of tables: write [[" + path(key) + "]]");
    }
    List<SettingsSection> sections = new ArrayList<>();
    for (int i = 0; i < array.size(); i++) {
      if (!(array.get(i) instanceof TomlTable inner)) {
        throw wrong(key, "is a list of tables: write [[" + path(key) + "]]");
      }
      sections.add(new SettingsSection(file, path(key), inner, placeholders));
    }
    return sections;
  }

  String string(String key, String standard) throws ConfigurationException {
    known.add(key);
    Object value = value(key);
    if (value == null) {
      return expand(key, standard);
    }
    if (!(value instanceof String text)) {
      throw wrong(key, "is a string: write " + key + " = \"…\"");
    }
    return expand(key, text);
  }

  String required(String key) throws ConfigurationException {
    known.add(key);
    if (value(key) == null) {
      throw ConfigurationException.in(file, "[" + name + "] needs the key " + key);
    }
    return string(key, "");
  }

  Path absolutePath(String key, String standard) throws ConfigurationException {
    return absolute(key, string(key, standard));
  }

  Path requiredPath(String key) throws ConfigurationException {
    return absolute(key, required(key));
  }

  /// A default that no key overrides.
  Path expanded(String standard) throws ConfigurationException {
    return Path.of(expand("", standard)).normalize();
  }

  int integer(String key, int standard, int least, int most) throws ConfigurationException {
    known.add(key);
    Object value = value(key);
    if (value == null) {
      return standard;
    }
    if (!(value instanceof Long number) || number < least || number > most) {
      throw wrong(key, "is a whole number from " + least + " to " + most);
    }
    return Math.toIntExact(number);
  }

  boolean bool(String key, boolean standard) throws ConfigurationException {
    known.add(key);
    Object value = value(key);
    if (value == null) {
      return standard;
    }
    if (!(value instanceof Boolean bool)) {
      throw wrong(key, "is true or false");
    }
    return bool;
  }

  <E extends Enum<E>> E choice(String key, E standard) throws ConfigurationException {
    String text = string(key, standard.name().toLowerCase(Locale.ROOT));
    E[] constants = Objects.requireNonNull(standard.getDeclaringClass().getEnumConstants());
    for (E constant : constants) {
      if (constant.name().toLowerCase(Locale.ROOT).equals(text)) {
        return constant;
      }
    }
    throw wrong(
        key,
        "is one of "
            + String.join(
                ", ",
                Arrays.stream(constants)
                    .map(c -> '"' + c.name().toLowerCase(Locale.ROOT) + '"')
                    .toList()));
  }

  Duration duration(String key, String standard) throws ConfigurationException {
    String text = string(key, standard);
    return parseDuration(text)
        .orElseThrow(() -> wrong(key, "is a time such as \"8h\", \"90m\" or \"30s\""));
  }

  static Optional<Duration> parseDuration(String text) {
    Matcher matcher = DURATION.matcher(text);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    long amount = Long.parseLong(matcher.group(1));
    return Optional.of(
        switch (matcher.group(2)) {
          case "s" -> Duration.ofSeconds(amount);
          case "m" -> Duration.ofMinutes(amount);
          case "h" -> Duration.ofHours(amount);
          default -> Duration.ofDays(amount);
        });
  }

  List<String> strings(String key, List<String> standard) throws ConfigurationException {
    known.add(key);
    Object value = value(key);
    if (value == null) {
      return standard;
    }
    List<String> strings = new ArrayList<>();
    if (value instanceof TomlArray array) {
      for (Object element : array.toList()) {
        if (element instanceof String text) {
          strings.add(expand(key, text));
        }
      }
      if (strings.size() == array.size()) {
        return strings;
      }
    }
    throw wrong(key, "is a list of strings: write " + key + " = [\"…\", \"…\"]");
  }

  List<Path> absolutePaths(String key, List<String> standard) throws ConfigurationException {
    List<Path> paths = new ArrayList<>();
    for (String text : strings(key, standard)) {
      paths.add(absolute(key, text));
    }
    return List.copyOf(paths);
  }

  /// A value of `key` that was read and is not acceptable for a reason only the reader knows.
  ConfigurationException wrong(String key, String rule) {
    TomlPosition position = table.inputPositionOf(List.of(key));
    String problem = path(key) + " " + rule;
    return position == null
        ? ConfigurationException.in(file, problem)
        : ConfigurationException.at(file, position, problem);
  }

  /// Refuses keys that nobody asked for.
  void end() throws ConfigurationException {
    for (String key : table.keySet()) {
      if (!known.contains(key)) {
        throw wrong(key, "is not a key of Casement's; " + nearest(key));
      }
    }
  }

  private String nearest(String key) {
    return known.stream()
        .min((a, b) -> Integer.compare(distance(key, a), distance(key, b)))
        .filter(candidate -> distance(key, candidate) <= Math.max(2, key.length() / 3))
        .map(candidate -> "did you mean " + candidate + "?")
        .orElse("known here: " + String.join(", ", known));
  }

  /// Levenshtein's edit distance.
  private static int distance(String a, String b) {
    int[] previous = new int[b.length() + 1];
    Arrays.setAll(previous, i -> i);
    for (int i = 1; i <= a.length(); i++) {
      int[] current = new int[b.length() + 1];
      current[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int change = previous[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        current[j] = Math.min(change, Math.min(previous[j], current[j - 1]) + 1);
      }
      previous = current;
    }
    return previous[b.length()];
  }

  private Path absolute(String key, String text) throws ConfigurationException {
    Path path = Path.of(text);
    if (!path.isAbsolute()) {
      throw wrong(key, "is an absolute path, not \"" + text + "\"");
    }
    return path.normalize();
  }

  private String expand(String key, String text) throws ConfigurationException {
    Matcher matcher = PLACEHOLDER.matcher(text);
    StringBuilder expanded = new StringBuilder();
    while (matcher.find()) {
      String value = placeholders.get(matcher.group(1));
      if (value == null) {
        throw wrong(key, "knows ${HOME} and ${USER} only, not " + matcher.group());
      }
      matcher.appendReplacement(expanded, Matcher.quoteReplacement(value));
    }
    return matcher.appendTail(expanded).toString();
  }

  private @Nullable Object value(String key) {
    return table.get(List.of(key));
  }

  private String path(String key) {
    return name.isEmpty() ? key : name + "." + key;
  }
}
