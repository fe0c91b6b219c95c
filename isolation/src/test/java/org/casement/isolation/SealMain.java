package org.casement.isolation;

import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// The program's three parts, as small as a test needs them: `watch` opens a listener and stays
/// outside, `seal` is the first process inside, `accept` says hello on the inherited listener.
final class SealMain {
  static final PortRange PORTS = new PortRange(43_000, 43_999);

  private SealMain() {}

  public static void main(String[] arguments) throws Exception {
    switch (arguments[0]) {
      case "watch" -> {
        try (Listener listener = Listener.open(InetAddress.ofLiteral("127.0.0.1"), PORTS);
            SealedRun run =
                start(
                    List.of(listener),
                    Layers.Use.valueOf(arguments[1]),
                    Arrays.asList(arguments).subList(2, arguments.length))) {
          Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(run)));
          Files.writeString(Path.of("port"), Integer.toString(listener.port()));
          int status = run.waitFor();
          Runtime.getRuntime().halt(status);
        }
      }
      case "seal" -> {
        try {
          List<String> command = Arrays.asList(arguments).subList(2, arguments.length);
          Seal.enter(SealPlan.parse(arguments[1]), command, System.getenv());
        } catch (IsolationException e) {
          System.err.println("casement: " + e.getMessage());
          System.exit(70);
        }
      }
      case "accept" -> {
        ProcessHardening.nonDumpable();
        InheritedListener listener = InheritedListeners.fromEnvironment(System.getenv()).getFirst();
        Files.writeString(Path.of("inherited"), Integer.toString(listener.port()));
      }
      default -> throw new IllegalArgumentException(arguments[0]);
    }
  }

  static SealedRun start(List<Listener> listeners, Layers.Use nftables, List<String> command)
      throws IsolationException {
    SealPlan plan =
        SealPlan.here(
            SealPlan.Network.FRESH,
            listeners.size(),
            nftables,
            Path.of("/usr/sbin/nft"),
            Set.of(445, 54_321));
    List<String> line = java("seal", plan.argument());
    line.addAll(command);
    return SealedRun.start(
        SealPlan.Network.FRESH,
        listeners,
        line,
        new java.util.TreeMap<>(Map.of("PATH", "/usr/bin:/usr/sbin")));
  }

  static List<String> java(String... arguments) {
    List<String> line =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xmx64m",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                SealMain.class.getName()));
    line.addAll(List.of(arguments));
    return line;
  }

  private static void stop(SealedRun run) {
    run.signal(15);
    try {
      run.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
