package org.casement.supervisor;

import java.util.Locale;

/// How QEMU runs the guest's code.
enum Acceleration {
  /// By the processor itself.
  KVM("kvm", "host"),
  /// In software. Nehalem: the newest model whose instructions TCG translates without a detour. The
  /// translated code gets 128 MiB; QEMU itself would take up to 1 GiB.
  TCG("tcg,thread=multi,tb-size=128", "Nehalem");

  private final String option;
  private final String cpu;

  Acceleration(String option, String cpu) {
    this.option = option;
    this.cpu = cpu;
  }

  String option() {
    return option;
  }

  String cpu() {
    return cpu;
  }

  String code() {
    return name().toLowerCase(Locale.ROOT);
  }
}
