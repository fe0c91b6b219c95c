/// The console connector: QEMU's screen for noVNC.
@NullMarked
package org.casement.console;

import org.jspecify.annotations.NullMarked;
