package org.casement.app;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.casement.session.SessionException;

/// The Slurm job that this process is part of, as its environment says (sbatch(1), OUTPUT
/// ENVIRONMENT VARIABLES). Whoever forges that deceives only themselves.
///
/// @param end when Slurm ends it; empty before Slurm 22.05 and where there is no limit
record SlurmJob(long id, Optional<Instant> end) {
  /// Of these there are several tasks that would be one session, or one job of several parts.
  private static final List<String> MANIFOLD =
      List.of("SLURM_ARRAY_JOB_ID", "SLURM_HET_SIZE", "SLURM_PACK_SIZE");

  /// Empty where there is no job.
  ///
  /// @throws SessionException in a job that a session cannot be
  static Optional<SlurmJob> of(Map<String, String> environment) throws SessionException {
    String id = environment.getOrDefault("SLURM_JOB_ID", "");
    if (!id.matches("[0-9]{1,18}")) {
      return Optional.empty();
    }
    for (String name : MANIFOLD) {
      if (environment.containsKey(name)) {
        throw new SessionException(
            "a session is one ordinary job: arrays and heterogeneous jobs cannot be one ("
                + name
                + " is set)");
      }
    }
    String end = environment.getOrDefault("SLURM_JOB_END_TIME", "");
    return Optional.of(
        new SlurmJob(
            Long.parseLong(id),
            end.matches("[1-9][0-9]{0,17}")
                ? Optional.of(Instant.ofEpochSecond(Long.parseLong(end)))
                : Optional.empty()));
  }

  /// What is left of it, at most `asked`.
  Duration left(Duration asked, Instant now) {
    return end.map(at -> Duration.between(now, at))
        .filter(left -> left.compareTo(asked) < 0)
        .orElse(asked);
  }
}
