package org.casement.isolation;

import java.net.InetAddress;

/// A listening, non-blocking, close-on-exec TCP socket that came from outside the namespace.
///
/// @param descriptor to give to a server that takes one (Netty's epoll transport does)
/// @param address its own, as the kernel says it
/// @param port as the kernel says it
public record InheritedListener(int descriptor, InetAddress address, int port) {}
