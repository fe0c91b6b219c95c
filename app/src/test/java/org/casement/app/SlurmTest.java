package org.casement.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyFactory;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.casement.session.SessionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SlurmTest {
  private static final Instant NOW = Instant.parse("2026-11-27T10:00:00Z");

  @TempDir private static Path directory;

  private static Slurm saying(String command, String output, int status) throws Exception {
    Path tool = directory.resolve(command);
    Files.writeString(tool, "#!/bin/sh\ncat <<'END'\n%s\nEND\nexit %d\n".formatted(output, status));
    Files.setPosixFilePermissions(tool, PosixFilePermissions.fromString("rwxr-xr-x"));
    return new Slurm(directory);
  }

  @Test
  void aJobsTimeIsTheSessions() throws Exception {
    long end = NOW.plusSeconds(600).getEpochSecond();
    SlurmJob job =
        SlurmJob.of(Map.of("SLURM_JOB_ID", "7", "SLURM_JOB_END_TIME", "" + end)).orElseThrow();
    assertThat(job.left(Duration.ofHours(1), NOW)).isEqualTo(Duration.ofMinutes(10));
    assertThat(job.left(Duration.ofMinutes(5), NOW)).isEqualTo(Duration.ofMinutes(5));
    SlurmJob old = SlurmJob.of(Map.of("SLURM_JOB_ID", "7")).orElseThrow();
    assertThat(old.left(Duration.ofHours(1), NOW)).isEqualTo(Duration.ofHours(1));
    assertThat(SlurmJob.of(Map.of())).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"SLURM_ARRAY_JOB_ID", "SLURM_HET_SIZE", "SLURM_PACK_SIZE"})
  void anArrayOrAHeterogeneousJobIsNoSession(String variable) {
    assertThatThrownBy(() -> SlurmJob.of(Map.of("SLURM_JOB_ID", "7", variable, "1")))
        .isInstanceOf(SessionException.class)
        .hasMessageContaining(variable);
  }

  @ParameterizedTest
  @ValueSource(strings = {"--array=1-3", "-a1", ":", "--comment=mine", "--time=5", "-t5", "debug"})
  void whatASessionCannotBeIsRefusedBeforeItIsSubmitted(String option) {
    assertThatThrownBy(() -> SubmitCommand.refuseManifold(List.of("--partition=x", option)))
        .isInstanceOf(SessionException.class);
  }

  @Test
  void otherOptionsAreSbatchsOwn() throws Exception {
    SubmitCommand.refuseManifold(List.of("--account=a", "-pdebug", "--mem=4G"));
  }

  @Test
  void theNumberIsFoundBehindWarningsAndBeforeACluster() throws Exception {
    String said = "sbatch: a warning about 12\n4711;far";
    assertThat(saying("sbatch", said, 0).submit(List.of(), directory)).isEqualTo(4711);
    Slurm refusing = saying("sbatch", "sbatch: error: Batch job submission failed", 1);
    assertThatThrownBy(() -> refusing.submit(List.of(), directory))
        .hasMessageContaining("Batch job submission failed");
  }

  @Test
  void jobsAreThoseOfWholeLines() throws Exception {
    Slurm slurm = saying("squeue", "7|RUNNING|n1|1:00\n8|PENDING|(null)|2:00\n9|FAILED|n1\nx", 0);
    Map<Long, Slurm.Job> jobs = slurm.jobs(Set.of(7L, 8L));
    assertThat(jobs).hasSize(2);
    assertThat(jobs.get(7L)).isEqualTo(new Slurm.Job(7, "RUNNING", "n1", "1:00"));
    assertThat(jobs.get(8L)).hasToString("job 8 PENDING");
    assertThat(
            saying("squeue", "slurm_load_jobs error: Invalid job id specified", 1).jobs(Set.of(9L)))
        .isEmpty();
    Slurm silent = saying("squeue", "slurm_load_jobs error: Unable to contact slurm", 1);
    assertThatThrownBy(() -> silent.jobs(Set.of(9L))).hasMessageContaining("Unable to contact");
  }

  @ParameterizedTest
  @ValueSource(strings = {"TIMEOUT", "CANCELLED", "NODE_FAIL", "COMPLETED", "OUT_OF_MEMORY"})
  void aJobThatIsOverIsNotWaitedFor(String state) {
    assertThat(new Slurm.Job(1, state, "", "").isOver()).isTrue();
    assertThat(new Slurm.Job(1, "COMPLETING", "", "").isOver()).isFalse();
    assertThat(new Slurm.Job(1, "PENDING", "", "").isOver()).isFalse();
  }

  @Test
  void theKeysHalvesBelongTogether() throws Exception {
    SessionKey key = SessionKey.generate();
    assertThat(key.comment()).matches("casement:1:[A-Za-z0-9_-]{43}");
    byte[] raw = Base64.getUrlDecoder().decode(key.comment().substring("casement:1:".length()));
    byte[] prefix = HexFormat.of().parseHex("302a300506032b6570032100"); // RFC 8410
    byte[] spki = new byte[44];
    System.arraycopy(prefix, 0, spki, 0, 12);
    System.arraycopy(raw, 0, spki, 12, 32);
    byte[] pkcs8 =
        Base64.getMimeDecoder().decode(key.privateKey().replaceAll("-----[A-Z ]+-----", ""));
    KeyFactory factory = KeyFactory.getInstance("Ed25519");
    Signature signature = Signature.getInstance("Ed25519");
    signature.initSign(factory.generatePrivate(new PKCS8EncodedKeySpec(pkcs8)));
    signature.update(raw);
    byte[] signed = signature.sign();
    signature.initVerify(factory.generatePublic(new X509EncodedKeySpec(spki)));
    signature.update(raw);
    assertThat(signature.verify(signed)).isTrue();
    assertThat(SessionKey.generate().comment()).isNotEqualTo(key.comment());
  }
}
