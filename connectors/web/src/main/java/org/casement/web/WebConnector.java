package org.casement.web;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.Optional;
import java.util.function.Supplier;
import org.casement.protocol.rdp.ClipboardPolicy;
import org.casement.relay.CloseCode;
import org.casement.relay.Desk;
import org.casement.relay.FrontDesk;
import org.casement.relay.ProvenSocket;
import org.casement.relay.Route;
import org.casement.session.SessionEvent;
import org.casement.session.SessionState;
import org.casement.session.SessionStory;
import org.jspecify.annotations.Nullable;

/// The desktop in a browser: `ws/rdp` carries RDCleanPath, then RDP, between the engine in the page
/// and the guest's RDP server. The browser holds no password: the login is put in on the way.
///
/// Where sound is on, `ws/sound` carries it beside (see [SoundTap], [SoundRoute]).
///
/// A desktop has one user at a time: a tab that connects takes it over from another.
public final class WebConnector implements AutoCloseable {
  private final Desk desk;
  private final Supplier<Optional<DesktopLogin>> login;
  private final SocketAddress rdp;
  private final ClipboardPolicy clipboard;
  private final Optional<SoundRoute> sound;
  private final FrontDesk frontDesk;
  private final SessionStory.Subscription warming;
  private @Nullable ProvenSocket current;

  private WebConnector(
      Desk desk,
      int fd,
      Supplier<Optional<DesktopLogin>> login,
      SocketAddress rdp,
      ClipboardPolicy clipboard,
      boolean withSound)
      throws IOException {
    this.desk = desk;
    this.login = login;
    this.rdp = rdp;
    this.clipboard = clipboard;
    this.warming = desk.story().follow(WebConnector::warm);
    this.sound = withSound ? Optional.of(new SoundRoute()) : Optional.empty();
    Route desktop = new Route(Route.Shows.DESKTOP, "rdp", this::connect);
    this.frontDesk =
        sound.isPresent()
            ? FrontDesk.open(
                desk, fd, desktop, new Route(Route.Shows.SOUND, "sound", sound.get()::open))
            : FrontDesk.open(desk, fd, desktop);
  }

  /// Serves on the inherited listener `fd`. `rdp` is the guest's RDP server; `login` is asked at
  /// each connection, on an event loop, and is empty while the desktop is not ready.
  ///
  /// @param withSound whether the desktop's sound is asked for, and `ws/sound` there
  public static WebConnector open(
      Desk desk,
      int fd,
      Supplier<Optional<DesktopLogin>> login,
      SocketAddress rdp,
      ClipboardPolicy clipboard,
      boolean withSound)
      throws IOException {
    return new WebConnector(desk, fd, login, rdp, clipboard, withSound);
  }

  public InetSocketAddress address() {
    return frontDesk.address();
  }

  @Override
  public void close() {
    warming.close();
    frontDesk.close();
  }

  private void connect(ProvenSocket page) {
    Optional<DesktopLogin> now = login.get();
    if (now.isEmpty()) {
      page.close(CloseCode.NOT_THERE, "the desktop is not ready");
      return;
    }
    takeOver(page);
    DesktopConnection.open(page, now.get(), rdp, clipboard, sound, desk.random(), desk.log());
  }

  private synchronized void takeOver(ProvenSocket page) {
    ProvenSocket before = current;
    current = page;
    if (before != null) {
      boolean sameTab = before.tab().equals(page.tab());
      before.close(
          sameTab ? CloseCode.GOING_AWAY : CloseCode.TAKEN_OVER,
          sameTab ? "this tab connected again" : "another tab took over");
    }
    page.channel().closeFuture().addListener(_ -> left(page));
  }

  private synchronized void left(ProvenSocket page) {
    if (page.equals(current)) {
      current = null;
    }
  }

  /// While the machine boots there is time for what the first connection would wait for.
  private static void warm(SessionEvent event) {
    if (event instanceof SessionEvent.StateChanged(_, SessionState.Booting _)) {
      Thread.ofVirtual().name("warm-tls").start(GuestTls::warm);
    }
  }
}
