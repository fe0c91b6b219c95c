package org.casement.relay;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import org.casement.session.EventLog;
import org.casement.session.Secret;
import org.casement.session.SessionId;

/// Who may enter a session: links (each good for one entry), browsers (a cookie) and their tabs (a
/// secret), as contracts/door.md has them. One for all connectors of a session; thread-safe.
///
/// Tokens and cookies are 256 random bits, so nobody guesses one; all comparisons take the same
/// time however much is right and whichever is meant. Of everything there is a highest number, and
/// the oldest gives way: entering costs a valid link, so only the owner can displace the owner.
public final class Door {
  static final int LINKS_LIMIT = 32;
  static final int BROWSERS_LIMIT = 16;
  static final int TABS_LIMIT = 64;

  /// A tab that has had no WebSocket for so long is forgotten.
  static final Duration TAB_SILENCE_LIMIT = Duration.ofHours(24);

  private final String cookieName;
  private final InstantSource clock;
  private final SecureRandom random;
  private final Refusals<Refusal> refusals;
  private final List<Link> links = new ArrayList<>();
  private final List<Browser> browsers = new ArrayList<>();
  private final List<Tab> tabs = new ArrayList<>();

  /// Why somebody was not let in, for the log.
  enum Refusal {
    WRONG_TOKEN,
    OTHER_ORIGIN,
    NO_COOKIE,
    UNKNOWN_TAB,
    WRONG_PROOF,
    PROOF_TOO_SLOW,
    BAD_MESSAGE
  }

  private record Link(Secret token, Instant notAfter, Runnable used) {
    boolean stands() {
      return notAfter.equals(Instant.MAX);
    }
  }

  /// Whoever holds this cookie.
  record Browser(Secret cookie) {}

  /// What `POST enter` gives to a tab.
  record Entry(Tab tab, Optional<String> setCookie) {}

  public Door(SessionId session, InstantSource clock, SecureRandom random, EventLog log) {
    this.cookieName = "casement-" + session;
    this.clock = clock;
    this.random = random;
    this.refusals = new Refusals<>("refused", Refusal.class, log, clock);
  }

  /// The token of a new link, good for one entry within `validity`.
  public synchronized Secret mintLink(Duration validity) {
    return mint(clock.instant().plus(validity), () -> {});
  }

  /// The token of a link that is good for one entry as long as the session lives.
  ///
  /// @param used told when it has been used, on whatever thread that is: it must not block
  public synchronized Secret mintStandingLink(Runnable used) {
    return mint(Instant.MAX, used);
  }

  private Secret mint(Instant notAfter, Runnable used) {
    if (links.size() == LINKS_LIMIT) {
      // The others are written down somewhere, and there are few.
      links.remove(
          links.stream().filter(link -> !link.stands()).findFirst().orElse(links.getFirst()));
    }
    Link link = new Link(Secret.random(random), notAfter, used);
    links.add(link);
    return link.token();
  }

  Refusals<Refusal> refusals() {
    return refusals;
  }

  /// Uses up the link with this token, if there is one. The browser of `headers` keeps its cookie
  /// if that is valid.
  synchronized Optional<Entry> enter(String token, HttpHeaders headers) {
    if (!useUp(token)) {
      refusals.count(Refusal.WRONG_TOKEN);
      return Optional.empty();
    }
    Optional<Browser> known = browser(headers);
    Browser browser = known.orElseGet(this::newBrowser);
    Tab tab = newTab(browser);
    return Optional.of(
        new Entry(
            tab, known.isPresent() ? Optional.empty() : Optional.of(setCookie(browser, headers))));
  }

  private boolean useUp(String token) {
    Instant now = clock.instant();
    links.removeIf(link -> now.isAfter(link.notAfter()));
    byte[] presented = token.getBytes(UTF_8);
    Optional<Link> used = Optional.empty();
    for (Link link : links) {
      if (MessageDigest.isEqual(link.token().base64url().getBytes(UTF_8), presented)) {
        used = Optional.of(link);
      }
    }
    used.ifPresent(
        link -> {
          links.remove(link);
          link.used().run();
        });
    return used.isPresent();
  }

  /// The browser whose cookie is among the request's. There may be several of that name: a portal
  /// narrows the path, a direct visit does not.
  synchronized Optional<Browser> browser(HttpHeaders headers) {
    Optional<Browser> found = Optional.empty();
    for (String header : headers.getAll(HttpHeaderNames.COOKIE)) {
      for (String pair : header.split(";", -1)) {
        String[] cookie = pair.trim().split("=", 2);
        if (cookie.length == 2 && cookie[0].equals(cookieName)) {
          byte[] presented = cookie[1].getBytes(UTF_8);
          for (Browser browser : browsers) {
            if (MessageDigest.isEqual(browser.cookie().base64url().getBytes(UTF_8), presented)) {
              found = Optional.of(browser);
            }
          }
        }
      }
    }
    return found;
  }

  /// The tab of that name, if this browser made it.
  synchronized Optional<Tab> tab(Browser browser, String name) {
    Instant now = clock.instant();
    dropTabs(tab -> tab.silentSince().plus(TAB_SILENCE_LIMIT).isBefore(now));
    return tabs.stream()
        .filter(tab -> tab.name().equals(name) && tab.browser().cookie().matches(browser.cookie()))
        .findAny();
  }

  private Browser newBrowser() {
    if (browsers.size() == BROWSERS_LIMIT) {
      Browser oldest = browsers.removeFirst();
      dropTabs(tab -> tab.browser().equals(oldest));
    }
    Browser browser = new Browser(Secret.random(random));
    browsers.add(browser);
    return browser;
  }

  private Tab newTab(Browser browser) {
    if (tabs.size() == TABS_LIMIT) {
      tabs.removeFirst().forget();
    }
    byte[] name = new byte[12];
    random.nextBytes(name);
    Tab tab =
        new Tab(
            Base64.getUrlEncoder().withoutPadding().encodeToString(name),
            Secret.random(random),
            browser,
            clock);
    tabs.add(tab);
    return tab;
  }

  private void dropTabs(java.util.function.Predicate<Tab> which) {
    for (Iterator<Tab> all = tabs.iterator(); all.hasNext(); ) {
      Tab tab = all.next();
      if (which.test(tab)) {
        all.remove();
        tab.forget();
      }
    }
  }

  private String setCookie(Browser browser, HttpHeaders headers) {
    String cookie =
        cookieName + "=" + browser.cookie().base64url() + "; HttpOnly; SameSite=Strict; Path=/";
    boolean https = "https".equalsIgnoreCase(headers.get("X-Forwarded-Proto", ""));
    return https ? cookie + "; Secure" : cookie;
  }
}
