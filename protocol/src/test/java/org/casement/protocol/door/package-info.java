@NullMarked
package org.casement.protocol.door;

import org.jspecify.annotations.NullMarked;
