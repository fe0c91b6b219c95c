package org.casement.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.Optional;
import java.util.Set;
import org.casement.console.ConsoleConnector;
import org.casement.relay.Desk;
import org.casement.relay.Door;
import org.casement.relay.EventLoops;
import org.casement.relay.Pages;
import org.casement.session.EventLog;
import org.casement.session.SessionId;
import org.casement.session.SessionStory;

/// The console connector alone in a process, started by [ConsoleBenchmark] through the launcher,
/// hence with a session's JVM options. Prints its port and an entry token, and ends with its input.
public final class RelayHost {
  private static final int BACKLOG = 128;

  private RelayHost() {}

  /// Serves until its input ends.
  ///
  /// @param arguments the subcommand for which the launcher takes us, and QEMU's VNC socket
  public static void main(String[] arguments) throws IOException {
    SecureRandom random = new SecureRandom();
    InstantSource clock = InstantSource.system();
    EventLog log =
        new EventLog(new PrintStream(OutputStream.nullOutputStream(), false, UTF_8), clock);
    SessionId id = SessionId.random(random);
    Door door = new Door(id, clock, random, log);
    Desk desk =
        new Desk(
            EventLoops.start(2),
            door,
            new SessionStory(id, Optional.empty(), clock),
            Pages.load(RelayHost.class.getClassLoader(), "org/casement/pages/dist/"),
            "unprivileged",
            () -> {},
            new Desk.Power(Set.of(), _ -> {}),
            _ -> () -> {},
            random,
            log);
    Socket socket = Socket.newSocketStream();
    socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    socket.listen(BACKLOG);
    ConsoleConnector console =
        ConsoleConnector.open(desk, socket.intValue(), Path.of(arguments[1]));
    System.out.println(
        console.address().getPort() + " " + door.mintStandingLink(() -> {}).base64url());
    while (System.in.read() >= 0) {}
    console.close();
  }
}
