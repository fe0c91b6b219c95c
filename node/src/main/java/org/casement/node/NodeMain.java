package org.casement.node;

import java.util.Arrays;
import java.util.List;

/// The program of the package that has the plugin and the node agent alone: those subcommands of
/// `casement` that belong to them.
public final class NodeMain {
  private NodeMain() {}

  public static void main(String[] arguments) {
    List<String> rest =
        Arrays.asList(arguments).subList(Math.min(1, arguments.length), arguments.length);
    switch (arguments.length == 0 ? "" : arguments[0]) {
      case "node" -> System.exit(NodeProgram.main(rest));
      case "relay" -> System.exit(RelayProgram.main(rest));
      case "activate" -> System.exit(ActivateProgram.main(rest, System.getenv()));
      default -> {
        System.err.println(
            "casement: this package has node and activate; sessions need the whole program");
        System.exit(64);
      }
    }
  }
}
