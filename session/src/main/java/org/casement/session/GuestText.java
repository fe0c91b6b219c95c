package org.casement.session;

/// Text that the guest chose, made harmless: at most 200 characters, no control or formatting
/// characters, no line breaks, no lone surrogates. Whoever shows it still escapes it for its place.
public record GuestText(String value) {
  /// design.md, "Trust": enough for a sentence.
  public static final int LIMIT_CHARS = 200;

  public GuestText {
    value = clean(value);
  }

  private static String clean(String text) {
    StringBuilder clean = new StringBuilder();
    int end = Math.min(text.length(), 4 * LIMIT_CHARS);
    for (int i = 0; i < end && clean.length() < LIMIT_CHARS; ) {
      int c = text.codePointAt(i);
      i += Character.charCount(c);
      int shown = isPrintable(c) ? c : '\ufffd';
      if (clean.length() + Character.charCount(shown) > LIMIT_CHARS) {
        break;
      }
      clean.appendCodePoint(shown);
    }
    return clean.toString();
  }

  private static boolean isPrintable(int c) {
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      default -> true;
    };
  }

  @Override
  public String toString() {
    return value;
  }
}
