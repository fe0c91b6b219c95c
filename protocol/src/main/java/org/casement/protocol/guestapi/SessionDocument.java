package org.casement.protocol.guestapi;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.ZoneId;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.casement.session.Secret;
import org.casement.session.SessionId;

/// What the guest gets for its boot token: the account to make, the shares to connect, and the
/// agent's credential for every later call. Written only: the guest is the one that reads it.
///
/// @param nonce 64 bits in hexadecimal, public inside the session: it marks pictures of the desktop
/// @param user the account to make or change
/// @param shareUser what opens the shares
/// @param timezone a region of the IANA database
/// @param size a wish for the first desktop
public record SessionDocument(
    SessionId session,
    String nonce,
    Account user,
    Account shareUser,
    List<Share> shares,
    ZoneId timezone,
    Optional<Size> size) {
  private static final int VERSION = 1;
  private static final Pattern NONCE = Pattern.compile("[0-9a-f]{16}");

  public SessionDocument {
    if (!NONCE.matcher(nonce).matches()) {
      throw new IllegalArgumentException("nonce must be 16 hexadecimal digits");
    }
    if (user.password().matches(shareUser.password())) {
      throw new IllegalArgumentException("account and shares must have different passwords");
    }
    if (!ZoneId.getAvailableZoneIds().contains(timezone.getId())) {
      throw new IllegalArgumentException("time zone must have an IANA name: " + timezone);
    }
    shares = List.copyOf(shares);
    if (shares.stream().map(Share::drive).distinct().count() < shares.size()
        || shares.stream().map(Share::name).distinct().count() < shares.size()) {
      throw new IllegalArgumentException("two shares with one name or drive: " + shares);
    }
  }

  public record Account(String name, Secret password) {
    public Account {
      if (name.isEmpty()) {
        throw new IllegalArgumentException("account without a name");
      }
    }
  }

  /// A directory that smbd serves.
  ///
  /// @param unc where it is: `\\169.254.100.2\home`
  /// @param drive where Windows shows it: `H:`
  public record Share(String name, String unc, String drive) {
    private static final Pattern UNC = Pattern.compile("\\\\\\\\[^\\\\]+\\\\[^\\\\]+");
    private static final Pattern DRIVE = Pattern.compile("[A-Z]:");

    public Share {
      if (name.isEmpty() || !UNC.matcher(unc).matches() || !DRIVE.matcher(drive).matches()) {
        throw new IllegalArgumentException(
            "share must have a name, a UNC path and a drive: " + name + ", " + unc + ", " + drive);
      }
    }
  }

  /// In pixels.
  public record Size(int width, int height) {
    public Size {
      if (width < 1 || height < 1) {
        throw new IllegalArgumentException("no size: " + width + " x " + height);
      }
    }
  }

  /// The document as the guest reads it.
  ///
  /// SECURITY: holds every secret of the guest; goes to the guest and nowhere else.
  public byte[] json(Secret credential) {
    Map<String, Object> members = new LinkedHashMap<>();
    members.put("version", VERSION);
    members.put("session", session.value());
    members.put("nonce", nonce);
    members.put("credential", credential.base64url());
    members.put("user", json(user));
    members.put("shareUser", json(shareUser));
    members.put("shares", shares.stream().map(SessionDocument::json).toList());
    members.put("timezone", timezone.getId());
    size.ifPresent(
        wish -> members.put("size", Map.of("width", wish.width(), "height", wish.height())));
    try {
      return JSON.std.asBytes(members);
    } catch (IOException impossible) {
      throw new UncheckedIOException("writing JSON into memory", impossible);
    }
  }

  private static Map<String, Object> json(Account account) {
    return Map.of("name", account.name(), "password", account.password().text());
  }

  private static Map<String, Object> json(Share share) {
    return Map.of("name", share.name(), "unc", share.unc(), "drive", share.drive());
  }
}
