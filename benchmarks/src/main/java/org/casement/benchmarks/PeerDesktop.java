package org.casement.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.time.ZoneId;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.casement.guestapi.GuestApi;
import org.casement.guestapi.GuestEvent;
import org.casement.protocol.guestapi.SessionDocument;
import org.casement.protocol.rdp.ClipboardPolicy;
import org.casement.protocol.rdp.RdpSecurity;
import org.casement.relay.Desk;
import org.casement.relay.Door;
import org.casement.relay.EventLoops;
import org.casement.relay.Pages;
import org.casement.session.EventLog;
import org.casement.session.Secret;
import org.casement.session.SessionId;
import org.casement.session.SessionState;
import org.casement.session.SessionStory;
import org.casement.systemtests.GuestShell;
import org.casement.systemtests.PlainGuest;
import org.casement.testkit.Await;
import org.casement.web.DesktopLogin;
import org.casement.web.WebConnector;
import org.jspecify.annotations.Nullable;

/// The demo guest on the node itself: QEMU without confinement, namespace, share or supervisor. Its
/// guest API and the web connector run in this JVM, which is warm, so they cost the peer nothing.
final class PeerDesktop implements AutoCloseable {
  private static final String PAGES = "org/casement/pages/dist/";
  private static final int GUEST_API_PORT = 54_321;
  private static final int NONCE_BYTES = 8;
  private static final int BACKLOG = 128;
  private static final Duration LIMIT = Duration.ofMinutes(2);

  private final SecureRandom random = new SecureRandom();
  private final InstantSource clock = InstantSource.system();
  private final EventLog log =
      new EventLog(new PrintStream(OutputStream.nullOutputStream(), false, UTF_8), clock);
  private final EventLoops loops = EventLoops.start(2);
  private final SessionId id = SessionId.random(random);
  private final SessionStory story = new SessionStory(id, Optional.empty(), clock);
  private final Secret bootToken = Secret.random(random);
  private final Secret password = Secret.password(random);
  private final String nonce;
  private final int rdpPort;
  private final Path tokenFile;
  private final GuestApi guestApi;
  private final WebConnector connector;
  private final URI link;
  private @Nullable PlainGuest guest;

  private PeerDesktop() throws IOException {
    byte[] bytes = new byte[NONCE_BYTES];
    random.nextBytes(bytes);
    nonce = HexFormat.of().formatHex(bytes);
    rdpPort = freePort();
    tokenFile = Files.createTempFile("casement-bench-", "");
    Files.writeString(tokenFile, "casement:1:" + bootToken.base64url());
    SessionDocument document =
        new SessionDocument(
            id,
            nonce,
            new SessionDocument.Account("user", password),
            new SessionDocument.Account("casement", Secret.password(random)),
            List.of(),
            ZoneId.of("Etc/UTC"),
            Optional.empty());
    guestApi =
        GuestApi.open(
            loops,
            new InetSocketAddress(InetAddress.getLoopbackAddress(), GUEST_API_PORT),
            bootToken,
            document,
            this::hear,
            clock,
            random,
            log);
    Door door = new Door(id, clock, random, log);
    Desk desk =
        new Desk(
            loops,
            door,
            story,
            Pages.load(PeerDesktop.class.getClassLoader(), PAGES),
            "unprivileged",
            () -> {},
            new Desk.Power(Set.of(), _ -> {}),
            _ -> () -> {},
            random,
            log);
    connector =
        WebConnector.open(
            desk,
            listener(),
            () -> Optional.of(new DesktopLogin("user", password, RdpSecurity.TLS)),
            new InetSocketAddress(InetAddress.getLoopbackAddress(), rdpPort),
            new ClipboardPolicy(true, true, 4 * 1024 * 1024),
            false);
    link =
        URI.create(
            "http://127.0.0.1:"
                + connector.address().getPort()
                + "/#t="
                + door.mintStandingLink(() -> {}).base64url());
  }

  /// All but the guest.
  static PeerDesktop open() throws IOException {
    return new PeerDesktop();
  }

  /// @param acceleration `kvm` or `tcg`: what the session had
  void boot(String acceleration) {
    guest =
        PlainGuest.boot(
            new PlainGuest.Options(
                PlainGuest.userNetwork(
                    "ipv6=off,hostfwd=tcp:127.0.0.1:%d-169.254.100.15:3389".formatted(rdpPort)),
                acceleration,
                Optional.of(tokenFile),
                true));
    story.become(new SessionState.Booting(clock.instant()));
  }

  URI link() {
    return link;
  }

  String nonce() {
    return nonce;
  }

  int rdpPort() {
    return rdpPort;
  }

  String password() {
    return password.text();
  }

  void awaitReady() {
    Await.until("the guest is ready", LIMIT, () -> story.state() instanceof SessionState.Ready);
  }

  /// Root's shell in the guest.
  GuestShell shell() {
    return Objects.requireNonNull(guest, "not booted").shell();
  }

  private void hear(GuestEvent event) {
    if (event instanceof GuestEvent.Ready) {
      story.become(new SessionState.Ready(clock.instant()));
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  /// A descriptor such as a session inherits.
  private static int listener() throws IOException {
    Socket socket = Socket.newSocketStream();
    socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    socket.listen(BACKLOG);
    return socket.intValue();
  }

  @Override
  public void close() throws IOException {
    PlainGuest booted = guest;
    if (booted != null) {
      booted.close();
    }
    connector.close();
    guestApi.close();
    loops.close();
    Files.delete(tokenFile);
  }
}
