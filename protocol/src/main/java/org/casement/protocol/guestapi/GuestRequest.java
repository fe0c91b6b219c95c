package org.casement.protocol.guestapi;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;
import java.util.Locale;
import org.casement.protocol.ProtocolException;
import org.casement.session.GuestText;
import org.casement.session.Secret;

/// What the agent in the guest says, one record for each call. Unknown members are ignored; a
/// missing one, or one of another type, is refused.
public sealed interface GuestRequest {
  /// Longest body (contracts/guest-api.md). The longest of ours has less than 1 KiB.
  int LIMIT_BYTES = 16 * 1024;

  /// Longest time without a key press that is believed: a year, longer than any walltime.
  int IDLE_LIMIT_SECONDS = 366 * 24 * 60 * 60;

  /// The agent wants the session document. `token` is the text that the SMBIOS string had.
  record Trade(Secret token, GuestText agent) implements GuestRequest {}

  /// Something to show to the user.
  record Progress(Code code, GuestText text) implements GuestRequest {
    public enum Code {
      STARTED,
      ACCOUNT,
      SHARE,
      SHARE_FAILED,
      RDP,
      FAILED;

      /// The name in the contract.
      public String text() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
      }
    }
  }

  /// Account and drives are there, and if `rdp` the RDP server.
  record Ready(boolean rdp) implements GuestRequest {}

  /// The guest lives.
  ///
  /// @param idleSeconds since the last key press or mouse movement, −1 if unknown
  /// @param seen the highest id among the notices that the user was shown, 0 before the first
  record Heartbeat(int idleSeconds, long seen) implements GuestRequest {
    public Heartbeat {
      if (idleSeconds < -1 || idleSeconds > IDLE_LIMIT_SECONDS || seen < 0) {
        throw new IllegalArgumentException(
            "heartbeat out of range: idleSeconds " + idleSeconds + ", seen " + seen);
      }
    }
  }

  static Trade trade(byte[] body) throws ProtocolException {
    Members members = Members.of(body);
    return new Trade(
        new Secret(members.text("token").getBytes(UTF_8)), new GuestText(members.text("agent")));
  }

  static Progress progress(byte[] body) throws ProtocolException {
    Members members = Members.of(body);
    String name = members.text("code");
    Progress.Code code =
        Arrays.stream(Progress.Code.values())
            .filter(known -> known.text().equals(name))
            .findFirst()
            .orElseThrow(() -> new ProtocolException("code is none of the contract"));
    return new Progress(code, new GuestText(members.text("text")));
  }

  static Ready ready(byte[] body) throws ProtocolException {
    return new Ready(Members.of(body).flag("rdp"));
  }

  static Heartbeat heartbeat(byte[] body) throws ProtocolException {
    Members members = Members.of(body);
    return new Heartbeat(
        (int) members.wholeNumber("idleSeconds", -1, IDLE_LIMIT_SECONDS),
        members.wholeNumber("seen", 0, Long.MAX_VALUE));
  }
}
