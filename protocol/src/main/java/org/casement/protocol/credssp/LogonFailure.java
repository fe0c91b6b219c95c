package org.casement.protocol.credssp;

/// Why a server did not let an account in, as its NTSTATUS says ([MS-ERREF] 2.3.1).
public enum LogonFailure {
  WRONG_PASSWORD,
  ACCOUNT_LOCKED,
  ACCOUNT_DISABLED,
  ACCOUNT_EXPIRED,
  PASSWORD_EXPIRED,
  /// Not now, not from here, or not by this way of logging in.
  RESTRICTED,
  /// A policy of the server or its domain forbids NTLM.
  NTLM_BLOCKED,
  /// Any other status.
  OTHER;

  public static LogonFailure of(int ntStatus) {
    return switch (ntStatus) {
      case 0xc000006d, // STATUS_LOGON_FAILURE
          0xc000006a, // STATUS_WRONG_PASSWORD
          0xc0000064, // STATUS_NO_SUCH_USER
          0x8009030c -> // SEC_E_LOGON_DENIED
          WRONG_PASSWORD;
      case 0xc0000234 -> ACCOUNT_LOCKED; // STATUS_ACCOUNT_LOCKED_OUT
      case 0xc0000072 -> ACCOUNT_DISABLED; // STATUS_ACCOUNT_DISABLED
      case 0xc0000193 -> ACCOUNT_EXPIRED; // STATUS_ACCOUNT_EXPIRED
      case 0xc0000071, // STATUS_PASSWORD_EXPIRED
          0xc0000224 -> // STATUS_PASSWORD_MUST_CHANGE
          PASSWORD_EXPIRED;
      case 0xc000006e, // STATUS_ACCOUNT_RESTRICTION
          0xc000006f, // STATUS_INVALID_LOGON_HOURS
          0xc0000070, // STATUS_INVALID_WORKSTATION
          0xc000015b, // STATUS_LOGON_TYPE_NOT_GRANTED
          0xc0000022 -> // STATUS_ACCESS_DENIED
          RESTRICTED;
      case 0xc0000418 -> NTLM_BLOCKED; // STATUS_NTLM_BLOCKED
      default -> OTHER;
    };
  }
}
