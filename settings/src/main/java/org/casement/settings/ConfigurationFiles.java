package org.casement.settings;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tomlj.Toml;
import org.tomlj.TomlParseResult;
import org.tomlj.TomlTable;

/// Where the configuration's files are, and their text as TOML.
public final class ConfigurationFiles {
  /// Largest file read; the annotated example has 3 KiB.
  private static final int FILE_LIMIT_BYTES = 256 * 1024;

  private static final Path SITE = Path.of("/etc/casement/casement.toml");

  /// Brackets that open: TOML's parser goes down one level, and its stack, with each.
  private static final int BRACKETS_LIMIT = 400;

  private ConfigurationFiles() {}

  /// The files to read, the one that counts most first: `named` or else the user's own, then the
  /// site's.
  ///
  /// @param environment `HOME` and `XDG_CONFIG_HOME` are used
  public static List<Path> find(Optional<Path> named, Map<String, String> environment)
      throws ConfigurationException {
    String xdg = environment.getOrDefault("XDG_CONFIG_HOME", "");
    Path directory =
        xdg.startsWith("/")
            ? Path.of(xdg)
            : Path.of(environment.getOrDefault("HOME", "/"), ".config");
    Path own = named.orElse(directory.resolve("casement/casement.toml")).toAbsolutePath();
    List<Path> files = new ArrayList<>();
    if (named.isPresent() || !Files.notExists(own)) {
      files.add(own);
    }
    if (!Files.notExists(SITE)) { // one that may not be looked at is not passed over
      files.add(SITE);
    }
    if (files.isEmpty()) {
      throw ConfigurationException.in(
          SITE,
          "there is no configuration; write at least [golden] image = \"/the/golden/image\" to it"
              + " or to "
              + own);
    }
    return files;
  }

  public static TomlTable parse(Path file) throws ConfigurationException {
    return parse(file, bytes(file));
  }

  /// What `bytes` say.
  ///
  /// @param file for messages
  public static TomlTable parse(Path file, byte[] bytes) throws ConfigurationException {
    String text = text(file, bytes);
    if (text.chars().filter(c -> c == '[' || c == '{').count() > BRACKETS_LIMIT) {
      throw ConfigurationException.in(
          file, "has more than " + BRACKETS_LIMIT + " opening brackets");
    }
    TomlParseResult toml;
    try {
      toml = Toml.parse(text.startsWith("\ufeff") ? text.substring(1) : text);
    } catch (RuntimeException e) { // a control character in an inline table's comment
      throw ConfigurationException.in(file, "is not TOML, and cannot be told where");
    }
    if (toml.hasErrors()) {
      var error = toml.errors().getFirst();
      throw ConfigurationException.at(file, error.position(), String.valueOf(error.getMessage()));
    }
    return toml;
  }

  private static String text(Path file, byte[] bytes) throws ConfigurationException {
    try {
      return UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw ConfigurationException.in(file, "is not text in UTF-8");
    }
  }

  private static byte[] bytes(Path file) throws ConfigurationException {
    try {
      // Not from a pipe: the sealed part reads the file again.
      if (!Files.readAttributes(file, BasicFileAttributes.class).isRegularFile()) {
        throw ConfigurationException.in(file, "is not a file");
      }
      try (InputStream in = Files.newInputStream(file)) {
        byte[] bytes = in.readNBytes(FILE_LIMIT_BYTES + 1);
        if (bytes.length > FILE_LIMIT_BYTES) {
          throw ConfigurationException.in(file, "is larger than " + FILE_LIMIT_BYTES + " bytes");
        }
        return bytes;
      }
    } catch (NoSuchFileException e) {
      throw ConfigurationException.in(file, "is not there");
    } catch (AccessDeniedException e) {
      throw ConfigurationException.in(file, "is not readable for you");
    } catch (IOException e) {
      throw ConfigurationException.in(file, "cannot be read: " + e.getMessage());
    }
  }
}
