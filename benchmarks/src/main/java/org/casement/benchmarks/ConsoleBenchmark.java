package org.casement.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.StandardProtocolFamily;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.casement.protocol.door.DoorProof;
import org.casement.session.Secret;
import org.casement.systemtests.Program;
import org.casement.testkit.Await;
import org.casement.testkit.Command;
import org.casement.testkit.ProcessEntry;

/// The console's relay beside websockify: the same bytes from the same unix socket to the same
/// client, once as fast as they go and once in small messages at a steady pace, as a screen that
/// scrolls makes them; then as fast as they go from the client. Processor time is that of the
/// relay's process and its children. Beside both, what screen and client do with nothing between
/// them: no relay can be faster.
final class ConsoleBenchmark {
  private static final int MIB = 1 << 20;
  private static final int WRITE_BYTES = 1 << 16;
  private static final long BULK_WARMUP_BYTES = 4096L * MIB;
  private static final long BULK_BYTES = 2048L * MIB;
  private static final int MESSAGE_BYTES = 1 << 10;
  private static final int MESSAGES_A_SECOND = 2_000;
  private static final int WARMUP_MESSAGES = 60_000;
  private static final int MESSAGES = 20_000;
  private static final String NONCE = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
  private static final long BACK_WARMUP_BYTES = 512L * MIB;
  private static final long BACK_BYTES = 512L * MIB;
  private static final double TICKS_A_SECOND = 100;
  private static final Duration LIMIT = Duration.ofSeconds(20);

  /// @param bulk megabytes a second
  /// @param bulkCost processor seconds for a gigabyte
  /// @param paceCost processor microseconds for a message
  /// @param back megabytes a second from the client, whose frames are masked
  /// @param backCost processor seconds for a gigabyte of them
  record Figures(
      Samples bulk, Samples bulkCost, Samples paceCost, Samples back, Samples backCost) {}

  /// @param nothing megabytes a second where the client is the screen's own
  record Comparison(Figures casement, Figures websockify, Samples nothing) {}

  private interface Relay extends AutoCloseable {
    RawWebSocket open() throws IOException, InterruptedException;

    ProcessHandle process();

    @Override
    void close() throws IOException;
  }

  private ConsoleBenchmark() {}

  /// The runs alternate.
  static Comparison run(int runs) throws IOException, InterruptedException {
    Path directory = Files.createTempDirectory("casement-bench-");
    Path screen = directory.resolve("vnc");
    try (ServerSocketChannel source =
            ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                .bind(UnixDomainSocketAddress.of(screen));
        Relay casement = casement(directory, screen);
        Relay websockify = websockify(screen)) {
      List<Relay> relays = List.of(casement, websockify);
      List<List<double[]>> measured = List.of(new ArrayList<>(), new ArrayList<>());
      List<Double> nothing = new ArrayList<>();
      for (int run = 0; run < runs; run++) {
        for (int i = 0; i < relays.size(); i++) {
          measured.get(i).add(measure(relays.get(i), source));
        }
        nothing.add(withNothingBetween(screen, source));
      }
      return new Comparison(
          figures(measured.getFirst()), figures(measured.getLast()), new Samples("MB/s", nothing));
    } finally {
      Command.run("rm", "-rf", directory.toString()).orFail();
    }
  }

  private static Figures figures(List<double[]> rows) {
    return new Figures(
        column("MB/s", rows, 0),
        column("cpu-s/GB", rows, 1),
        column("µs", rows, 2),
        column("MB/s", rows, 3),
        column("cpu-s/GB", rows, 4));
  }

  private static Samples column(String unit, List<double[]> rows, int column) {
    return new Samples(unit, rows.stream().map(row -> row[column]).toList());
  }

  private static double[] measure(Relay relay, ServerSocketChannel source)
      throws IOException, InterruptedException {
    CompletableFuture<Void> taken = new CompletableFuture<>();
    Thread writer = Thread.ofPlatform().daemon().start(() -> feed(source, taken));
    try (RawWebSocket page = relay.open()) {
      page.drain(BULK_WARMUP_BYTES);
      double before = seconds(relay.process());
      long start = System.nanoTime();
      page.drain(BULK_BYTES);
      double rate = BULK_BYTES / 1e6 / ((System.nanoTime() - start) / 1e9);
      double cost = (seconds(relay.process()) - before) / (BULK_BYTES / 1e9);
      page.drain((long) WARMUP_MESSAGES * MESSAGE_BYTES);
      before = seconds(relay.process());
      page.drain((long) MESSAGES * MESSAGE_BYTES);
      double each = (seconds(relay.process()) - before) / MESSAGES * 1e6;
      page.fill(BACK_WARMUP_BYTES, WRITE_BYTES);
      before = seconds(relay.process());
      start = System.nanoTime();
      page.fill(BACK_BYTES, WRITE_BYTES);
      taken.join();
      double back = BACK_BYTES / 1e6 / ((System.nanoTime() - start) / 1e9);
      double backCost = (seconds(relay.process()) - before) / (BACK_BYTES / 1e9);
      return new double[] {rate, cost, each, back, backCost};
    } finally {
      writer.join(LIMIT);
    }
  }

  private static double withNothingBetween(Path screen, ServerSocketChannel source)
      throws IOException, InterruptedException {
    Thread writer =
        Thread.ofPlatform().daemon().start(() -> feed(source, new CompletableFuture<>()));
    try (SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(screen))) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(WRITE_BYTES);
      read(client, BULK_WARMUP_BYTES, buffer);
      long start = System.nanoTime();
      read(client, BULK_BYTES, buffer);
      return BULK_BYTES / 1e6 / ((System.nanoTime() - start) / 1e9);
    } finally {
      writer.join(LIMIT);
    }
  }

  /// A screen for one connection: much at once, then little by little, then it listens.
  private static void feed(ServerSocketChannel source, CompletableFuture<Void> taken) {
    try (SocketChannel screen = source.accept()) {
      write(screen, BULK_WARMUP_BYTES + BULK_BYTES, WRITE_BYTES);
      long next = System.nanoTime();
      for (int i = 0; i < WARMUP_MESSAGES + MESSAGES; i++) {
        next += 1_000_000_000L / MESSAGES_A_SECOND;
        LockSupport.parkNanos(next - System.nanoTime());
        write(screen, MESSAGE_BYTES, MESSAGE_BYTES);
      }
      read(screen, BACK_WARMUP_BYTES + BACK_BYTES, ByteBuffer.allocateDirect(WRITE_BYTES));
      taken.complete(null);
      screen.read(ByteBuffer.allocate(1)); // until the page has gone
    } catch (IOException e) {
      taken.completeExceptionally(e);
    }
  }

  private static void read(SocketChannel from, long bytes, ByteBuffer buffer) throws IOException {
    for (long left = bytes; left > 0; left -= buffer.position()) {
      buffer.clear().limit((int) Math.min(buffer.capacity(), left));
      if (from.read(buffer) < 0) {
        throw new EOFException();
      }
    }
  }

  private static void write(SocketChannel to, long bytes, int atOnce) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(atOnce);
    for (long left = bytes; left > 0; left -= atOnce) {
      buffer.clear();
      while (buffer.hasRemaining()) {
        to.write(buffer);
      }
    }
  }

  /// Of the process and all below it.
  private static double seconds(ProcessHandle process) {
    return ProcessEntry.tree((int) process.pid()).stream()
            .mapToLong(ProcessEntry::processorTicks)
            .sum()
        / TICKS_A_SECOND;
  }

  /// The launcher starts what CASEMENT_JAVA names: java, with [RelayHost] in place of the program.
  private static Relay casement(Path directory, Path screen) throws IOException {
    Path java = directory.resolve("java");
    Files.writeString(
        java,
        """
        #!/bin/sh
        for argument; do
          shift
          case $before in -cp) argument=$argument:$BENCH_CLASSES ;; esac
          before=$argument
          [ "$argument" != org.casement.app.Main ] || argument=org.casement.benchmarks.RelayHost
          set -- "$@" "$argument"
        done
        exec "$JAVA_HOME/bin/java" "$@"
        """);
    Files.setPosixFilePermissions(java, PosixFilePermissions.fromString("rwxr-xr-x"));
    ProcessBuilder builder =
        new ProcessBuilder(Program.launcher().toString(), "session", screen.toString());
    builder.environment().put("CASEMENT_JAVA", java.toString());
    builder.environment().put("BENCH_CLASSES", System.getProperty("java.class.path"));
    Process process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String[] said =
        new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8))
            .readLine()
            .split(" ", -1);
    int port = Integer.parseInt(said[0]);
    HttpClient client = HttpClient.newHttpClient();
    String origin = "http://127.0.0.1:" + port;
    HttpRequest enter =
        HttpRequest.newBuilder(URI.create(origin + "/enter"))
            .header("Content-Type", "application/json")
            .header("Origin", origin)
            .POST(HttpRequest.BodyPublishers.ofString("{\"token\":\"" + said[1] + "\"}"))
            .build();
    HttpResponse<String> entered;
    try {
      entered = client.send(enter, HttpResponse.BodyHandlers.ofString());
    } catch (InterruptedException e) {
      throw new IOException(e);
    }
    Map<String, Object> entry = JSON.std.mapFrom(entered.body());
    String cookie = entered.headers().firstValue("Set-Cookie").orElseThrow().split(";", -1)[0];
    return new Relay() {
      @Override
      public RawWebSocket open() throws IOException {
        RawWebSocket page = RawWebSocket.connect(port, "/ws/vnc", "Cookie: " + cookie + "\r\n");
        page.send("{\"v\":1,\"tab\":\"" + entry.get("tab") + "\",\"nonce\":\"" + NONCE + "\"}");
        String theirs = String.valueOf(JSON.std.mapFrom(page.nextText()).get("nonce"));
        Secret secret = Secret.ofBase64url(String.valueOf(entry.get("secret")));
        page.send("{\"proof\":\"" + new DoorProof(secret, "vnc", NONCE, theirs).ofPage() + "\"}");
        page.nextText();
        return page;
      }

      @Override
      public ProcessHandle process() {
        return process.toHandle();
      }

      @Override
      public void close() throws IOException {
        process.getOutputStream().close();
        process.destroy();
      }
    };
  }

  private static Relay websockify(Path screen) throws IOException {
    int port = freePort();
    Process process =
        new ProcessBuilder("websockify", "--unix-target=" + screen, "127.0.0.1:" + port)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    return new Relay() {
      @Override
      public RawWebSocket open() {
        List<RawWebSocket> opened = new ArrayList<>();
        Await.until(
            "websockify listens",
            LIMIT,
            () -> {
              try {
                return opened.add(
                    RawWebSocket.connect(port, "/", "Sec-WebSocket-Protocol: binary\r\n"));
              } catch (IOException e) {
                return false;
              }
            });
        return opened.getFirst();
      }

      @Override
      public ProcessHandle process() {
        return process.toHandle();
      }

      @Override
      public void close() {
        process.descendants().forEach(ProcessHandle::destroy);
        process.destroy();
      }
    };
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }
}
