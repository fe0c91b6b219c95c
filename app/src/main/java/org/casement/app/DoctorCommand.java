package org.casement.app;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.Console;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.casement.supervisor.Finding;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "doctor",
    description = "Examines this node, for you: what works, what does not, and what to do.",
    footerHeading = "%nEXIT STATUS%n",
    footer = {
      "  0   sessions can run, perhaps with warnings",
      "  1   they cannot",
      "  64  the command line is wrong"
    })
final class DoctorCommand implements Callable<Integer> {
  private static final int ERRORS = 1;

  @Option(names = "--config", paramLabel = "FILE", description = "the configuration to use")
  private @Nullable Path config;

  @Option(names = "--json", description = "one JSON document (contracts/doctor.md)")
  private boolean json;

  @Override
  public Integer call() throws Exception {
    DoctorReport report =
        new DoctorReport(Doctor.examine(Optional.ofNullable(config), System.getenv()));
    if (json) {
      System.out.write(report.json().getBytes(UTF_8)); // whatever the locale
    } else {
      System.out.print(report.text(isTerminal()));
    }
    return report.level() == Finding.Level.ERROR ? ERRORS : Main.OK;
  }

  @SuppressWarnings("SystemConsoleNull") // seen on JDK 25 where there is no terminal
  private static boolean isTerminal() {
    Console console = System.console();
    return console != null && console.isTerminal() && System.getenv("NO_COLOR") == null;
  }
}
