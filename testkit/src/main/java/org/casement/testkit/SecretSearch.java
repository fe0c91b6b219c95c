package org.casement.testkit;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_16BE;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Looks for secrets where none may be, in every form that a careless line of code gives them: as
/// they are, UTF-16, hexadecimal, base64 wherever the secret begins in the three-byte group. Run as
/// root: it reads everybody's argv and environment.
public final class SecretSearch {
  /// A secret that was found.
  ///
  /// @param place `argv of 4711 qemu-system-x86`, a path, …
  public record Finding(String secret, String form, String place) {}

  private static final class Needle {
    final String secret;
    final String form;
    final byte[] bytes;

    Needle(String secret, String form, byte[] bytes) {
      this.secret = secret;
      this.form = form;
      this.bytes = bytes;
    }
  }

  private static final int CHUNK_BYTES = 1 << 20;

  /// Needles by their first two bytes, and which pairs there are: most positions are dismissed by
  /// one bit.
  private final Map<Integer, List<Needle>> needles = new HashMap<>();

  private final BitSet beginnings = new BitSet(1 << 16);
  private final List<Finding> findings = new ArrayList<>();
  private int longest;

  /// Looks for `text` under the name `secret`; where it is base64url of 32 bytes, for those too.
  public SecretSearch add(String secret, String text) {
    addForms(secret, "", text.getBytes(UTF_8));
    if (text.matches("[A-Za-z0-9_-]{43}")) {
      addForms(secret, "decoded ", Base64.getUrlDecoder().decode(text));
    }
    return this;
  }

  private void addForms(String secret, String prefix, byte[] plain) {
    if (plain.length < 8) {
      throw new IllegalArgumentException(secret + " is too short to search for");
    }
    addEncodings(secret, prefix, plain);
    addEncodings(secret, prefix + "UTF-16LE ", new String(plain, ISO_8859_1).getBytes(UTF_16LE));
    addEncodings(secret, prefix + "UTF-16BE ", new String(plain, ISO_8859_1).getBytes(UTF_16BE));
  }

  private void addEncodings(String secret, String prefix, byte[] bytes) {
    addNeedle(secret, prefix + "plain", bytes);
    String hex = HexFormat.of().formatHex(bytes);
    addNeedle(secret, prefix + "hex", hex.getBytes(UTF_8));
    addNeedle(secret, prefix + "HEX", hex.toUpperCase(Locale.ROOT).getBytes(UTF_8));
    for (int before = 0; before < 3; before++) {
      byte[] aligned = base64Within(bytes, before);
      addNeedle(secret, prefix + "base64+" + before, aligned);
      byte[] url = new String(aligned, UTF_8).replace('+', '-').replace('/', '_').getBytes(UTF_8);
      if (!Arrays.equals(url, aligned)) {
        addNeedle(secret, prefix + "base64url+" + before, url);
      }
    }
  }

  /// The part of the base64 text that depends on `secret` alone when `before` bytes stand before it
  /// in its first group.
  private static byte[] base64Within(byte[] secret, int before) {
    byte[] padded = new byte[before + secret.length];
    System.arraycopy(secret, 0, padded, before, secret.length);
    byte[] text = Base64.getEncoder().withoutPadding().encode(padded);
    int first = (before * 8 + 5) / 6;
    int last = padded.length * 8 / 6;
    return Arrays.copyOfRange(text, first, last);
  }

  private void addNeedle(String secret, String form, byte[] bytes) {
    int beginning = pair(bytes, 0);
    beginnings.set(beginning);
    needles.computeIfAbsent(beginning, _ -> new ArrayList<>()).add(new Needle(secret, form, bytes));
    longest = Math.max(longest, bytes.length);
  }

  /// Argument lists and environments of every process on the node.
  public SecretSearch inProcesses() {
    for (ProcessEntry process : ProcessEntry.all()) {
      String who = " of " + process.pid() + " " + process.name();
      in("argv" + who, String.join("\0", process.arguments()).getBytes(ISO_8859_1));
      in("environment" + who, process.environment());
    }
    return this;
  }

  /// Every file under `directories` that somebody else than its owner and group can read.
  public SecretSearch inFilesOpenToOthers(Path... directories) {
    for (Path directory : directories) {
      walk(directory, true);
    }
    return this;
  }

  /// Every file under `places`, or the file itself: logs.
  public SecretSearch inFiles(Path... places) {
    for (Path place : places) {
      walk(place, false);
    }
    return this;
  }

  public SecretSearch in(String place, byte[] bytes) {
    scan(place, bytes, bytes.length);
    return this;
  }

  public List<Finding> findings() {
    return List.copyOf(findings);
  }

  private void walk(Path start, boolean openToOthersOnly) {
    try {
      Files.walkFileTree(
          start,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes)
                throws IOException {
              // A directory that others cannot enter hides what is below it.
              return openToOthersOnly && !may(directory, PosixFilePermission.OTHERS_EXECUTE)
                  ? FileVisitResult.SKIP_SUBTREE
                  : FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                throws IOException {
              in(file.toString(), file.toString().getBytes(UTF_8)); // names are public too
              if (attributes.isRegularFile()
                  && (!openToOthersOnly || may(file, PosixFilePermission.OTHERS_READ))) {
                scanFile(file);
              }
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException e) {
              return FileVisitResult.CONTINUE; // gone meanwhile
            }

            @Override
            public FileVisitResult postVisitDirectory(
                Path directory, @org.jspecify.annotations.Nullable IOException e) {
              return FileVisitResult.CONTINUE;
            }
          });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean may(Path path, PosixFilePermission permission) {
    try {
      return Files.getPosixFilePermissions(path, LinkOption.NOFOLLOW_LINKS).contains(permission);
    } catch (IOException e) {
      return false; // gone meanwhile
    }
  }

  private void scanFile(Path file) {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] buffer = new byte[CHUNK_BYTES + longest];
      int kept = 0;
      int n;
      while ((n = in.read(buffer, kept, buffer.length - kept)) >= 0) {
        int filled = kept + n;
        scan(file.toString(), buffer, filled);
        kept = Math.min(longest - 1, filled);
        System.arraycopy(buffer, filled - kept, buffer, 0, kept);
      }
    } catch (IOException e) {
      return; // gone meanwhile, or not for reading
    }
  }

  private void scan(String place, byte[] bytes, int length) {
    for (int i = 0; i + 1 < length; i++) {
      int beginning = pair(bytes, i);
      if (beginnings.get(beginning)) {
        for (Needle needle : needles.getOrDefault(beginning, List.of())) {
          int end = i + needle.bytes.length;
          if (end <= length && Arrays.equals(bytes, i, end, needle.bytes, 0, needle.bytes.length)) {
            Finding finding = new Finding(needle.secret, needle.form, place);
            if (!findings.contains(finding)) {
              findings.add(finding);
            }
          }
        }
      }
    }
  }

  private static int pair(byte[] bytes, int at) {
    return ((bytes[at] & 0xff) << 8) | (bytes[at + 1] & 0xff);
  }
}
