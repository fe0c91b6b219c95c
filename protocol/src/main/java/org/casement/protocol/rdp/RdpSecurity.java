package org.casement.protocol.rdp;

/// How an RDP connection is secured, and by what the user is let in.
public enum RdpSecurity {
  /// TLS; the credentials follow inside, in the Client Info PDU.
  TLS(X224.PROTOCOL_TLS),

  /// Network level authentication: TLS, then CredSSP proves the user before the desktop is touched.
  NLA(X224.PROTOCOL_TLS | X224.PROTOCOL_HYBRID);

  private final int requestedProtocols;

  RdpSecurity(int requestedProtocols) {
    this.requestedProtocols = requestedProtocols;
  }

  /// What to ask for in the X.224 request. Never HYBRID_EX, whose additional PDU nobody would read.
  public int requestedProtocols() {
    return requestedProtocols;
  }

  /// What a server of this kind selects.
  public int selectedProtocol() {
    return this == TLS ? X224.PROTOCOL_TLS : X224.PROTOCOL_HYBRID;
  }
}
