package org.casement.session;

import java.util.random.RandomGenerator;
import java.util.regex.Pattern;

/// The name of one session: the Slurm job's id, or eight random characters without Slurm. Part of
/// file names, cookie names and log lines, hence the narrow alphabet.
public record SessionId(String value) {
  private static final Pattern VALID = Pattern.compile("[a-z0-9][a-z0-9-]{0,39}");
  private static final String ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"; // 32: no 0/o, 1/l

  public SessionId {
    if (!VALID.matcher(value).matches()) {
      throw new IllegalArgumentException(
          "session id must be 1 to 40 of a-z, 0-9 and '-', starting with no '-'");
    }
  }

  public static SessionId random(RandomGenerator random) {
    StringBuilder id = new StringBuilder(8);
    for (int i = 0; i < 8; i++) {
      id.append(ALPHABET.charAt(random.nextInt(ALPHABET.length())));
    }
    return new SessionId(id.toString());
  }

  @Override
  public String toString() {
    return value;
  }
}
