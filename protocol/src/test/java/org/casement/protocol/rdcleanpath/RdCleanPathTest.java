package org.casement.protocol.rdcleanpath;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.casement.protocol.ProtocolException;
import org.casement.protocol.rdcleanpath.RdCleanPath.Failure;
import org.casement.protocol.rdcleanpath.RdCleanPath.Request;
import org.casement.protocol.rdcleanpath.RdCleanPath.Response;
import org.junit.jupiter.api.Test;

class RdCleanPathTest {
  /// version 3390, destination "a", proxyAuth "b", X.224 of two bytes.
  private static final String REQUEST =
      "3016" + "a00402020d3e" + "a2030c0161" + "a3030c0162" + "a60404020102";

  private static byte[] hex(String hex) {
    return HexFormat.of().parseHex(hex);
  }

  @Test
  void aRequestIsReadAndWrittenAlike() throws ProtocolException {
    byte[] message = hex(REQUEST);
    assertThat(RdCleanPath.length(message)).hasValue(message.length);
    Request request = (Request) RdCleanPath.decode(message);
    assertThat(request.destination()).isEqualTo("a");
    assertThat(request.proxyAuth()).isEqualTo("b");
    assertThat(request.connectionRequest()).isEqualTo(hex("0102"));
    assertThat(RdCleanPath.encode(request)).isEqualTo(message);
  }

  @Test
  void aResponseCarriesTheWholeChain() throws ProtocolException {
    byte[] certificate = new byte[700];
    Response response = new Response(hex("0300"), List.of(certificate, hex("01")), "ip:1");
    Response read = (Response) RdCleanPath.decode(RdCleanPath.encode(response));
    assertThat(read.certificateChain()).hasSize(2);
    assertThat(read.certificateChain().getFirst()).isEqualTo(certificate);
    assertThat(read.serverAddress()).isEqualTo("ip:1");
  }

  @Test
  void aFailureSaysWhichKind() throws ProtocolException {
    assertThat(RdCleanPath.encode(Failure.http(401)))
        .isEqualTo(hex("3015" + "a00402020d3e" + "a10d300b" + "a003020101" + "a10402020191"));
    Failure read =
        (Failure) RdCleanPath.decode(RdCleanPath.encode(Failure.wsa(Failure.WSA_REFUSED)));
    assertThat(read.wsaError()).hasValue(10061);
    assertThat(read.httpStatus()).isEqualTo(OptionalInt.empty());
    Failure negotiation =
        (Failure) RdCleanPath.decode(RdCleanPath.encode(Failure.negotiation(hex("0305"))));
    assertThat(negotiation.connectionConfirm().map(HexFormat.of()::formatHex))
        .isEqualTo(Optional.of("0305"));
  }

  @Test
  void whatIsNotStrictDerIsRefused() {
    for (String bad :
        new String[] {
          "3016a00402020d3fa2030c0161a3030c0162a60404020102", // another version
          "308116a00402020d3ea2030c0161a3030c0162a60404020102", // length not shortest
          "3016a00402020d3ea2030c0161a3030c0162a604040201", // cut off
          "3016a00402020d3ea2030c0161a3030c0162a6040402010200", // something follows
          "3016a00402020d3ea2030c0161a6040402010203a30c0162", // out of order
          "3016a00402020d3ea2030c01ffa3030c0162a60404020102", // not UTF-8
          "3017a0050203000d3ea2030c0161a3030c0162a60404020102", // integer not shortest
          "3080a00402020d3e0000",
          "3000",
          ""
        }) {
      assertThatThrownBy(() -> RdCleanPath.decode(hex(bad)))
          .as(bad)
          .isInstanceOf(ProtocolException.class);
    }
  }

  @Test
  void aRequestMayBeAsLongAsTheLimit() throws ProtocolException {
    Request longest = requestOf(RdCleanPath.REQUEST_LIMIT_BYTES);
    byte[] message = RdCleanPath.encode(longest);
    assertThat(message).hasSize(RdCleanPath.REQUEST_LIMIT_BYTES);
    assertThat(RdCleanPath.length(Arrays.copyOf(message, 4))).hasValue(message.length);
    assertThat(RdCleanPath.decode(message)).isInstanceOf(Request.class);
    byte[] longer = RdCleanPath.encode(requestOf(RdCleanPath.REQUEST_LIMIT_BYTES + 1));
    assertThatThrownBy(() -> RdCleanPath.length(Arrays.copyOf(longer, 4)))
        .isInstanceOf(ProtocolException.class);
    assertThatThrownBy(() -> RdCleanPath.decode(longer)).isInstanceOf(ProtocolException.class);
  }

  private static Request requestOf(int bytes) {
    Request empty = new Request("d".repeat(300), "", Optional.empty(), new byte[300]);
    int overhead = RdCleanPath.encode(empty).length;
    return new Request("d".repeat(300 + bytes - overhead), "", Optional.empty(), new byte[300]);
  }

  @FuzzTest
  void whatIsReadIsWrittenAlike(byte[] bytes) {
    try {
      RdCleanPath message = RdCleanPath.decode(bytes);
      byte[] written = RdCleanPath.encode(message);
      assertThat(RdCleanPath.encode(RdCleanPath.decode(written))).isEqualTo(written);
      assertThat(RdCleanPath.length(bytes)).hasValue(bytes.length);
    } catch (ProtocolException refused) {
      assertThat(refused).hasMessageMatching("(?s).{1,200}");
    }
  }
}
