package org.casement.relay;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Set;

/// An HTTP/1.1 server on one listening socket, with limits on everything a client can grow.
///
/// When as many connections are open as allowed, a new one takes the place of the oldest that still
/// speaks HTTP: whoever fills the listener keeps nobody out for longer than the filling takes. A
/// connection that became a WebSocket counts no more here; who upgrades it limits it.
@SuppressWarnings(
    "FutureReturnValueIgnored") // a write that fails closes its channel, which is heard of
public final class HttpServer implements AutoCloseable {
  private final HttpLimits limits;
  private final HttpHandler handler;
  private final Set<Channel> connections = new LinkedHashSet<>();
  private final Channel listener;

  private HttpServer(
      EventLoops loops,
      HttpLimits limits,
      HttpHandler handler,
      ChannelFactory<? extends ServerChannel> factory,
      Opening opening)
      throws IOException {
    this.limits = limits;
    this.handler = handler;
    ServerBootstrap bootstrap =
        new ServerBootstrap()
            .group(loops.group())
            .channelFactory(factory)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childOption(ChannelOption.ALLOCATOR, Buffers.RELAY)
            .childHandler(new Initializer());
    ChannelFuture opened = opening.open(bootstrap).awaitUninterruptibly();
    if (!opened.isSuccess()) {
      throw new IOException("cannot listen", opened.cause());
    }
    this.listener = opened.channel();
  }

  private interface Opening {
    ChannelFuture open(ServerBootstrap bootstrap);
  }

  /// Serves on the inherited descriptor `fd`: a TCP socket that listens already and does not block.
  /// It is this server's from now on.
  public static HttpServer adopt(EventLoops loops, int fd, HttpLimits limits, HttpHandler handler)
      throws IOException {
    // register(), not bind(): the socket was bound, maybe in another network namespace.
    return new HttpServer(
        loops, limits, handler, () -> new EpollServerSocketChannel(fd), ServerBootstrap::register);
  }

  public static HttpServer bind(
      EventLoops loops, InetSocketAddress address, HttpLimits limits, HttpHandler handler)
      throws IOException {
    return new HttpServer(
        loops, limits, handler, EpollServerSocketChannel::new, b -> b.bind(address));
  }

  public InetSocketAddress address() {
    return (InetSocketAddress) listener.localAddress();
  }

  /// Open connections that speak HTTP.
  public int connections() {
    synchronized (connections) {
      return connections.size();
    }
  }

  /// Stops listening and closes every connection that still speaks HTTP.
  @Override
  public void close() {
    listener.close().awaitUninterruptibly();
    synchronized (connections) {
      connections.forEach(Channel::close);
    }
  }

  /// Counts `connection` no more: it closed, or became a WebSocket.
  void forget(Channel connection) {
    synchronized (connections) {
      connections.remove(connection);
    }
  }

  private void count(Channel connection) {
    synchronized (connections) {
      if (connections.size() >= limits.connections()) {
        Iterator<Channel> oldest = connections.iterator();
        Channel victim = oldest.next();
        oldest.remove();
        victim.close();
      }
      connections.add(connection);
    }
    connection.closeFuture().addListener(_ -> forget(connection));
  }

  private final class Initializer extends ChannelInitializer<Channel> {
    @Override
    protected void initChannel(Channel connection) {
      count(connection);
      HttpDecoderConfig decoder =
          new HttpDecoderConfig()
              .setMaxInitialLineLength(limits.lineBytes())
              .setMaxHeaderSize(limits.headerBytes());
      connection
          .pipeline()
          .addLast(new HttpServerCodec(decoder))
          .addLast(new HttpObjectAggregator(limits.bodyBytes(), true))
          .addLast(new HttpConnection(HttpServer.this, limits, handler));
    }
  }
}
