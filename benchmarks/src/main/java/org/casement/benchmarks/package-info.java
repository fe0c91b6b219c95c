/// Benchmarks, each beside a named peer.
@NullMarked
package org.casement.benchmarks;

import org.jspecify.annotations.NullMarked;
