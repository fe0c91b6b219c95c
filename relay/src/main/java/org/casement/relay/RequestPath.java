package org.casement.relay;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The path of a request without the prefix that a portal leaves on it: `/node/HOST/PORT/ws/rdp` is
/// `ws/rdp`. Open OnDemand leaves it for `node` and cuts it for `rnode`.
///
/// The pages' addresses are relative, hence a page must be asked for with the slash at its end:
/// `redirect` says where to. Behind `rnode` a missing slash cannot be seen from here: links to
/// there must carry it.
record RequestPath(String file, Optional<String> redirect) {
  private static final Pattern PREFIX =
      Pattern.compile("/(?:secure-)?r?node/[^/]+/([0-9]{1,5})(/.*)?");

  static RequestPath of(String uri) {
    int query = uri.indexOf('?');
    String path = query < 0 ? uri : uri.substring(0, query);
    Matcher prefixed = PREFIX.matcher(path);
    if (!prefixed.matches()) {
      return new RequestPath(path.startsWith("/") ? path.substring(1) : path, Optional.empty());
    }
    if (prefixed.group(2) == null) {
      return new RequestPath("", Optional.of(prefixed.group(1) + "/"));
    }
    return new RequestPath(prefixed.group(2).substring(1), Optional.empty());
  }
}
