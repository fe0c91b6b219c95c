package org.casement.web;

import org.casement.protocol.rdp.RdpSecurity;
import org.casement.session.Secret;

/// The account that the desktop is opened with, which never leaves the node, and the way it is told
/// to the desktop.
public record DesktopLogin(String user, Secret password, RdpSecurity security) {
  public DesktopLogin {
    if (user.isEmpty() || user.length() > 256 || password.text().length() > 256) {
      throw new IllegalArgumentException("user and password must have 1 to 256 characters");
    }
  }
}
