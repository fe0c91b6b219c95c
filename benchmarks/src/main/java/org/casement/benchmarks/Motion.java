package org.casement.benchmarks;

import org.casement.systemtests.GuestShell;

/// What moves on the guest's desktop, in a terminal of its own.
enum Motion {
  /// Fifty lines of text a second.
  SCROLL(
      """
      i=0; while :; do i=$((i + 1)); echo "$i $i $i the quick brown fox jumps over the lazy dog"; usleep 20000; done
      """),
  /// Twenty pictures a second, of blocks that change their colours; fewer where the guest is slow.
  FILM(
      """
      f=0; while :; do
        f=$((f + 1)); printf '\\033[H'; r=0
        while [ $r -lt 12 ]; do
          c=0; line=
          while [ $c -lt 24 ]; do line="$line\\033[48;5;$((16 + (f * 7 + r * 13 + c * 5) % 216))m  "; c=$((c + 1)); done
          printf "$line\\033[0m\\n"; r=$((r + 1))
        done
        usleep 50000
      done
      """);

  private final String script;

  Motion(String script) {
    this.script = script;
  }

  void start(GuestShell guest) {
    guest
        .run(
            """
            cat >/tmp/%1$s <<'END'
            %2$sEND
            for s in /tmp/.X11-unix/X*; do d=:${s#/tmp/.X11-unix/X}; done
            DISPLAY=$d XAUTHORITY=/home/user/.Xauthority setsid su user -s /bin/sh -c "xterm -title %1$s -e sh /tmp/%1$s" >/dev/null 2>&1 </dev/null &
            """
                .formatted(this, script))
        .orFail();
  }

  void stop(GuestShell guest) {
    guest.run(
        "for p in /proc/[0-9]*; do ! grep -qs /tmp/%s $p/cmdline || kill ${p#/proc/}; done"
            .formatted(this));
  }
}
