/// Slurm clusters, as tests and benchmarks of the plugin and the node agent handle them. The tests
/// themselves are in this module's `src/test`.
@NullMarked
package org.casement.clustertests;

import org.jspecify.annotations.NullMarked;
