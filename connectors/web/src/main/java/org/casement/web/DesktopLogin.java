package org.casement.web;

import org.casement.session.Secret;

/// The account that the desktop is opened with; it never leaves the node.
public record DesktopLogin(String user, Secret password) {
  public DesktopLogin {
    if (user.isEmpty() || user.length() > 256 || password.text().length() > 256) {
      throw new IllegalArgumentException("user and password must have 1 to 256 characters");
    }
  }
}
