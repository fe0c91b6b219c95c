package org.casement.app;

import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.Arrays;
import java.util.List;
import org.casement.node.ActivateProgram;
import org.casement.node.NodeProgram;
import org.casement.node.RelayProgram;
import org.casement.session.EndReason;
import org.casement.settings.ConfigurationException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/// The program. The subcommands that no person types (`seal`, `session`, `trial`, `node`, `relay`),
/// and what only passes sockets on (`activate`), do not go through the command line library, which
/// costs a sixth of a second; nor does `run` as scripts write it, because somebody waits for its
/// desktop.
@Command(
    name = "casement",
    description = "Windows desktops as sealed jobs.",
    synopsisSubcommandLabel = "COMMAND",
    mixinStandardHelpOptions = true,
    scope = CommandLine.ScopeType.INHERIT,
    version = "casement 0.1.0",
    subcommands = {
      RunCommand.class,
      SubmitCommand.class,
      ListCommand.class,
      LinkCommand.class,
      StatusCommand.class,
      StopCommand.class,
      DoctorCommand.class,
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
        case "trial" -> System.exit(SealedTrial.main(rest));
        case "node" -> System.exit(NodeProgram.main(rest));
        case "relay" -> System.exit(RelayProgram.main(rest));
        case "activate" -> System.exit(ActivateProgram.main(rest, System.getenv()));
        case "run" -> RunCommand.plain(rest).ifPresent(command -> System.exit(run(command)));
        default -> {}
      }
    }
    System.exit(
        new CommandLine(new Main())
            .setExecutionExceptionHandler((e, command, _) -> report(e, command.getCommand()))
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
      return report(e, command);
    }
  }

  /// Says what keeps a session from running, and who knows more.
  static void complain(@Nullable String problem) {
    System.err.println("casement: " + problem + "; " + EndReason.ADVICE);
  }

  /// Has `end` run when a signal ends this JVM: SIGTERM, SIGINT and SIGHUP start its shutdown,
  /// whose hook it is.
  ///
  /// @return whether it will; not where a signal has come before
  static boolean onSignal(Runnable end) {
    try {
      Runtime.getRuntime().addShutdownHook(new Thread(end, "signal"));
      return true;
    } catch (IllegalStateException e) {
      return false;
    }
  }

  private static int report(Exception e, Object command) {
    String message =
        e instanceof FileSystemException file
            ? "cannot use " + file.getFile() + ": " + words(e)
            : e.getMessage();
    if (command instanceof RunCommand || command instanceof SubmitCommand) {
      complain(message);
    } else {
      System.err.println("casement: " + message);
    }
    return switch (e) {
      case ConfigurationException _ -> CONFIGURATION;
      case org.casement.session.SessionException _, java.io.IOException _ -> UNAVAILABLE;
      default -> {
        e.printStackTrace();
        yield FAILED;
      }
    };
  }

  /// What went wrong with a file, in words.
  static @Nullable String words(Exception e) {
    return switch (e) {
      case AccessDeniedException _ -> "permission denied";
      case NoSuchFileException _ -> "it is not there";
      case FileSystemException file when file.getReason() != null -> file.getReason();
      case FileSystemException _ -> e.getClass().getSimpleName();
      default -> e.getMessage();
    };
  }
}
