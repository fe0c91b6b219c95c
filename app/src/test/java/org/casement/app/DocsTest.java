package org.casement.app;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/// Holds the documents to what they promise about themselves and the code.
class DocsTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Pattern LINK = Pattern.compile("\\]\\(([^)#]+)(#[^)]*)?\\)");
  private static final Pattern TEST_NAME = Pattern.compile("`([A-Z][A-Za-z]+Test)`");

  private static List<Path> documents() throws IOException {
    try (Stream<Path> files = Files.walk(ROOT, 4)) {
      return files
          .filter(file -> file.toString().endsWith(".md"))
          .filter(file -> !file.toString().matches(".*/(node_modules|target|\\.git)/.*"))
          .toList();
    }
  }

  private static Set<String> classes(String ending) throws IOException {
    try (Stream<Path> files = Files.walk(ROOT)) {
      Set<String> names = new TreeSet<>();
      files
          .map(Path::toString)
          .filter(file -> file.contains("/src/test/") && file.endsWith(ending + ".java"))
          .forEach(file -> names.add(file.replaceFirst(".*/(.*)\\.java", "$1")));
      return names;
    }
  }

  @Test
  void everyLinkLeadsSomewhere() throws IOException {
    List<String> broken = new ArrayList<>();
    int links = 0;
    for (Path document : documents()) {
      Matcher matcher = LINK.matcher(Files.readString(document));
      while (matcher.find()) {
        links++;
        if (!Files.exists(document.resolveSibling(matcher.group(1)))) {
          broken.add(ROOT.relativize(document) + ": " + matcher.group(1));
        }
      }
    }
    assertThat(links).isGreaterThan(5);
    assertThat(broken).isEmpty();
  }

  @Test
  void theReadmeIsShortAndNamesTheTwoCommands() throws IOException {
    List<String> readme = Files.readAllLines(ROOT.resolve("README.md"));
    assertThat(readme).hasSizeLessThanOrEqualTo(150);
    assertThat(readme).anyMatch(line -> line.startsWith("./dev demo"));
    assertThat(readme).anyMatch(line -> line.startsWith("./dev test"));
  }

  @Test
  void theReadmeListsEverySubcommandThatIsNotHidden() throws IOException {
    String readme = Files.readString(ROOT.resolve("README.md"));
    for (CommandLine command : new CommandLine(new Main()).getSubcommands().values()) {
      if (!command.getCommandSpec().usageMessage().hidden()) {
        assertThat(readme).contains("casement " + command.getCommandName());
      }
    }
  }

  @Test
  void everyTestThatADocumentNamesExists() throws IOException {
    Set<String> tests = classes("Test");
    List<String> missing = new ArrayList<>();
    int named = 0;
    for (Path document : documents()) {
      Matcher matcher = TEST_NAME.matcher(Files.readString(document));
      while (matcher.find()) {
        named++;
        if (!tests.contains(matcher.group(1))) {
          missing.add(ROOT.relativize(document) + ": " + matcher.group(1));
        }
      }
    }
    assertThat(named).isGreaterThan(5);
    assertThat(missing).isEmpty();
  }

  /// The repository works with whatever mirrors a machine has.
  @Test
  void noFileNamesARegistry() throws IOException {
    Pattern registries = Pattern.compile("repo[0-9]?\\.maven|registry\\.npm|deb\\.debian");
    List<String> named = new ArrayList<>();
    try (Stream<Path> files = Files.walk(ROOT)) {
      for (Path file :
          files
              .filter(Files::isRegularFile)
              .filter(file -> !file.toString().matches(".*/(node_modules|target|\\.git)/.*"))
              .filter(file -> file.toString().matches(".*\\.(json|xml|md|toml|mjs|npmrc)|.*/dev"))
              .toList()) {
        if (registries.matcher(Files.readString(file)).find()) {
          named.add(ROOT.relativize(file).toString());
        }
      }
    }
    assertThat(named).isEmpty();
    assertThat(Files.readString(ROOT.resolve("pages/package-lock.json")))
        .contains("\"integrity\"")
        .doesNotContain("\"resolved\"");
  }
}
