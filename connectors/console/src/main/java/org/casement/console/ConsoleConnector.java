package org.casement.console;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import org.casement.relay.Buffers;
import org.casement.relay.CloseCode;
import org.casement.relay.Desk;
import org.casement.relay.FrontDesk;
import org.casement.relay.ProvenSocket;
import org.casement.relay.Pump;
import org.casement.relay.Route;

/// The machine's own screen: `ws/vnc` carries RFB between noVNC and QEMU's VNC socket, untouched.
///
/// SECURITY: QEMU asks for no password on that socket; who may connect is decided by the door, and
/// a connection to QEMU is made only after the page's proof.
public final class ConsoleConnector implements AutoCloseable {
  private final FrontDesk frontDesk;

  private ConsoleConnector(FrontDesk frontDesk) {
    this.frontDesk = frontDesk;
  }

  /// Serves on the inherited listener `fd`. `vncSocket` need not exist yet.
  public static ConsoleConnector open(Desk desk, int fd, Path vncSocket) throws IOException {
    DomainSocketAddress vnc = new DomainSocketAddress(vncSocket.toString());
    Route screen = new Route(Route.Shows.SCREEN, "vnc", page -> connect(page, vnc));
    return new ConsoleConnector(FrontDesk.open(desk, fd, screen));
  }

  public InetSocketAddress address() {
    return frontDesk.address();
  }

  @Override
  public void close() {
    frontDesk.close();
  }

  @SuppressWarnings("FutureReturnValueIgnored") // closing needs no answer
  private static void connect(ProvenSocket page, DomainSocketAddress vnc) {
    // Read again once there is somebody to pass it to.
    page.channel().config().setAutoRead(false);
    new Bootstrap()
        .group(page.channel().eventLoop())
        .channel(EpollDomainSocketChannel.class)
        .option(ChannelOption.AUTO_READ, false)
        .option(ChannelOption.ALLOCATOR, Buffers.RELAY)
        .handler(new ChannelInboundHandlerAdapter())
        .connect(vnc)
        .addListener(
            connected -> {
              if (!connected.isSuccess()) {
                page.close(CloseCode.NOT_THERE, "the machine's screen is not there");
                return;
              }
              Channel screen = ((ChannelFuture) connected).channel();
              if (!page.isClosing()) {
                Pump.join(page, screen, "the machine's screen is gone");
              } else {
                screen.close();
              }
            });
  }
}
