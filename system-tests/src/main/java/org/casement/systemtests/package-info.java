/// The program, its guest and a browser, as tests and benchmarks handle them. The tests themselves
/// are in this module's `src/test`.
@NullMarked
package org.casement.systemtests;

import org.jspecify.annotations.NullMarked;
