package org.casement.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.SAXException;

/// Judges a whole test run by Surefire's reports: every test class must have run something, and a
/// test may be skipped only if `system-tests/skips.txt` lists it. Prints the skipped tests with
/// their reasons last. `./dev test` calls it with the repository and, if not all, the modules.
public final class TestSummary {
  private static final Path SKIPS = Path.of("system-tests/skips.txt");

  private int passed;
  private final List<String> failed = new ArrayList<>();
  private final Map<String, String> skipped = new TreeMap<>();
  private final List<String> silent = new ArrayList<>();

  public static void main(String[] arguments) throws IOException {
    Path root = Path.of(arguments[0]);
    List<String> modules = List.of(arguments).subList(1, arguments.length);
    System.exit(judge(root, modules.isEmpty() ? modules(root) : modules, System.out) ? 0 : 1);
  }

  /// Whether the run of `modules` is good.
  static boolean judge(Path root, List<String> modules, PrintStream out) throws IOException {
    TestSummary summary = new TestSummary();
    for (String module : modules) {
      summary.read(root.resolve(module));
    }
    Map<String, String> allowed = allowed(root.resolve(SKIPS));
    List<String> complaints = new ArrayList<>();
    summary.failed.forEach(test -> complaints.add("failed: " + test));
    summary.silent.forEach(test -> complaints.add("ran no test: " + test));
    summary.skipped.forEach(
        (test, reason) -> {
          if (!allowed.containsKey(test)) {
            complaints.add("skipped, and not listed in " + SKIPS + ": " + test + ": " + reason);
          }
        });
    if (summary.passed == 0) {
      complaints.add("no test passed at all");
    }
    complaints.forEach(out::println);
    out.printf(
        "%d passed, %d failed, %d skipped%n",
        summary.passed, summary.failed.size(), summary.skipped.size());
    summary.skipped.forEach(
        (test, reason) ->
            out.println("  skipped: " + test + ": " + allowed.getOrDefault(test, reason)));
    return complaints.isEmpty();
  }

  /// Every directory with tests in it, as a path relative to `root`.
  private static List<String> modules(Path root) throws IOException {
    try (Stream<Path> paths = Files.walk(root, 2)) {
      return paths
          .filter(path -> Files.isDirectory(path.resolve("src/test/java")))
          .map(path -> root.relativize(path).toString())
          .sorted()
          .toList();
    }
  }

  private void read(Path module) throws IOException {
    Path sources = module.resolve("src/test/java");
    if (!Files.isDirectory(sources)) {
      return;
    }
    try (Stream<Path> files = Files.walk(sources)) {
      for (Path file : files.filter(f -> f.toString().endsWith("Test.java")).sorted().toList()) {
        String name = sources.relativize(file).toString().replace(".java", "").replace('/', '.');
        int tests = 0;
        for (Path report : reports(module, name)) {
          tests += read(report, name);
        }
        if (tests == 0) {
          silent.add(name);
        }
      }
    }
  }

  /// The class's own report, those of its nested classes, and those of further runs, which have a
  /// suffix (surefire.reportNameSuffix).
  private static List<Path> reports(Path module, String className) throws IOException {
    Path directory = module.resolve("target/surefire-reports");
    if (!Files.isDirectory(directory)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(directory)) {
      return files
          .filter(
              file ->
                  file.getFileName()
                      .toString()
                      .matches("TEST-" + Pattern.quote(className) + "(\\$.*)?(-[a-z-]+)?\\.xml"))
          .toList();
    }
  }

  /// @return how many tests the report tells of
  private int read(Path report, String className) throws IOException {
    String run = report.getFileName().toString().replaceFirst(".*?(-[a-z-]+)?\\.xml$", "$1");
    NodeList cases = parse(report).getElementsByTagName("testcase");
    for (int i = 0; i < cases.getLength(); i++) {
      Element test = (Element) cases.item(i);
      String method = test.getAttribute("name");
      String id = (method.isEmpty() ? className : className + "#" + method) + run;
      NodeList skip = test.getElementsByTagName("skipped");
      if (test.getElementsByTagName("failure").getLength() > 0
          || test.getElementsByTagName("error").getLength() > 0) {
        failed.add(id);
      } else if (skip.getLength() > 0) {
        skipped.put(id, ((Element) skip.item(0)).getAttribute("message"));
      } else {
        passed++;
      }
    }
    return cases.getLength();
  }

  private static Element parse(Path report) throws IOException {
    try (InputStream in = Files.newInputStream(report)) {
      DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
      factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
      return factory.newDocumentBuilder().parse(in).getDocumentElement();
    } catch (ParserConfigurationException | SAXException e) {
      throw new IOException("cannot read the report " + report, e);
    }
  }

  /// `CLASS#METHOD: REASON`, a line each; `#` begins a comment line.
  private static Map<String, String> allowed(Path list) throws IOException {
    Map<String, String> allowed = new LinkedHashMap<>();
    for (String line : Files.readAllLines(list)) {
      String text = line.strip();
      if (!text.isEmpty() && !text.startsWith("#")) {
        String[] parts = text.split(": ", 2);
        if (parts.length != 2 || parts[1].isBlank()) {
          throw new IOException(list + ": no reason given: " + text);
        }
        allowed.put(parts[0], parts[1]);
      }
    }
    return allowed;
  }
}
