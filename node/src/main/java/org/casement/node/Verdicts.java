package org.casement.node;

import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.casement.isolation.IsolationException;

/// What is decided about jobs: whether policy seals them, and whether they are sessions of
/// Casement's. The controller's first answer about a job counts until the job ends.
final class Verdicts {
  private final NodeSettings.Policy policy;
  private final Controller controller;

  /// Why policy seals a job; an empty reason for one that it does not.
  private final Map<Long, Optional<String>> reasons = new ConcurrentHashMap<>();

  Verdicts(NodeSettings.Policy policy, Controller controller) {
    this.policy = policy;
    this.controller = controller;
  }

  /// Whether a job that comes to the node needs a record, without which its tasks would run while
  /// the agent is away. Where the controller does not say, it gets one, and its first task asks
  /// again.
  ///
  /// @param partition as slurmd says
  boolean mustBeMarked(long job, String partition) {
    boolean marked = policy.partitions().contains(partition);
    if (!marked && policy.needsController()) {
      try {
        marked = reason(job).isPresent();
      } catch (IOException e) {
        NodeAgent.log("%s; it is taken for sealed".formatted(e.getMessage()));
        marked = true;
      }
    }
    if (marked && policy.reportOnly()) {
      NodeAgent.log("job %d would be sealed by policy (partition %s)".formatted(job, partition));
      return false;
    }
    return marked;
  }

  /// Whether policy seals a job that does not ask.
  ///
  /// @param marked whether [#mustBeMarked] said so at its beginning
  /// @throws IOException where the controller does not say
  boolean seals(long job, boolean marked) throws IOException {
    if (policy.sealsNothing() || (marked && !policy.needsController())) {
      return marked;
    }
    Optional<String> reason;
    try {
      reason = reason(job);
    } catch (IOException e) {
      NodeAgent.log(String.valueOf(e.getMessage()));
      throw new IsolationException(
          "the controller does not say whether this job must be sealed; try again later", e);
    }
    return reason.isPresent() && !policy.reportOnly();
  }

  private Optional<String> reason(long job) throws IOException {
    Optional<String> known = reasons.get(job);
    if (known == null) {
      known =
          policy.reason(
              controller
                  .facts(job)
                  .orElseThrow(() -> new IOException("the controller does not know job " + job)));
      reasons.put(job, known);
    }
    return known;
  }

  /// What the controller says now.
  JobRecord.Kind kind(long job) throws IOException {
    return controller.isSession(job) ? JobRecord.Kind.SESSION : JobRecord.Kind.JOB;
  }

  void forget(long job) {
    reasons.remove(job);
  }
}
