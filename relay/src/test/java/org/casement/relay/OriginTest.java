package org.casement.relay;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaders;
import org.junit.jupiter.api.Test;

class OriginTest {
  private static boolean own(String origin, String host, String forwarded) {
    HttpHeaders headers = new DefaultHttpHeaders().set("Host", host).set("Origin", origin);
    if (!forwarded.isEmpty()) {
      headers.set("X-Forwarded-Host", forwarded);
    }
    return Origin.isOwn(headers);
  }

  @Test
  void hostAndPortMustBeThoseOfTheRequest() {
    assertThat(own("http://node:1234", "node:1234", "")).isTrue();
    assertThat(own("http://node:1235", "node:1234", "")).isFalse();
    assertThat(own("http://node", "node:80", "")).isTrue();
    assertThat(own("https://portal.site", "node:1234", "portal.site")).isTrue();
    assertThat(own("https://Portal.site", "node:1234", "inner, portal.site:443")).isTrue();
    assertThat(own("https://portal.site.evil", "node:1234", "portal.site")).isFalse();
    assertThat(own("http://portal.site", "node:1234", "portal.site:443")).isFalse();
    assertThat(own("http://[::1]:9", "[::1]:9", "")).isTrue();
    assertThat(own("null", "null", "")).isFalse();
    assertThat(own("chrome-extension://node:1234", "node:1234", "")).isFalse();
    assertThat(Origin.isOwn(new DefaultHttpHeaders().set("Host", "node:1234"))).isFalse();
  }

  @Test
  void aPrefixIsCutAndAMissingSlashAdded() {
    assertThat(RequestPath.of("/node/n1.site/4711/ws/rdp").file()).isEqualTo("ws/rdp");
    assertThat(RequestPath.of("/secure-rnode/n1/4711/?x=y").file()).isEmpty();
    assertThat(RequestPath.of("/ws/rdp").file()).isEqualTo("ws/rdp");
    assertThat(RequestPath.of("/node/n1/4711").redirect()).hasValue("4711/");
    assertThat(RequestPath.of("/node/n1/").redirect()).isEmpty();
    assertThat(RequestPath.of("/node/n1/").file()).isEqualTo("node/n1/");
  }
}
