package org.casement.isolation;

/// TCP ports `first` to `last`, both included.
public record PortRange(int first, int last) {
  public PortRange {
    if (first < 1 || last > 65_535 || first > last) {
      throw new IllegalArgumentException("not a range of ports: " + first + "-" + last);
    }
  }

  public static PortRange of(int port) {
    return new PortRange(port, port);
  }

  @Override
  public String toString() {
    return first == last ? "port " + first : "ports " + first + "-" + last;
  }
}
