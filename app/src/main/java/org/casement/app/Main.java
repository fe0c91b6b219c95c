package org.casement.app;

import java.io.PrintWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/// The program. The two subcommands that are only ever started by Casement itself (`seal`,
/// `session`) do not go through the command line library, which costs a sixth of a second; nor does
/// `run` as scripts write it, because somebody waits for its desktop.
@Command(
    name = "casement",
    description = "Windows desktops as sealed jobs.",
    synopsisSubcommandLabel = "COMMAND",
    mixinStandardHelpOptions = true,
    scope = CommandLine.ScopeType.INHERIT,
    version = "casement 0.1.0",
    subcommands = {
      RunCommand.class,
      ListCommand.class,
      LinkCommand.class,
      StatusCommand.class,
      StopCommand.class,
      ConfigCommand.class,
      TrainCommand.class
    },
    footerHeading = "%nEXIT STATUS%n",
    footer = {
      "  0   the session ended in order",
      "  64  the command line is wrong",
      "  69  something is missing on this node; the message says what",
      "  70  the session failed",
      "  78  the configuration is wrong"
    })
public final class Main {
  static final int OK = 0;
  static final int USAGE = 64;
  static final int UNAVAILABLE = 69;
  static final int FAILED = 70;
  static final int CONFIGURATION = 78;

  Main() {}

  public static void main(String[] arguments) {
    if (arguments.length > 0) {
      List<String> rest = Arrays.asList(arguments).subList(1, arguments.length);
      switch (arguments[0]) {
        case "seal" -> System.exit(SealedStart.seal(rest));
        case "session" -> System.exit(SessionProgram.main(rest));
        case "run" -> RunCommand.plain(rest).ifPresent(command -> System.exit(run(command)));
        default -> {}
      }
    }
    System.exit(
        new CommandLine(new Main())
            .setExecutionExceptionHandler((e, command, _) -> report(e, command.getErr()))
            .setParameterExceptionHandler(
                (e, _) -> {
                  e.getCommandLine().getErr().println("casement: " + e.getMessage());
                  return USAGE;
                })
            .execute(arguments));
  }

  private static int run(RunCommand command) {
    try {
      return command.call();
    } catch (Exception e) {
      return report(e, new PrintWriter(System.err, true, System.err.charset()));
    }
  }

  private static int report(Exception e, PrintWriter out) {
    String message =
        e instanceof FileSystemException file
            ? "cannot use " + file.getFile() + ": " + reason(file)
            : e.getMessage();
    out.println("casement: " + message);
    return switch (e) {
      case ConfigurationException _ -> CONFIGURATION;
      case org.casement.session.SessionException _, java.io.IOException _ -> UNAVAILABLE;
      default -> {
        e.printStackTrace(out);
        yield FAILED;
      }
    };
  }

  private static String reason(FileSystemException e) {
    return switch (e) {
      case AccessDeniedException _ -> "permission denied";
      case NoSuchFileException _ -> "it is not there";
      default -> e.getReason() == null ? e.getClass().getSimpleName() : e.getReason();
    };
  }
}
