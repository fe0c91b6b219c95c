@NullMarked
package org.casement.protocol;

import org.jspecify.annotations.NullMarked;
