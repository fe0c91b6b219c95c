package org.casement.supervisor;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.casement.protocol.rdp.RdpSecurity;
import org.casement.session.SessionException;
import org.jspecify.annotations.Nullable;

/// A golden image: a directory with `manifest.json` and the files it names, read-only for
/// everybody, one for all sessions.
///
/// @param virtualBytes the disk's size as the guest sees it
/// @param profile the machine the image was made for, or the base of one that is not known
/// @param unknownProfile the name the manifest gives, where this version does not know it
/// @param boot a kernel to start directly; empty where the disk boots by itself
/// @param rdpSecurity what the guest's RDP server takes
/// @param sha256 of the disk, in hex, as the publisher says
record GoldenImage(
    Path directory,
    String name,
    Path disk,
    long virtualBytes,
    int memoryMebibytes,
    int cpus,
    MachineProfile profile,
    Optional<String> unknownProfile,
    Optional<DirectBoot> boot,
    RdpSecurity rdpSecurity,
    Optional<String> sha256) {
  /// QEMU's `-kernel`, `-initrd`, `-append`.
  record DirectBoot(Path kernel, Path initrd, String append) {}

  private static final String MANIFEST = "manifest.json";
  private static final int MANIFEST_LIMIT_BYTES = 64 * 1024;
  private static final int APPEND_LIMIT_CHARS = 2000;

  /// No path, no leading dot, no comma (QEMU's option syntax).
  private static final Pattern FILE_NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,99}");

  private static final Pattern PROFILE = Pattern.compile("[a-z0-9][a-z0-9.-]{0,63}");

  /// QEMU docs, interop/qcow2: magic, version, then at byte 24 the virtual size, big-endian.
  private static final int QCOW2_MAGIC = 0x514649fb;

  private static final int QCOW2_HEADER_BYTES = 72;

  /// Reads the manifest and looks at the files. The disk must have the size that the manifest says:
  /// QEMU itself does not notice a truncated image. Its hash is not computed: that takes minutes.
  /// `casement doctor` does it.
  ///
  /// @throws SessionException naming the file and who can mend it
  static GoldenImage read(Path directory) throws SessionException {
    return of(directory, manifest(directory.resolve(MANIFEST)));
  }

  static GoldenImage of(Path directory, byte[] json) throws SessionException {
    Path file = directory.resolve(MANIFEST);
    Map<String, Object> manifest = object(file, json);
    if (!Integer.valueOf(1).equals(manifest.get("format"))) {
      throw broken(file, "format is not 1: it is for another version of Casement");
    }
    Path disk = file(file, manifest, "disk");
    readable(disk);
    long virtualBytes = checkDisk(disk, number(file, manifest, "size", 1, Long.MAX_VALUE));
    Optional<DirectBoot> boot = Optional.empty();
    if (manifest.containsKey("kernel")) {
      DirectBoot direct =
          new DirectBoot(
              file(file, manifest, "kernel"),
              file(file, manifest, "initrd"),
              text(file, manifest, "append"));
      readable(direct.kernel());
      readable(direct.initrd());
      boot = Optional.of(direct);
    }
    Optional<String> named = profileName(file, manifest);
    Optional<MachineProfile> known = named.flatMap(MachineProfile::called);
    MachineProfile profile =
        known.orElseGet(() -> named.map(MachineProfile::baseOf).orElseGet(MachineProfile::plain));
    return new GoldenImage(
        directory,
        text(file, manifest, "name"),
        disk,
        virtualBytes,
        (int) number(file, manifest, "memoryMiB", 64, 4 << 20, profile.memoryMebibytes()),
        (int) number(file, manifest, "cpus", 1, 1024, profile.cpus()),
        profile,
        named.filter(_ -> known.isEmpty()),
        boot,
        rdpSecurity(file, manifest, profile),
        manifest.containsKey("sha256")
            ? Optional.of(text(file, manifest, "sha256"))
            : Optional.empty());
  }

  /// `rdpSecurity`: `tls` or `nla`; where it is absent, the profile's.
  private static RdpSecurity rdpSecurity(
      Path file, Map<String, Object> manifest, MachineProfile profile) throws SessionException {
    if (!manifest.containsKey("rdpSecurity")) {
      return profile.rdpSecurity();
    }
    return switch (text(file, manifest, "rdpSecurity")) {
      case "tls" -> RdpSecurity.TLS;
      case "nla" -> RdpSecurity.NLA;
      default -> throw broken(file, "rdpSecurity is neither \"tls\" nor \"nla\"");
    };
  }

  private static Optional<String> profileName(Path file, Map<String, Object> manifest)
      throws SessionException {
    if (!manifest.containsKey("profile")) {
      return Optional.empty();
    }
    String name = text(file, manifest, "profile");
    if (!PROFILE.matcher(name).matches()) {
      throw broken(file, "profile is not a name such as \"windows-11\"");
    }
    return Optional.of(name);
  }

  private static byte[] manifest(Path file) throws SessionException {
    readable(file);
    try (InputStream in = Files.newInputStream(file)) {
      byte[] json = in.readNBytes(MANIFEST_LIMIT_BYTES + 1);
      if (json.length > MANIFEST_LIMIT_BYTES) {
        throw broken(file, "it has more than 64 KiB");
      }
      return json;
    } catch (IOException e) {
      throw noManifest(file, e);
    }
  }

  private static Map<String, Object> object(Path file, byte[] json) throws SessionException {
    try {
      Map<String, Object> manifest = JSON.std.mapFrom(json);
      if (manifest == null) {
        throw broken(file, "it is no JSON object");
      }
      return manifest;
    } catch (IOException e) {
      throw noManifest(file, e);
    }
  }

  private static SessionException noManifest(Path file, IOException cause) {
    return new SessionException(
        "the golden image's " + file + " is not a manifest; publish the image again", cause);
  }

  private static long checkDisk(Path disk, long expectedBytes) throws SessionException {
    try (InputStream in = Files.newInputStream(disk)) {
      long bytes = Files.size(disk);
      if (bytes != expectedBytes) {
        throw broken(disk, "it has " + bytes + " bytes, its manifest says " + expectedBytes);
      }
      byte[] header = in.readNBytes(QCOW2_HEADER_BYTES);
      ByteBuffer fields = ByteBuffer.wrap(header);
      if (header.length < QCOW2_HEADER_BYTES || fields.getInt(0) != QCOW2_MAGIC) {
        throw broken(disk, "it is no qcow2 disk");
      }
      if (fields.getLong(8) != 0) {
        throw broken(disk, "it needs another image below it");
      }
      return fields.getLong(24);
    } catch (IOException e) {
      throw new SessionException("cannot read the golden image's " + disk, e);
    }
  }

  private static void readable(Path file) throws SessionException {
    try {
      Files.newInputStream(file).close();
    } catch (NoSuchFileException e) {
      throw new SessionException(
          "the golden image has no " + file + "; name another in [golden] image, or publish it", e);
    } catch (IOException e) {
      throw new SessionException(
          "the golden image's "
              + file
              + " is not readable for you; ask an administrator for read access",
          e);
    }
  }

  private static Path file(Path manifest, Map<String, Object> members, String key)
      throws SessionException {
    String name = text(manifest, members, key);
    if (!FILE_NAME.matcher(name).matches()) {
      throw broken(manifest, key + " is not a plain file name");
    }
    return manifest.resolveSibling(name);
  }

  private static String text(Path manifest, Map<String, Object> members, String key)
      throws SessionException {
    @Nullable Object value = members.get(key);
    if (value instanceof String text
        && text.length() <= APPEND_LIMIT_CHARS
        && text.chars().noneMatch(c -> c < ' ')) {
      return text;
    }
    throw broken(manifest, key + " is not a string");
  }

  private static long number(
      Path manifest, Map<String, Object> members, String key, long least, long most, long standard)
      throws SessionException {
    return members.containsKey(key) ? number(manifest, members, key, least, most) : standard;
  }

  private static long number(
      Path manifest, Map<String, Object> members, String key, long least, long most)
      throws SessionException {
    if (members.get(key) instanceof Number number
        && number.longValue() >= least
        && number.longValue() <= most) {
      return number.longValue();
    }
    throw broken(manifest, key + " is not a number from " + least + " to " + most);
  }

  private static SessionException broken(Path file, String how) {
    return new SessionException(
        "the golden image's " + file + " is broken: " + how + "; publish the image again");
  }
}
