package org.casement.isolation;

/// A listening, non-blocking, close-on-exec TCP socket that came from outside the namespace.
///
/// @param descriptor to give to a server that takes one (Netty's epoll transport does)
/// @param port its port, as the kernel says it
public record InheritedListener(int descriptor, int port) {}
