package org.casement.web;

import java.util.Locale;
import java.util.Optional;
import org.casement.protocol.credssp.LogonFailure;
import org.casement.protocol.rdp.RdpSecurity;
import org.casement.protocol.rdp.X224;
import org.casement.protocol.rdp.X224.Confirm;

/// Why a desktop that answers does not let this session in: another try would end the same way. The
/// page gets the word (contracts/door.md) and has a sentence for it, the log gets the remedy.
enum Refusal {
  NLA_DEMANDED(
      "the guest demands network level authentication: set rdp_security = \"nla\" in [machine], or"
          + " rdpSecurity in the golden image's manifest"),
  NLA_REFUSED(
      "the guest offers no network level authentication: set rdp_security = \"tls\" in [machine],"
          + " or rdpSecurity in the golden image's manifest"),
  NO_TLS("the guest offers no TLS: switch it on in the image"),
  NLA_FAILED("network level authentication broke off"),
  WRONG_PASSWORD("the guest does not accept the password that its agent was given"),
  ACCOUNT_LOCKED("the account is locked in the guest, after too many wrong passwords"),
  ACCOUNT_DISABLED("the account is disabled in the guest"),
  ACCOUNT_EXPIRED("the account has expired in the guest"),
  PASSWORD_EXPIRED("the password has expired in the guest: switch its expiry off in the image"),
  LOGON_RESTRICTED("the guest does not let this account in by remote desktop"),
  NTLM_BLOCKED(
      "the guest forbids NTLM: set rdp_security = \"tls\" in [machine] and switch network level"
          + " authentication off in the image");

  private final String remedy;

  Refusal(String remedy) {
    this.remedy = remedy;
  }

  String word() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  String remedy() {
    return remedy;
  }

  /// What is wrong with the desktop's answer to a request for `security`; empty if it is the one
  /// that was wanted.
  static Optional<Refusal> of(Confirm answer, RdpSecurity security) {
    return switch (answer) {
      case Confirm.Selected(int protocol) when protocol == security.selectedProtocol() ->
          Optional.empty();
      case Confirm.Selected(int protocol) ->
          Optional.of(
              switch (protocol) {
                case X224.PROTOCOL_TLS -> NLA_REFUSED;
                case X224.PROTOCOL_HYBRID -> NLA_DEMANDED;
                default -> NO_TLS;
              });
      case Confirm.Failed(int code) ->
          Optional.of(
              switch (code) {
                case Confirm.Failed.HYBRID_REQUIRED, Confirm.Failed.USER_AUTH_REQUIRED ->
                    security == RdpSecurity.TLS ? NLA_DEMANDED : NLA_FAILED;
                case Confirm.Failed.TLS_REQUIRED ->
                    security == RdpSecurity.NLA ? NLA_REFUSED : NO_TLS;
                default -> NO_TLS;
              });
      case Confirm.None() -> Optional.of(NO_TLS);
    };
  }

  static Refusal of(LogonFailure failure) {
    return switch (failure) {
      case WRONG_PASSWORD -> WRONG_PASSWORD;
      case ACCOUNT_LOCKED -> ACCOUNT_LOCKED;
      case ACCOUNT_DISABLED -> ACCOUNT_DISABLED;
      case ACCOUNT_EXPIRED -> ACCOUNT_EXPIRED;
      case PASSWORD_EXPIRED -> PASSWORD_EXPIRED;
      case RESTRICTED -> LOGON_RESTRICTED;
      case NTLM_BLOCKED -> NTLM_BLOCKED;
      case OTHER -> NLA_FAILED;
    };
  }
}
