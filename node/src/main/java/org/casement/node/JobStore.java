package org.casement.node;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.casement.isolation.IsolationException;
import org.casement.isolation.NetworkHandle;

/// The jobs of this node, in a directory below /run that is root's: `sealed/JOB` is the record,
/// `ns/JOB` the pinned namespace. It is all that the agent remembers, so that the agent can be
/// replaced while jobs run.
///
/// A record is a symbolic link, whose target is the text: a file would take a page of memory, and
/// could be written in part. One without text is an empty file, such as root may make.
final class JobStore {
  /// Where the plugin looks.
  private final Path records;

  private final Path namespaces;

  JobStore(Path directory) throws IOException {
    records = directory.resolve("sealed");
    namespaces = directory.resolve("ns");
    for (Path path : List.of(records, namespaces)) {
      Files.createDirectories(path);
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwx------"));
    }
  }

  Optional<JobRecord> find(long job) throws IOException {
    Path record = record(job);
    try {
      String text =
          Files.isSymbolicLink(record)
              ? Files.readSymbolicLink(record).toString()
              : Files.readString(record, US_ASCII);
      return Optional.of(
          JobRecord.parse(text).orElseThrow(() -> new IOException(record + " is damaged")));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
  }

  /// As a whole or not at all.
  void write(long job, JobRecord known) throws IOException {
    Path unfinished = records.resolve("." + job);
    try {
      Files.deleteIfExists(unfinished); // an agent that was killed here has left it
      if (known.text().isEmpty()) {
        Files.createFile(unfinished);
      } else {
        Files.createSymbolicLink(unfinished, Path.of(known.text()));
      }
      Files.move(unfinished, record(job), StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      Files.deleteIfExists(unfinished);
      throw e;
    }
  }

  void pin(long job, NetworkHandle handle) throws IsolationException {
    handle.pin(namespaces.resolve(Long.toString(job)));
  }

  /// The job's namespace.
  ///
  /// @throws IsolationException where what is pinned is not what was made for the job
  NetworkHandle open(long job, String identity) throws IsolationException {
    NetworkHandle handle = NetworkHandle.pinned(namespaces.resolve(Long.toString(job)));
    if (!handle.identity().equals(identity)) {
      handle.close();
      throw new IsolationException("another namespace is pinned for job " + job);
    }
    return handle;
  }

  void remove(long job) throws IOException {
    NetworkHandle.unpin(namespaces.resolve(Long.toString(job)));
    Files.deleteIfExists(record(job));
  }

  /// Leaves the record.
  void unpin(long job) throws IOException {
    NetworkHandle.unpin(namespaces.resolve(Long.toString(job)));
  }

  /// Those with a record or a pin.
  List<Long> jobs() throws IOException {
    List<Long> jobs = new ArrayList<>();
    for (Path directory : List.of(records, namespaces)) {
      try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, "[1-9]*")) {
        for (Path entry : entries) {
          jobs.add(Long.parseLong(entry.getFileName().toString()));
        }
      }
    }
    return jobs.stream().distinct().toList();
  }

  private Path record(long job) {
    return records.resolve(Long.toString(job));
  }
}
