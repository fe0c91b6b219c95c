/// Over real sockets.
@NullMarked
package org.casement.console;

import org.jspecify.annotations.NullMarked;
