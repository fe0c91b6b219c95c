package org.casement.supervisor;

import java.io.IOException;
import org.casement.protocol.qmp.QmpMessage;

/// QEMU refused a command; the connection is sound. The message names the command and gives QEMU's
/// own description.
final class QmpException extends IOException {
  private final String errorClass;

  QmpException(String command, QmpMessage.Failure failure) {
    super("QEMU refused " + command + ": " + failure.description());
    this.errorClass = failure.errorClass();
  }

  /// `GenericError` for nearly all; `CommandNotFound`, `DeviceNotFound`, `DeviceNotActive`, ….
  String errorClass() {
    return errorClass;
  }
}
