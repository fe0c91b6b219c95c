@NullMarked
package org.casement.protocol.picture;

import org.jspecify.annotations.NullMarked;
