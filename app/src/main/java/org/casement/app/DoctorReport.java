package org.casement.app;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.casement.supervisor.Finding;
import org.casement.supervisor.Finding.Level;
import org.casement.supervisor.Finding.Subject;

/// What [Doctor] found, for people and for programs (contracts/doctor.md).
record DoctorReport(List<Finding> findings) {
  private static final int COLUMNS = 80;
  private static final int LEVEL_COLUMNS = 9;
  private static final int LABEL_COLUMNS = 19;
  private static final String REMEDY = "-> ";

  /// The worst of all.
  Level level() {
    return findings.stream().map(Finding::level).max(Comparator.naturalOrder()).orElse(Level.OK);
  }

  String json() throws IOException {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("format", 1);
    document.put("level", level().code());
    document.put("findings", findings.stream().map(DoctorReport::members).toList());
    return Objects.requireNonNull(JSON.std.asString(document)) + "\n";
  }

  private static Map<String, Object> members(Finding finding) {
    Map<String, Object> members = new LinkedHashMap<>();
    members.put("subject", finding.subject().code());
    members.put("level", finding.level().code());
    members.put("found", finding.found());
    members.put("remedy", finding.remedy());
    return members;
  }

  /// @param colour by escape sequences (ECMA-48)
  String text(boolean colour) {
    StringBuilder text = new StringBuilder();
    String group = "";
    for (Finding finding : findings) {
      Subject subject = finding.subject();
      if (!subject.group().equals(group)) {
        group = subject.group();
        text.append(text.isEmpty() ? "" : "\n").append(group).append('\n');
      }
      text.append("  ").append(painted(finding.level(), colour));
      text.append(" ".repeat(LEVEL_COLUMNS - finding.level().code().length()));
      text.append(padded(subject.label(), LABEL_COLUMNS));
      int indent = 2 + LEVEL_COLUMNS + LABEL_COLUMNS;
      wrap(text, indent, finding.found());
      if (!finding.remedy().isEmpty()) {
        text.append(" ".repeat(indent));
        wrap(text, indent, REMEDY + finding.remedy());
      }
    }
    return text.append('\n').append(summary()).append('\n').toString();
  }

  private String summary() {
    long errors = findings.stream().filter(found -> found.level() == Level.ERROR).count();
    long warnings = findings.stream().filter(found -> found.level() == Level.WARNING).count();
    return switch (level()) {
      case OK -> "Sessions can run here.";
      case WARNING -> "Sessions can run here; warnings: " + warnings + ".";
      case ERROR -> "Sessions cannot run here; errors: " + errors + ", warnings: " + warnings + ".";
    };
  }

  private static String painted(Level level, boolean colour) {
    int code =
        switch (level) {
          case OK -> 32;
          case WARNING -> 33;
          case ERROR -> 31;
        };
    return colour ? "\u001b[" + code + "m" + level.code() + "\u001b[0m" : level.code();
  }

  private static String padded(String text, int columns) {
    return text + " ".repeat(Math.max(1, columns - text.length()));
  }

  /// Breaks between words; a longer word, such as a path to be copied, stays whole.
  private static void wrap(StringBuilder text, int indent, String words) {
    int column = indent;
    for (String word : words.split("\\s+", -1)) {
      if (column > indent && column + 1 + word.length() > COLUMNS) {
        text.append('\n').append(" ".repeat(indent));
        column = indent;
      } else if (column > indent) {
        text.append(' ');
        column++;
      }
      text.append(word);
      column += word.length();
    }
    text.append('\n');
  }
}
