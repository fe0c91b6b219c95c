package org.casement.protocol.rdp;

/// What may be copied between the desktop and the browser. Only text ever is.
///
/// @param fromDesktop what was copied in the desktop may reach the page
/// @param toDesktop what the page offers may reach the desktop
/// @param limitBytes of one text, as it is on the wire: UTF-16 with a NUL at its end
public record ClipboardPolicy(boolean fromDesktop, boolean toDesktop, int limitBytes) {
  public boolean isOff() {
    return !fromDesktop && !toDesktop;
  }
}
