package org.casement.benchmarks;

import java.util.List;
import java.util.Locale;

/// What was measured again and again, in one unit.
record Samples(String unit, List<Double> values) {
  Samples {
    if (values.isEmpty()) {
      throw new IllegalArgumentException("nothing was measured");
    }
    values = values.stream().sorted().toList();
  }

  double median() {
    int middle = values.size() / 2;
    return values.size() % 2 == 1
        ? values.get(middle)
        : (values.get(middle - 1) + values.get(middle)) / 2;
  }

  /// Median, least and greatest: `14.3 s (12.9–16.3, n=5)`.
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%.4g %s (%.4g–%.4g, n=%d)",
        median(),
        unit,
        values.getFirst(),
        values.getLast(),
        values.size());
  }
}
