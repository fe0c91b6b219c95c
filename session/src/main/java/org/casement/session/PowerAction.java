package org.casement.session;

import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/// What the machine's console can do to it beside its keys.
public enum PowerAction {
  /// The power button, by ACPI: the guest is asked, and may take its time or refuse.
  SHUTDOWN,
  /// The reset button: the guest is not asked.
  RESET,
  /// The plug: the guest is not asked, and the session ends.
  POWEROFF;

  /// What contracts, configuration and logs say: `shutdown`, `reset`, `poweroff`.
  public String code() {
    return name().toLowerCase(Locale.ROOT);
  }

  public static Optional<PowerAction> of(String code) {
    return Stream.of(values()).filter(action -> action.code().equals(code)).findAny();
  }
}
