package org.casement.settings;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// One reading of the configuration: what its sections have in common, and what they found.
public final class SettingsReading {
  /// A value and its comment line up, unless the value is longer.
  private static final int COMMENT_COLUMN_LIMIT = 56;

  /// A line of TOML; `origin` is empty for the head of a table.
  private record Line(String toml, String origin) {}

  private final List<Path> files;
  private final Map<String, String> placeholders;
  private final List<Line> lines = new ArrayList<>();
  private final List<ConfigurationException> unknownKeys = new ArrayList<>();

  /// @param files the one that counts most first
  /// @param placeholders what `${…}` stands for
  public SettingsReading(List<Path> files, Map<String, String> placeholders) {
    this.files = List.copyOf(files);
    this.placeholders = Map.copyOf(placeholders);
  }

  /// Where a key that is missing should be written.
  Path foremostFile() {
    return files.getFirst();
  }

  Map<String, String> placeholders() {
    return placeholders;
  }

  void head(String toml) {
    lines.add(new Line(toml, ""));
  }

  void value(String toml, String origin) {
    lines.add(new Line(toml, origin));
  }

  void unknownKey(ConfigurationException refusal) {
    unknownKeys.add(refusal);
  }

  public List<ConfigurationException> unknownKeys() {
    return List.copyOf(unknownKeys);
  }

  public void refuseUnknownKeys() throws ConfigurationException {
    if (!unknownKeys.isEmpty()) {
      throw unknownKeys.getFirst();
    }
  }

  /// The configuration in effect, as TOML, each value with where it comes from.
  public String effective() {
    StringBuilder text = new StringBuilder("# from: ");
    text.append(String.join(", ", files.reversed().stream().map(Path::toString).toList()));
    text.append('\n');
    int column =
        lines.stream()
            .filter(line -> !line.origin().isEmpty())
            .mapToInt(line -> line.toml().length())
            .filter(length -> length <= COMMENT_COLUMN_LIMIT)
            .max()
            .orElse(0);
    for (Line line : lines) {
      if (line.origin().isEmpty()) {
        text.append('\n').append(line.toml()).append('\n');
      } else {
        String padding = " ".repeat(Math.max(0, column - line.toml().length()));
        text.append(line.toml()).append(padding).append("  # ").append(line.origin()).append('\n');
      }
    }
    return text.toString();
  }
}
