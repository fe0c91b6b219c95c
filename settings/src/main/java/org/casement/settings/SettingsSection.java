package org.casement.settings;

import java.net.InetAddress;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.tomlj.Toml;
import org.tomlj.TomlArray;
import org.tomlj.TomlPosition;
import org.tomlj.TomlTable;

/// One table of the configuration, which several files may hold: the first of them that has a key
/// counts. Reading a key makes it known; [#end()] then refuses every key that nobody read, so that
/// no list of keys can drift from the code.
public final class SettingsSection {
  private static final Pattern DURATION = Pattern.compile("([0-9]{1,6})([smhd])");
  private static final Pattern RANGE =
      Pattern.compile("\\s*([0-9]{1,9})\\s*(?:-\\s*([0-9]{1,9})\\s*)?");
  private static final Duration LONGEST = Duration.ofDays(366);

  private static final Pattern PLACEHOLDER = Pattern.compile("\\$\\{([A-Za-z_]*)\\}");

  /// This table in one file; `file` is empty for what the program says itself.
  public record Layer(Optional<Path> file, TomlTable table) {
    private String origin(String key) {
      TomlPosition position = table.inputPositionOf(List.of(key));
      return file.map(path -> position == null ? path.toString() : path + ":" + position.line())
          .orElse("default");
    }
  }

  /// A value and the table it stands in.
  private record Found(Layer layer, Object value) {}

  private final String name;
  private final List<Layer> layers;
  private final SettingsReading reading;
  private final Set<String> known = new LinkedHashSet<>();

  /// @param layers the one that counts most first
  public SettingsSection(String name, List<Layer> layers, SettingsReading reading) {
    this.name = name;
    this.layers = List.copyOf(layers);
    this.reading = reading;
  }

  public SettingsSection section(String key) throws ConfigurationException {
    known.add(key);
    List<Layer> inner = new ArrayList<>();
    for (Layer layer : layers) {
      Object value = layer.table().get(List.of(key));
      if (value instanceof TomlTable table) {
        inner.add(new Layer(layer.file(), table));
      } else if (value != null) {
        throw wrong(layer, key, "is a table: write [" + path(key) + "]");
      }
    }
    reading.head("[" + path(key) + "]");
    return new SettingsSection(path(key), inner, reading);
  }

  /// The tables of `[[name.key]]`, of one file.
  ///
  /// @param standard as TOML, where there is none
  public List<SettingsSection> sections(String key, String standard) throws ConfigurationException {
    Found found = take(key);
    if (found == null || (found.value() instanceof TomlArray array && array.isEmpty())) {
      TomlTable table = Toml.parse(standard);
      found =
          new Found(
              new Layer(Optional.empty(), table), Objects.requireNonNull(table.get(List.of(key))));
    }
    List<SettingsSection> sections = new ArrayList<>();
    if (found.value() instanceof TomlArray array) {
      for (Object element : array.toList()) {
        if (element instanceof TomlTable table) {
          Layer layer = new Layer(found.layer().file(), table);
          sections.add(new SettingsSection(path(key), List.of(layer), reading));
        }
      }
      if (sections.size() == array.size()) {
        return sections;
      }
    }
    throw wrong(found.layer(), key, "is a list of tables: write [[" + path(key) + "]]");
  }

  /// Begins one of [#sections] in the configuration in effect.
  public void head() {
    reading.head("[[" + name + "]]");
  }

  public String string(String key, String standard) throws ConfigurationException {
    Found found = take(key);
    String text = standard;
    if (found != null) {
      if (!(found.value() instanceof String string)) {
        throw wrong(found.layer(), key, "is a string: write " + key + " = \"…\"");
      }
      text = string;
    }
    String expanded = expand(key, text);
    show(key, quoted(expanded), found);
    return expanded;
  }

  public String required(String key) throws ConfigurationException {
    if (take(key) == null) {
      for (Layer layer : layers) {
        for (String slip : layer.table().keySet()) {
          if (isNear(slip, key)) {
            throw unknown(layer, slip);
          }
        }
      }
      throw ConfigurationException.in(
          reading.foremostFile(), "[" + name + "] needs the key " + key);
    }
    return string(key, "");
  }

  public Path absolutePath(String key, String standard) throws ConfigurationException {
    return absolute(key, string(key, standard));
  }

  public Path requiredPath(String key) throws ConfigurationException {
    return absolute(key, required(key));
  }

  public int integer(String key, int standard, int least, int most) throws ConfigurationException {
    Found found = take(key);
    int number = standard;
    if (found != null) {
      if (!(found.value() instanceof Long given) || given < least || given > most) {
        throw wrong(found.layer(), key, "is a whole number from " + least + " to " + most);
      }
      number = Math.toIntExact(given);
    }
    show(key, Integer.toString(number), found);
    return number;
  }

  public boolean bool(String key, boolean standard) throws ConfigurationException {
    Found found = take(key);
    boolean bool = standard;
    if (found != null) {
      if (!(found.value() instanceof Boolean given)) {
        throw wrong(found.layer(), key, "is true or false");
      }
      bool = given;
    }
    show(key, Boolean.toString(bool), found);
    return bool;
  }

  /// Whole numbers `first` to `last`, both included.
  public record Range(int first, int last) {}

  /// Written `20000-20999`, or `20000` for that one.
  public Range range(String key, String standard, int least, int most)
      throws ConfigurationException {
    Matcher matcher = RANGE.matcher(string(key, standard));
    if (matcher.matches()) {
      int first = Integer.parseInt(matcher.group(1));
      int last = matcher.group(2) == null ? first : Integer.parseInt(matcher.group(2));
      if (first >= least && last <= most && first <= last) {
        return new Range(first, last);
      }
    }
    throw wrong(key, "is a range within " + least + "-" + most + ", such as " + quoted(standard));
  }

  public InetAddress address(String key, String standard) throws ConfigurationException {
    try {
      return InetAddress.ofLiteral(string(key, standard));
    } catch (IllegalArgumentException e) {
      throw wrong(key, "is an IP address of this node, such as " + quoted(standard));
    }
  }

  public <E extends Enum<E>> E choice(String key, E standard) throws ConfigurationException {
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

  public Duration duration(String key, String standard) throws ConfigurationException {
    String text = string(key, standard);
    return parseDuration(text)
        .orElseThrow(
            () -> wrong(key, "is a time such as \"8h\", \"90m\" or \"30s\", at most a year"));
  }

  public static Optional<Duration> parseDuration(String text) {
    Matcher matcher = DURATION.matcher(text);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    long amount = Long.parseLong(matcher.group(1));
    Duration duration =
        switch (matcher.group(2)) {
          case "s" -> Duration.ofSeconds(amount);
          case "m" -> Duration.ofMinutes(amount);
          case "h" -> Duration.ofHours(amount);
          default -> Duration.ofDays(amount);
        };
    return duration.compareTo(LONGEST) > 0 ? Optional.empty() : Optional.of(duration);
  }

  public List<String> strings(String key, List<String> standard) throws ConfigurationException {
    Found found = take(key);
    List<String> strings = new ArrayList<>();
    if (found == null) {
      strings.addAll(standard);
    } else {
      List<Object> elements =
          found.value() instanceof TomlArray array ? array.toList() : List.of(found.value());
      for (Object element : elements) {
        if (!(found.value() instanceof TomlArray) || !(element instanceof String text)) {
          throw wrong(
              found.layer(), key, "is a list of strings: write " + key + " = [\"…\", \"…\"]");
        }
        strings.add(expand(key, text));
      }
    }
    show(
        key,
        strings.stream().map(SettingsSection::quoted).collect(Collectors.joining(", ", "[", "]")),
        found);
    return strings;
  }

  public List<Path> absolutePaths(String key, List<String> standard) throws ConfigurationException {
    List<Path> paths = new ArrayList<>();
    for (String text : strings(key, standard)) {
      paths.add(absolute(key, text));
    }
    return List.copyOf(paths);
  }

  /// A value of `key` that was read and is not acceptable for a reason only the reader knows.
  public ConfigurationException wrong(String key, String rule) {
    Found found = take(key);
    return found == null
        ? ConfigurationException.in(reading.foremostFile(), path(key) + " " + rule)
        : wrong(found.layer(), key, rule);
  }

  private ConfigurationException wrong(Layer layer, String key, String rule) {
    String problem = path(key) + " " + rule;
    TomlPosition position = layer.table().inputPositionOf(List.of(key));
    Path file = layer.file().orElse(reading.foremostFile());
    return position == null
        ? ConfigurationException.in(file, problem)
        : ConfigurationException.at(file, position, problem);
  }

  /// Refuses keys that nobody asked for, in whichever file.
  public void end() {
    for (Layer layer : layers) {
      for (String key : layer.table().keySet()) {
        if (!known.contains(key)) {
          reading.unknownKey(unknown(layer, key));
        }
      }
    }
  }

  private ConfigurationException unknown(Layer layer, String key) {
    String advice =
        known.stream()
            .filter(candidate -> isNear(key, candidate))
            .min(Comparator.comparingInt(candidate -> distance(key, candidate)))
            .map(candidate -> "did you mean " + candidate + "?")
            .orElse("known here: " + String.join(", ", known));
    return wrong(layer, key, "is not a key of Casement's; " + advice);
  }

  private static boolean isNear(String key, String candidate) {
    return distance(key, candidate) <= Math.max(2, key.length() / 3);
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
    if (!text.startsWith("/") || text.indexOf('\0') >= 0) {
      throw wrong(key, "is an absolute path, not " + quoted(text));
    }
    try {
      return Path.of(text).normalize();
    } catch (InvalidPathException e) {
      throw wrong(
          key,
          "has letters that the locale (LC_ALL, LC_CTYPE, LANG) lacks: "
              + quoted(text)
              + "; set LC_ALL=C.UTF-8");
    }
  }

  private String expand(String key, String text) throws ConfigurationException {
    Matcher matcher = PLACEHOLDER.matcher(text);
    StringBuilder expanded = new StringBuilder();
    while (matcher.find()) {
      String value = reading.placeholders().get(matcher.group(1));
      if (value == null) {
        throw wrong(key, "knows ${HOME} and ${USER} only, not " + matcher.group());
      }
      matcher.appendReplacement(expanded, Matcher.quoteReplacement(value));
    }
    return matcher.appendTail(expanded).toString();
  }

  /// The value that counts; makes `key` known.
  private @Nullable Found take(String key) {
    known.add(key);
    for (Layer layer : layers) {
      Object value = layer.table().get(List.of(key));
      if (value != null) {
        return new Found(layer, value);
      }
    }
    return null;
  }

  private void show(String key, String toml, @Nullable Found found) {
    reading.value(key + " = " + toml, found == null ? "default" : found.layer().origin(key));
  }

  private static String quoted(String text) {
    return "\"" + Toml.tomlEscape(text) + "\"";
  }

  private String path(String key) {
    return name.isEmpty() ? key : name + "." + key;
  }
}
