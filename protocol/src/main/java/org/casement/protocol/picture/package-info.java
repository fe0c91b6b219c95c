/// Pictures of a machine's screen.
@NullMarked
package org.casement.protocol.picture;

import org.jspecify.annotations.NullMarked;
