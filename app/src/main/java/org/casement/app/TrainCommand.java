package org.casement.app;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.casement.isolation.InheritedListener;
import org.casement.isolation.Listener;
import org.casement.isolation.PortRange;
import org.casement.isolation.RuntimeDirectory;
import org.casement.isolation.SealedRun;
import org.casement.session.SessionId;
import picocli.CommandLine.Command;

/// Goes through a session's start once, unsealed and without a machine (its golden image is not
/// there), so that the JVM can store what it loaded and linked: the AOT cache of JEP 514. The build
/// calls it with CASEMENT_AOT_OUTPUT set.
@Command(name = "train", hidden = true, description = "Rehearses a start, for the AOT cache.")
final class TrainCommand implements Callable<Integer> {
  private static final PortRange PORTS = new PortRange(30_000, 30_999);

  @Override
  public Integer call() throws Exception {
    Path directory = Files.createTempDirectory("casement-train-");
    RuntimeDirectory runtime = RuntimeDirectory.create(directory);
    Path config = directory.resolve("casement.toml");
    try {
      Files.writeString(config, "golden.image = \"" + directory.resolve("none") + "\"\n");
      Map<String, String> environment = Map.of("HOME", directory.toString(), "USER", "train");
      Configuration configuration = Configuration.read(List.of(config), environment);
      SessionId id = new SessionId("train");
      SessionHome home = SessionHome.create(configuration.session().home(), id);
      List<InheritedListener> listeners = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        listeners.add(Listener.open(InetAddress.ofLiteral("127.0.0.1"), PORTS).handOver());
      }
      SessionProgram.Arguments arguments =
          new SessionProgram.Arguments(
              id, home.directory(), runtime.path(), Duration.ofHours(1), List.of(config));
      RunCommand.plain(List.of("--time", "1h")); // as the outer process does
      SealedRun.prepare();
      new SessionProgram(
              arguments,
              environment,
              Prelude.begin(List.of(config), environment),
              listeners,
              TrainCommand::visit)
          .run();
      return Main.OK;
    } finally {
      runtime.remove();
      SessionHome.deleteRecursively(directory);
    }
  }

  /// Asks for everything that a browser asks for first.
  private static void visit(List<URI> links) {
    try {
      URI web = links.getFirst();
      String token = web.getFragment().substring("t=".length());
      String body = JSON.std.asString(Map.of("token", token));
      String entered =
          ask(
              web,
              "POST /enter HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: "
                  + body.length(),
              body);
      String cookie = entered.replaceFirst("(?is).*set-cookie: ([^;]*);.*", "$1");
      ask(web, "GET / HTTP/1.1", "");
      ask(
          web,
          "GET /ws/events HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
              + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://"
              + web.getAuthority()
              + "\r\nCookie: "
              + cookie,
          "");
    } catch (IOException e) {
      throw new UncheckedIOException("the rehearsal failed", e);
    }
  }

  /// The beginning of the answer.
  private static String ask(URI server, String head, String body) throws IOException {
    boolean upgrade = head.contains("Upgrade:");
    try (Socket socket = new Socket(Objects.requireNonNull(server.getHost()), server.getPort())) {
      String text =
          head
              + "\r\nHost: "
              + server.getAuthority()
              + "\r\nConnection: "
              + (upgrade ? "Upgrade" : "close")
              + "\r\n\r\n"
              + body;
      socket.getOutputStream().write(text.getBytes(ISO_8859_1));
      InputStream in = socket.getInputStream();
      String answer = new String(in.readNBytes(upgrade ? 12 : 64 * 1024), ISO_8859_1);
      if (!answer.startsWith("HTTP/1.1 " + (upgrade ? "101" : "200"))) {
        throw new IOException("unexpected answer: " + answer.lines().findFirst().orElse(""));
      }
      return answer;
    }
  }
}
